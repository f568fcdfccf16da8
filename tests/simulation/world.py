"""The schedule: one seed decides what happens next to the carrier, the nodes and the store, and what fails."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app.records.maintenance.prune import erase, prune
from app.records.model.ids import first_key, now
from app.records.model.receipt import StoreUnavailable
from app.records.rollups.update import update_rollups
from app.records.writing.followups import DEFAULT_RULES, Action
from app.records.writing.mark_followup import mark_followup
from tests.records.histories import HOUR
from tests.records.scenarios import START
from tests.simulation import consequences, invariants
from tests.simulation.carrier import CALLERS, Carrier
from tests.simulation.invariants import Row, Tables, read_tables
from tests.simulation.machine import Clock, Fault, NoPause
from tests.simulation.node import Ledger, Line, Node

_FAULTS = (Fault.REFUSED, Fault.UNCONFIRMED, Fault.SLOW, Fault.KILLED_BEFORE, Fault.KILLED_AFTER)
_MOST_SKEW = 7 * 60_000  # Milliseconds: the clocks of two nodes may differ by 15 minutes.


class World:
    """A carrier, two nodes and their common store, for some hours."""

    def __init__(self, seed: int, database: Path) -> None:
        self.chance = random.Random(seed)
        random.seed(seed)  # Keys are made with the process's own generator.
        self.clock = Clock(START)
        self.carrier = Carrier(self.chance)
        self.ledger = Ledger()
        self.database = database
        self.reached: Counter[str] = Counter()
        shared = (f"sqlite:///{database}", database.parent, self.clock, self.carrier, self.ledger)
        self.nodes = [Node(name, *shared) for name in ("north", "south")]
        self._actions: dict[Callable[[], None], int] = {
            self._call: 12,
            self._deliver: 50,
            self._turn: 14,
            self._fail_soon: 4,
            self._move_store: 3,
            self._fill_disk: 2,
            self._kill: 2,
            self._drain: 6,
            self._dispatch: 5,
            self._mark: 5,
            self._count: 3,
            self._step_clock: 2,
            self._prune: 1,
            self._erase: 1,
        }

    def run(self, steps: int) -> None:
        """Let things happen, then let everything arrive, and check all invariants."""
        with self.clock.replaced():
            for step in range(steps):
                self.clock.at += self.chance.randint(0, self.chance.choices((500, 9000, 30 * 60_000), (60, 30, 10))[0])
                action = self.chance.choices(list(self._actions), list(self._actions.values()))[0]
                action()
                if step % 12 == 11:
                    self.check()
            self._settle()
            self.check()
            invariants.check_stored_records(self.nodes[0].store)
        for node in self.nodes:
            self.reached += node.reached
            node.store.die()
            node.spool.close()

    def check(self) -> None:
        """Raise AssertionError where an invariant does not hold."""
        tables = read_tables(self.nodes[0].store)
        invariants.check_receipts(tables, self.ledger, self.nodes)
        invariants.check_outcomes(tables, self.carrier.calls)
        invariants.check_folds(self.nodes[0].store, tables, self.chance)
        self.reached["a counted hour changed"] += invariants.check_rollups(tables)
        consequences.check_followups(tables)
        consequences.check_events(tables)

    def _settle(self) -> None:
        """Repair everything, deliver what is left and let every job run once."""
        for node in self.nodes:
            if not node.is_up:
                node.start()
            node.store.is_away, node.spool.is_full, node.store.faults = False, False, []
            node.journal.look_for_store()
        self.clock.at = max(self.clock.at, self.carrier.last + 1)
        while (webhook := self.carrier.due(self.clock.at)) is not None:
            with (node := self.chance.choice(self.nodes)).running():
                node.receive(webhook)
                node.turn(self.chance)
            if not node.is_up:
                node.start()
            self.clock.at = max(self.clock.at, self.carrier.last + 1)
        self.clock.at += 2 * HOUR
        for node in self.nodes:
            with node.running():
                node.turn(self.chance)
                node.drain(self.chance)
                while node.dispatcher.dispatch():
                    pass
        self._count()

    def _node(self) -> Node | None:
        """Return a node that runs, if any does; now and then another one starts."""
        for node in self.nodes:
            if not node.is_up and self.chance.random() < 0.2:
                node.start()
        running = [node for node in self.nodes if node.is_up]
        self.reached["both nodes were down"] += not running
        return self.chance.choice(running) if running else None

    # --- What may happen.

    def _call(self) -> None:
        for _ in range(self.chance.choice((1, 1, 1, 4))):
            self.carrier.begin(self.clock.at)

    def _deliver(self) -> None:
        for _ in range(self.chance.randint(1, 8)):
            if (webhook := self.carrier.due(self.clock.at)) is None:
                break
            if (node := self._node()) is None:
                self.carrier.fail(webhook, self.clock.at)
                continue
            with node.running():
                node.receive(webhook)
        if self.chance.random() < 0.8:
            self._turn()

    def _turn(self) -> None:
        if (node := self._node()) is not None:
            with node.running():
                node.turn(self.chance)
                if self.chance.random() < 0.5:
                    node.journal.look_for_store()

    def _fail_soon(self) -> None:
        if (node := self._node()) is not None:
            node.store.faults.append(self.chance.choice(_FAULTS))

    def _move_store(self) -> None:
        is_away = not self.nodes[0].store.is_away
        for node in self.nodes:
            node.store.is_away = is_away

    def _fill_disk(self) -> None:
        spool = self.chance.choice(self.nodes).spool
        spool.is_full = not spool.is_full

    def _kill(self) -> None:
        if (node := self._node()) is not None:
            node.die()

    def _drain(self) -> None:
        if (node := self._node()) is not None:
            with node.running():
                node.drain(self.chance)

    def _dispatch(self) -> None:
        if (node := self._node()) is not None:
            if self.chance.random() < 0.3:
                node.store.before = lambda: self._dispatch_at_other(node)
            with node.running(), suppress(StoreUnavailable):
                node.dispatcher.dispatch()

    def _dispatch_at_other(self, node: Node) -> None:
        """Publish what the first node is about to publish."""
        for other in self.nodes:
            if other is not node and other.is_up and not other.store.faults:
                self.reached["two nodes published the same events"] += other.dispatcher.dispatch() > 0

    def _mark(self) -> None:
        if (node := self._node()) is None or node.store.is_away:
            return
        with node.running():
            followups = read_tables(node.store)["followups"]
            if followups:
                key = self.chance.choice(followups)["followup_key"]
                action = self.chance.choice((Action.DONE, *Action))
                try:
                    mark_followup(node.store, key, action, actor="sam", rules=DEFAULT_RULES, announce=True)
                except StoreUnavailable:
                    self.reached["a mark on a follow-up was not confirmed"] += 1

    def _count(self) -> None:
        if (node := self._node()) is not None and not node.store.is_away:
            with node.running():
                update_rollups(node.store, stop=NoPause())

    def _step_clock(self) -> None:
        node = self.chance.choice(self.nodes)
        before, node.skew = node.skew, self.chance.randint(-_MOST_SKEW, _MOST_SKEW)
        self.reached["a clock stepped back"] += node.skew < before

    def _prune(self) -> None:
        if (node := self._node()) is None or node.store.is_away:
            return
        self._answer_all()
        with node.running():
            before = now() - self.chance.randint(1, 6) * HOUR
            earlier = read_tables(node.store)
            try:
                prune(node.store, before=before, step=lambda _: None)
            except StoreUnavailable:
                self.reached["a deletion was not confirmed"] += 1
        self._forget(earlier, lambda row, _: row["call_key"] < first_key(before))
        self.reached["old calls were deleted"] += 1

    def _erase(self) -> None:
        if (node := self._node()) is None or node.store.is_away:
            return
        self._answer_all()
        person = self.chance.choice(CALLERS)
        earlier = read_tables(node.store)
        for each in self.nodes:
            with node.running():
                node.store.faults.clear()
                found = erase(node.store, each.spool, person, lambda _: None)
                assert found.left == 0, found
                self.reached["an erased person was on a spool"] += found.spooled > 0
                self.reached["an erased person was in the store"] += found.calls > 0
        self._forget(earlier, lambda _, line: line.caller == person)
        self._require_erased(person)

    def _answer_all(self) -> None:
        """Answer what waits, so that what is deleted next was acknowledged before."""
        for node in [node for node in self.nodes if node.is_up]:
            with node.running():
                node.turn(self.chance)

    def _require_erased(self, person: str) -> None:
        """Raise AssertionError where a file still holds a number."""
        files = [path for path in self.database.parent.rglob("*") if path.is_file()]
        naming = [path.name for path in files if person[1:].encode() in path.read_bytes()]
        assert not naming, f"{person} is still in {naming}"

    def _forget(self, earlier: Tables, is_meant: Callable[[Row, Line], bool]) -> None:
        """Expect no more of the receipts that were deleted; raise AssertionError where another one was."""
        later = read_tables(self.nodes[0].store)
        found = invariants.count_deliveries(later, self.nodes)
        kept = {bytes(row["digest"]) for row in later["receipts"]}
        gone = {bytes(row["digest"]): row for row in earlier["receipts"] if bytes(row["digest"]) not in kept}
        for digest, row in gone.items():
            assert is_meant(row, self.ledger.lines[digest]), f"{row} was deleted"
        for digest, line in self.ledger.lines.items():
            if digest in gone or is_meant({"call_key": 1 << 63}, line):
                line.acknowledged, line.unsure = found[digest], 0
