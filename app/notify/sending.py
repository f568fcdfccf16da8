"""The job that sends: of all processes and nodes one sends, at least once, and never while a caller waits.

An event that an address did not accept is sent there again, at growing intervals for three days. A receiver may get an
event twice and recognises it by its `webhook-id`. Each address is served by a thread of its own, so that one that hangs
delays no other.
"""

import logging
import random
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import cast

from flask import Flask

from app.context import EXTENSION, Services
from app.notify.addresses import WebhookAddress, webhook_addresses
from app.notify.dispatch import Descriptions, Dispatcher
from app.notify.webhook_sender import NotAccepted, send, signature
from app.records.model.ids import now
from app.records.model.periodic_job import PeriodicJob
from app.records.model.receipt import StoreUnavailable
from app.records.reading.read_session import read_session
from app.records.store.store import Store
from app.records.writing.deliveries import (
    DEAD,
    DELIVERED,
    WAITING,
    Attempt,
    Claim,
    addresses_due,
    claim,
    drop_all,
    lead,
    prune_events,
    settle,
)
from app.records.writing.outbox import due_events

log = logging.getLogger(__name__)

# Seconds until each next attempt, as Standard Webhooks proposes: three days in all.
_RETRIES = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
_AT_ONCE = 8
_BATCH = 32
_CLAIM = 120_000  # Milliseconds; longer than a batch can take.
_PAUSE = 1.0  # Seconds between two looks into the outbox.
_LEAD = 10_000  # Milliseconds after which another process sends in place of one that was killed.
_PRUNE_EVERY = 600.0  # seconds

_EXTENSION = "dialstatus-sending"


def use_sending(app: Flask, descriptions: Descriptions) -> None:
    """Make the application's sending job. Nothing is sent before it is woken."""
    app.extensions[_EXTENSION] = Sending(app.extensions[EXTENSION], descriptions)


def sending(app: Flask) -> "Sending":
    """Return the application's sending job."""
    return cast(Sending, app.extensions[_EXTENSION])


class Sending(PeriodicJob):
    """Publishes what waits in the outbox and serves every address that has deliveries due."""

    name = "sending"

    def __init__(self, shared: Services, descriptions: Descriptions) -> None:
        super().__init__()
        self._store = shared.store
        self._addresses = {one.name: one for one in webhook_addresses(shared.config)}
        self._dispatcher = Dispatcher(shared.store, tuple(self._addresses.values()), descriptions)
        self._holder = uuid.uuid4().hex
        self._leads_until = self._prune_at = 0.0
        self._pool = ThreadPoolExecutor(max(1, len(self._addresses)), thread_name_prefix=self.name)
        self._busy: dict[str, Future[None]] = {}

    def work(self) -> float | None:
        """Send what is due; run again at once after something was published."""
        try:
            return 0 if self._send_due() else _PAUSE
        except StoreUnavailable as error:
            log.info("outbox_waits", extra={"error": str(error)})
            return _PAUSE

    def stop(self, patience: float = 1.0) -> None:
        """Stop after the sends under way, and let another process send."""
        super().stop(patience)
        self._pool.shutdown(wait=False, cancel_futures=True)
        wait(self._busy.values(), timeout=patience)
        if self._leads_until:
            try:
                lead(self._store, self.name, self._holder, lease=0)
            except StoreUnavailable as error:
                log.info("outbox_waits", extra={"error": str(error)})

    def _send_due(self) -> bool:
        """Publish and start to send; return whether anything was published."""
        self._busy = {name: future for name, future in self._busy.items() if not future.done()}
        with read_session(self._store) as connection:
            is_due, due = bool(due_events(connection, limit=1)), addresses_due(connection)
        if not (is_due or due or self._busy) or not self._leads():
            return False
        published = self._dispatcher.dispatch() if is_due else 0
        for name in due - self._busy.keys():
            if name in self._addresses:
                self._busy[name] = self._pool.submit(self._serve, self._addresses[name])
            else:
                drop_all(self._store, name, reason="the address is no longer in the settings")
        if time.monotonic() > self._prune_at:
            self._prune_at = time.monotonic() + (0 if prune_events(self._store) else _PRUNE_EVERY)
        return bool(published)

    def _leads(self) -> bool:
        """Return whether this process sends; renew its lease well before it ends."""
        if time.monotonic() > self._leads_until - _LEAD / 2000:
            started = time.monotonic()
            leads = lead(self._store, self.name, self._holder, lease=_LEAD)
            self._leads_until = started + _LEAD / 1000 if leads else 0.0
        return self._leads_until > 0

    def _serve(self, address: WebhookAddress) -> None:
        """Send to one address until nothing is due there."""
        try:
            while not self.stopping.is_set():
                claims = claim(self._store, address.name, limit=_BATCH, lease=_CLAIM)
                if not claims:
                    return
                send_webhooks(self._store, address, claims)
        except StoreUnavailable as error:
            log.info("outbox_waits", extra={"error": str(error)})  # The claims expire and fall due again.
        except Exception:
            log.exception("job_failed", extra={"job": self.name})


def send_webhooks(store: Store, address: WebhookAddress, claims: Sequence[Claim]) -> None:
    """Post events, several at once, and store how each ended as soon as it has. Raises `StoreUnavailable`."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=address.name) as pool:
        pending = {pool.submit(_attempt, address, one) for one in claims}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            settle(store, [future.result() for future in done])


def _attempt(address: WebhookAddress, one: Claim) -> Attempt:
    body, message_id, timestamp = one.body.encode(), message_id_of(one.event_key), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Dialstatus",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(address.secret, message_id=message_id, timestamp=timestamp, body=body),
    }
    started = time.monotonic()
    reason = None
    try:
        send(address.url, body, headers, allow_private=address.allow_private)
    except NotAccepted as error:
        reason = str(error)
    return ended(one, reason=reason, milliseconds=round((time.monotonic() - started) * 1000))


def message_id_of(event_key: int) -> str:
    """Return the id by which a receiver recognises a repeated event."""
    return f"msg_{event_key:016x}"


def ended(one: Claim, *, reason: str | None, milliseconds: int) -> Attempt:
    """Return how an attempt ended, and log it. `reason` is why it failed, None where it did not."""
    about = {"address": one.address, "type": one.type, "id": message_id_of(one.event_key), "attempts": one.attempts}
    if reason is None:
        log.info("event_delivered", extra=about)
        return Attempt(claim=one, state=DELIVERED, milliseconds=milliseconds)
    if one.attempts > len(_RETRIES):
        log.error("event_given_up", extra={**about, "reason": reason})
        return Attempt(claim=one, state=DEAD, milliseconds=milliseconds, reason=reason)
    log.warning("event_not_delivered", extra={**about, "reason": reason})
    # Spread, so that a receiver that comes back does not get everything at once.
    wait_seconds = _RETRIES[one.attempts - 1] * random.uniform(1, 1.2)  # noqa: S311 - Not for security.
    retry_at = now() + round(wait_seconds * 1000)
    return Attempt(claim=one, state=WAITING, milliseconds=milliseconds, reason=reason, retry_at=retry_at)
