"""The job that sends: of all processes and nodes one sends, at least once, and never while a caller waits.

An event that an address did not accept is sent there again, at growing intervals for three days. A receiver may get an
event twice and recognises it by its `webhook-id`. Each address is served by a thread of its own, so that one that hangs
delays no other.
"""

import logging
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import cast

from flask import Flask

from app.context import EXTENSION, Services
from app.notify.addresses import addresses_of
from app.notify.digest import queue_digest
from app.notify.dispatch import Descriptions, Dispatcher
from app.notify.notices import NoticeSender, Texts
from app.notify.webhook_sender import WebhookSender
from app.records.model.ids import now
from app.records.model.periodic_job import PeriodicJob
from app.records.model.receipt import StoreUnavailable
from app.records.reading.anomalies import find_anomalies
from app.records.reading.read_session import read_session
from app.records.writing.deliveries import (
    addresses_due,
    claim,
    drop_all,
    find_fact,
    lead,
    prune_events,
    set_fact,
)
from app.records.writing.outbox import EventType, next_due, queue_event

log = logging.getLogger(__name__)

_PAUSE = 0.5  # Seconds between two looks into the outbox, at most: what is in it is looked for when it falls due.
_LEAD = 10_000  # Milliseconds after which another process sends in place of one that was killed.
_PRUNE_EVERY = 600.0  # seconds
_LOOK_EVERY = 60.0  # Seconds between two looks for reports that do not come.
_QUIET = "quiet"  # The name and the value of the fact that they do not come.

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
        config, addresses = shared.config, addresses_of(shared.config, shared.plan)
        texts = Texts(config)
        self._senders: dict[str, WebhookSender | NoticeSender] = {
            one.name: NoticeSender(shared.store, one, texts) if one.is_for_people else WebhookSender(shared.store, one)
            for one in addresses
        }
        self._dispatcher = Dispatcher(shared.store, addresses, descriptions, config.timezone)
        self._digest, self._local_zone = config.digest, config.timezone
        self._longest, self._zone = config.dial_time_limit, config.plivo_timezone
        self._holder = uuid.uuid4().hex
        self._leads_until = self._prune_at = self._look_at = 0.0
        self._pool = ThreadPoolExecutor(max(1, len(addresses)), thread_name_prefix=self.name)
        self._busy: dict[str, Future[None]] = {}

    def work(self) -> float | None:
        """Send what is due; run again when the next row of the outbox falls due."""
        try:
            if self._senders and time.monotonic() > self._look_at:
                self._look_at = time.monotonic() + _LOOK_EVERY
                self._look_for_silence()
                if self._digest and self._leads():
                    queue_digest(self._store, self._digest, self._local_zone)
            return self._send_due()
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

    def _send_due(self) -> float:
        """Publish and start to send; return the seconds until the next look."""
        self._busy = {name: future for name, future in self._busy.items() if not future.done()}
        with read_session(self._store) as connection:
            at = self._store.clock(connection)
            due_at, due = next_due(connection), addresses_due(connection, at)
        seconds = _PAUSE if due_at is None else min(_PAUSE, (due_at - at) / 1000)
        if not (seconds <= 0 or due or self._busy) or not self._leads():
            return seconds if seconds > 0 else _PAUSE
        if seconds <= 0:
            self._dispatcher.dispatch()
            with read_session(self._store) as connection:
                due = addresses_due(connection, self._store.clock(connection))
        for name in due - self._busy.keys():
            if name in self._senders:
                self._busy[name] = self._pool.submit(self._serve, name, self._senders[name])
            else:
                drop_all(self._store, name, reason="the address is no longer in the settings")
        if time.monotonic() > self._prune_at:
            self._prune_at = time.monotonic() + (0 if prune_events(self._store) else _PRUNE_EVERY)
        return max(0.0, seconds)

    def _look_for_silence(self) -> None:
        """Announce once that calls are answered and no reports come; again after reports have come in between."""
        with read_session(self._store) as connection:
            found = find_anomalies(connection, now=now(), longest=self._longest, zone=self._zone)
            known = find_fact(connection, _QUIET)
        is_quiet = found.unreported > 0
        if is_quiet == (known == _QUIET) or not self._leads():
            return
        with self._store.transaction() as connection:
            set_fact(connection, _QUIET, _QUIET if is_quiet else "heard")
            if is_quiet:
                body = {"unreported_dials": found.unreported}
                queue_event(self._store, connection, EventType.WEBHOOKS_QUIET, subject="webhooks", body=body)

    def _leads(self) -> bool:
        """Return whether this process sends; renew its lease well before it ends."""
        if time.monotonic() > self._leads_until - _LEAD / 2000:
            started = time.monotonic()
            leads = lead(self._store, self.name, self._holder, lease=_LEAD)
            self._leads_until = started + _LEAD / 1000 if leads else 0.0
        return self._leads_until > 0

    def _serve(self, name: str, sender: WebhookSender | NoticeSender) -> None:
        """Send to one address until nothing is due there, or no more may be sent now."""
        try:
            while sender.batch and not self.stopping.is_set():
                claims = claim(self._store, name, limit=sender.batch, lease=sender.lease)
                if not claims:
                    return
                sender.send(claims)
        except StoreUnavailable as error:
            log.info("outbox_waits", extra={"error": str(error)})  # The claims expire and fall due again.
        except Exception:
            log.exception("job_failed", extra={"job": self.name})
