"""A simulated server process: it takes webhooks, acknowledges them as the views do, and may die at any commit."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from app.notify.addresses import Address
from app.notify.dispatch import Descriptions, Dispatcher
from app.records.model.ids import now
from app.records.model.receipt import ReceiptRefused, StoreUnavailable, receipt_from_json
from app.records.spool.spool import SpoolFull
from app.records.writing.entry import Entry
from settings.notify import EVENT_TYPES
from tests.simulation.carrier import Carrier, Webhook
from tests.simulation.machine import Clock, Fault, Killed, SimulatedSpool, SimulatedStore, SteppedJournal

ADDRESS = Address(name="programs", url="http://127.0.0.1:9/", secret="", types=frozenset(EVENT_TYPES))
DESCRIPTIONS = Descriptions(
    call=lambda found: json.dumps({"outcome": found.call.outcome, "from": found.call.from_number}),
    dial=lambda found: json.dumps({"outcome": found.dial.outcome, "answered_by": found.dial.answered_by}),
)


@dataclass
class Line:
    """What happened to the deliveries of one receipt: acknowledged for certain, or perhaps kept."""

    caller: str
    acknowledged: int = 0
    unsure: int = 0
    nodes: list[str] = field(default_factory=list)


class Ledger:
    """What Plivo knows of each receipt, by its digest."""

    def __init__(self) -> None:
        self.lines: dict[bytes, Line] = {}

    def line(self, webhook: Webhook) -> Line:
        """Return the line of a receipt."""
        return self.lines.setdefault(webhook.receipt.digest(), Line(webhook.call.caller))


class Node:
    """One process with its journal and its spool. It dies with `Killed`, and `start` begins its next life."""

    def __init__(self, name: str, url: str, directory: Path, clock: Clock, carrier: Carrier, ledger: Ledger) -> None:
        self.name = name
        self.skew = 0
        self.is_up = False
        self.reached: Counter[str] = Counter()
        self._url, self._directory = url, directory / name
        self._clock, self._carrier, self._ledger = clock, carrier, ledger
        self._waiting: list[tuple[Entry, Webhook]] = []
        self.start()

    def start(self) -> None:
        """Start the process."""
        self.store = SimulatedStore(self._url)
        self.store.when_slow = self._give_up
        self.journal = SteppedJournal(self.store)
        self.spool = SimulatedSpool(self._directory, zone=UTC, timeout=1)
        self.dispatcher = Dispatcher(self.store, [ADDRESS], DESCRIPTIONS, UTC)
        self.is_up = True

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run as this process, until the end of the block or its death."""
        self._clock.skew = self.skew
        try:
            yield
        except Killed:
            self.die()
        finally:
            self._clock.skew = 0

    def die(self) -> None:
        """End the process: Plivo sends again what was not answered."""
        self.is_up = False
        if Fault.KILLED_AFTER in self.store.met[-1:]:
            self.reached["a process died after its commit, before the reply"] += bool(self._waiting)
        if Fault.KILLED_BEFORE in self.store.met[-1:]:
            self.reached["a process died before its commit"] += bool(self._waiting)
        self.store.die()
        self.spool.close()
        for _, webhook in self._waiting:
            self._ledger.line(webhook).unsure += 1
            self._carrier.fail(webhook, self._clock.at)
        self._waiting.clear()

    def receive(self, webhook: Webhook) -> None:
        """Take a request; it is answered after a turn of the journal."""
        entry = Entry((webhook.received(now()),))
        self.journal.hand_over((entry,), lambda: None)
        self._waiting.append((entry, webhook))
        self._ledger.line(webhook)

    def turn(self, chance: random.Random) -> None:
        """Commit what waits, and answer it."""
        digests = self.in_flight()
        self.journal.turn()
        twice = [entry for entry, one in self._waiting if digests[one.receipt.digest()] > 1 and entry.is_stored]
        if any(entry.result()[0].deliveries == 1 for entry in twice):
            self.reached["a duplicate met its original inside the same batch"] += 1
        while self._waiting:
            entry, webhook = self._waiting[0]
            self._answer(entry, webhook, chance)
            del self._waiting[0]

    def drain(self, chance: random.Random) -> None:
        """Drain the spool as far as the store takes it; another request may be spooled meanwhile."""
        self.store.meanwhile = lambda: self._spool_one(chance)
        try:
            self.reached["a spool was drained"] += self.spool.drain(self.journal) > 0
        except StoreUnavailable:
            self.reached["the store failed while a spool was drained"] += 1
        self.store.meanwhile = lambda: None

    def in_flight(self) -> Counter[bytes]:
        """Return how many deliveries of each receipt are not answered yet, and perhaps committed."""
        return Counter(webhook.receipt.digest() for _, webhook in self._waiting)

    def spooled(self) -> list[tuple[int, bytes, bool]]:
        """Return the number and the digest of each receipt on the spool, and whether it was set aside."""
        return [
            (item.number, receipt_from_json(item.text, UTC).digest(), item.reason is not None)
            for item in (*self.spool.waiting(-1), *self.spool.set_aside(-1))
        ]

    def _answer(self, entry: Entry, webhook: Webhook, chance: random.Random) -> None:
        line = self._ledger.line(webhook)
        try:
            [kept] = entry.result()
        except ReceiptRefused:
            line.unsure += 1
            self.reached["the store refused a receipt"] += 1
            self._spool(entry, webhook, chance)
        except StoreUnavailable:
            line.unsure += 1
            if webhook.is_control:
                self._spool(entry, webhook, chance)
            elif self._carrier.fail(webhook, self._clock.at):
                self.reached["Plivo gave a notice up"] += 1
        else:
            line.acknowledged += 1
            if kept.deliveries > 1 and line.nodes and self.name not in line.nodes:
                self.reached["a duplicate met its original of the other node"] += 1
            line.nodes.append(self.name)

    def _spool(self, entry: Entry, webhook: Webhook, chance: random.Random) -> None:
        line = self._ledger.line(webhook)
        self.spool.limit()
        try:
            self.spool.put(entry.receipts[0])
        except SpoolFull:
            self.reached["the disk of the spool was full"] += 1
            return
        if chance.random() < 0.02:
            self.reached["a process died after spooling, before the reply"] += 1
            raise Killed
        line.acknowledged += 1
        line.nodes.append(self.name)

    def _spool_one(self, chance: random.Random) -> None:
        """Spool a request that stopped waiting while the store was busy with the spool."""
        webhook = self._carrier.due(self._clock.at)
        if webhook is not None:
            entry = Entry((webhook.received(now()),))
            entry.fail(StoreUnavailable("the store did not answer in time"))
            self.reached["the spool got a receipt while it was drained"] += webhook.is_control
            self._answer(entry, webhook, chance)

    def _give_up(self) -> None:
        """Stop waiting for a commit that takes too long."""
        self._clock.pause(2)
        if self._waiting:
            self.reached["a request stopped waiting for a commit that succeeded"] += 1
        self.journal.abandon([entry for entry, _ in self._waiting])
