"""Tell one receiver of every dial that ended: signed, retried for days, and never while somebody waits.

A thread of each worker looks into the outbox. What was not taken is tried again, later and later; a receiver may
get an event twice and knows it by its `webhook-id`.
"""

import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import cast

from flask import Flask

from app.context import EXTENSION, Services
from app.notify.webhook_sender import NotSent, send, signature
from app.records.model.periodic_job import PeriodicJob
from app.records.model.receipt import StoreUnavailable
from app.records.reading.queries import FoundDial, find_dial_by_key
from app.records.reading.read_session import read_session
from app.records.writing.outbox import Claim, claim, postpone, remove

log = logging.getLogger(__name__)

# Seconds until each next attempt, as Standard Webhooks proposes: three days in all.
_RETRIES = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
_AT_ONCE = 8
_BATCH = 32
_LEASE = 120_000  # Milliseconds; longer than a batch can take.
_PAUSE = 1.0  # Seconds between two looks.


_EXTENSION = "dialstatus-outgoing"


def use_outgoing(app: Flask, describe: Callable[[FoundDial], str]) -> None:
    """Make the application's event delivery. Nothing is sent before it is woken."""
    app.extensions[_EXTENSION] = Outgoing(app.extensions[EXTENSION], describe)


def event_delivery(app: Flask) -> "Outgoing":
    """Return the application's event delivery."""
    return cast(Outgoing, app.extensions[_EXTENSION])


class Outgoing(PeriodicJob):
    """Delivers from the outbox. `describe` returns a dial as JSON, as in the API."""

    name = "event-delivery"

    def __init__(self, shared: Services, describe: Callable[[FoundDial], str]) -> None:
        super().__init__()
        self._store = shared.store
        self._url = shared.config.events_url
        self._secret = shared.config.events_secret or ""
        self._allow_private = shared.config.events_allow_private
        self._describe = describe

    def work(self) -> float | None:
        """Deliver what is due; at once again after a full batch."""
        if self._url is None:
            return None
        try:
            tried = self.deliver_due()
        except StoreUnavailable as error:
            log.info("outbox_waits", extra={"error": str(error)})
            return _PAUSE
        return 0 if tried == _BATCH else _PAUSE

    def deliver_due(self) -> int:
        """Deliver what is due now and tell how many were tried. Raises `StoreUnavailable`."""
        claims = claim(self._store, limit=_BATCH, lease=_LEASE)
        if not claims:
            return 0
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="outgoing") as pool:
            outcomes = list(pool.map(self._is_settled, claims))
        remove(self._store, [one.dial_key for one, settled in zip(claims, outcomes, strict=True) if settled])
        return len(claims)

    def _is_settled(self, one: Claim) -> bool:
        """Try to deliver; True when nothing remains to be done for this dial."""
        try:
            with read_session(self._store) as connection:
                found = find_dial_by_key(connection, one.dial_key)
            return found is None or self._is_told(one, found)  # What was erased meanwhile is not told.
        except StoreUnavailable:
            return False  # The claim runs out and it falls due again.

    def _is_told(self, one: Claim, found: FoundDial) -> bool:
        try:
            self._send(found)
        except NotSent as error:
            return self._put_off(one, found, str(error))
        log.info("event_delivered", extra={"dial_id": found.dial.dial_id, "attempts": one.attempts})
        return True

    def _send(self, found: FoundDial) -> None:
        ended_at = datetime.fromtimestamp((found.dial.ended_at or 0) / 1000, UTC).isoformat(timespec="milliseconds")
        said = f'"type":"dial.ended","timestamp":"{ended_at[:23]}Z","data":{self._describe(found)}'
        body = f"{{{said}}}".encode()
        message_id, timestamp = f"msg_{found.dial.dial_key:016x}", int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Dialstatus",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secret, message_id=message_id, timestamp=timestamp, body=body),
        }
        send(self._url or "", body, headers, allow_private=self._allow_private)

    def _put_off(self, one: Claim, found: FoundDial, reason: str) -> bool:
        is_last = one.attempts > len(_RETRIES)
        extra = {"dial_id": found.dial.dial_id, "attempts": one.attempts, "reason": reason}
        if is_last:
            log.error("event_given_up", extra=extra)
            return True
        log.warning("event_not_delivered", extra=extra)
        # Spread, so that a receiver that comes back is not met by all at once.
        wait = _RETRIES[one.attempts - 1] * random.uniform(1, 1.2)  # noqa: S311  # Nothing is guarded by it.
        postpone(self._store, one.dial_key, seconds=wait)
        return False
