"""Send an event for every dial that ends: signed, retried for days, and never while a caller waits.

Each worker looks into the outbox. An event that was not accepted is sent again, at growing intervals; a receiver may
get an event twice and recognises it by its `webhook-id`. When a later report changes the outcome, a correction follows:
the same subject with a higher revision.
"""

import json
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import cast

from flask import Flask

from app.context import EXTENSION, Services
from app.notify.webhook_sender import NotAccepted, send, signature
from app.records.model.periodic_job import PeriodicJob
from app.records.model.receipt import StoreUnavailable
from app.records.reading.queries import FoundDial, find_dial_by_key
from app.records.reading.read_session import read_session
from app.records.writing.outbox import Claim, claim, count_receipts, postpone, remove

log = logging.getLogger(__name__)

# Seconds until each next attempt, as Standard Webhooks proposes: three days in all.
_RETRIES = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
_AT_ONCE = 8
_BATCH = 32
_LEASE = 120_000  # Milliseconds; longer than a batch can take.
_PAUSE = 1.0  # Seconds between two looks into the outbox.

_EXTENSION = "dialstatus-event-delivery"


def use_outgoing(app: Flask, describe: Callable[[FoundDial], str]) -> None:
    """Make the application's event delivery. Nothing is sent before it is woken."""
    app.extensions[_EXTENSION] = EventDelivery(app.extensions[EXTENSION], describe)


def event_delivery(app: Flask) -> "EventDelivery":
    """Return the application's event delivery."""
    return cast(EventDelivery, app.extensions[_EXTENSION])


class EventDelivery(PeriodicJob):
    """Sends events from the outbox. `describe` returns a dial as JSON, as in the API."""

    name = "event-delivery"

    def __init__(self, shared: Services, describe: Callable[[FoundDial], str]) -> None:
        super().__init__()
        self._store = shared.store
        self._url = shared.config.events_url
        self._secret = shared.config.events_secret or ""
        self._allow_private = shared.config.events_allow_private
        self._describe = describe

    def work(self) -> float | None:
        """Send what is due; run again at once after a full batch."""
        if self._url is None:
            return None
        try:
            attempted = self.deliver_due()
        except StoreUnavailable as error:
            log.info("outbox_waits", extra={"error": str(error)})
            return _PAUSE
        return 0 if attempted == _BATCH else _PAUSE

    def deliver_due(self) -> int:
        """Send what is due now; return the number of attempts. Raises StoreUnavailable."""
        claims = claim(self._store, limit=_BATCH, lease=_LEASE)
        if not claims:
            return 0
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=self.name) as pool:
            are_done = list(pool.map(self._is_done, claims))
        remove(self._store, [one for one, is_done in zip(claims, are_done, strict=True) if is_done])
        return len(claims)

    def _is_done(self, one: Claim) -> bool:
        """Send an event; return whether it needs no further attempt."""
        try:
            with read_session(self._store) as connection:
                found = find_dial_by_key(connection, one.dial_key)
                revision = count_receipts(connection, found.dial.call_key) if found else 0
            return found is None or self._is_sent(one, found, revision)  # An erased dial has no event.
        except StoreUnavailable:
            return False  # The claim expires and the event falls due again.

    def _is_sent(self, one: Claim, found: FoundDial, revision: int) -> bool:
        try:
            self._send(found, revision)
        except NotAccepted as error:
            return self._is_given_up(one, found, str(error))
        extra = {"dial_id": found.dial.dial_id, "revision": revision, "attempts": one.attempts}
        log.info("event_delivered", extra=extra)
        return True

    def _send(self, found: FoundDial, revision: int) -> None:
        ended_at = datetime.fromtimestamp((found.dial.ended_at or 0) / 1000, UTC).isoformat(timespec="milliseconds")
        about = {
            "type": "dial.ended",
            "timestamp": f"{ended_at[:23]}Z",
            "subject": found.dial.dial_id,
            "revision": revision,
        }
        body = f'{json.dumps(about)[:-1]}, "data": {self._describe(found)}}}'.encode()
        message_id, timestamp = f"msg_{found.dial.dial_key:016x}_{revision}", int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Dialstatus",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secret, message_id=message_id, timestamp=timestamp, body=body),
        }
        send(self._url or "", body, headers, allow_private=self._allow_private)

    def _is_given_up(self, one: Claim, found: FoundDial, reason: str) -> bool:
        extra = {"dial_id": found.dial.dial_id, "attempts": one.attempts, "reason": reason}
        if one.attempts > len(_RETRIES):
            log.error("event_given_up", extra=extra)
            return True
        log.warning("event_not_delivered", extra=extra)
        # Spread, so that a receiver that comes back does not get everything at once.
        wait = _RETRIES[one.attempts - 1] * random.uniform(1, 1.2)  # noqa: S311 - Not for security.
        postpone(self._store, one, seconds=wait)
        return False
