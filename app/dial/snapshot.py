"""The state that a decision may know: held in memory, so that a webhook waits for neither the store nor a network."""

import logging
import time
from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.context import Services
from app.plan.contacts import ContactsError, read_contacts
from app.plan.health import Health
from app.plan.next import Decision, Ring
from app.plan.snapshot import SWITCH, LiveState, Snapshot, Switch
from app.records.model.periodic_job import PeriodicJob
from app.records.model.receipt import StoreUnavailable
from app.records.model.target_state import TargetState
from app.records.writing.audit import read_plan_state
from app.records.writing.target_states import read_targets
from app.voice.events import Event

log = logging.getLogger(__name__)

_PAUSE = 1.0  # Seconds between two looks at the store.
_LONGEST_TALK = 14_400_000  # Milliseconds: a conversation whose end was never reported does not count for longer.


class LiveStateJob(PeriodicJob):
    """Reads switches, targets and a changed address book every second, in each process of each node.

    While the store is away, what was read last holds.
    """

    name = "live-state"

    def __init__(self, shared: Services) -> None:
        super().__init__()
        self._shared = shared
        self._contacts_stamp: int | None = None

    def work(self) -> float:
        """Read all of them now."""
        store, live = self._shared.store, self._shared.live
        self._read_contacts()
        try:
            with store.engine.connect() as connection:
                live.switches = read_switches(connection)
            refresh(live, read_targets(store), now=time.time_ns() // 1_000_000)
        except (SQLAlchemyError, OSError, StoreUnavailable) as error:
            log.debug("live_state_waits", extra={"error": type(error).__name__})  # Logged where it matters.
        return _PAUSE

    def _read_contacts(self) -> None:
        path, stamp = self._shared.plan.contacts_path, 0
        if path is None:
            return
        with suppress(OSError):  # Reading it says why.
            stamp = path.stat().st_mtime_ns
        if stamp == self._contacts_stamp:
            return
        self._contacts_stamp = stamp
        try:
            self._shared.live.contacts = read_contacts(path)
        except ContactsError as error:
            log.error("contacts_refused", extra={"reason": str(error)[:1000]})  # noqa: TRY400 - The sentences say all.


def read_switches(connection: Connection) -> dict[str, Switch]:
    """Return every switch that holds now, by the name of its route."""
    found = read_plan_state(connection, SWITCH)
    return {name: Switch.read(one.value, one.until) for name, one in found.items()}


def refresh(live: LiveState, states: list[TargetState], *, now: int) -> None:
    """Put the states of targets in the place of those known before."""
    live.health = {
        state.target: Health(
            failed_at=max(state.failures, default=0), down_since=state.down_since, tried_until=state.tried_until or 0
        )
        for state in states
        if state.down_since is not None
    }
    live.idleness = {state.target: state.idle_since for state in states if state.idle_since is not None}
    live.busy_targets = frozenset(
        state.target for state in states if any(since > now - _LONGEST_TALK for since in state.talks_since.values())
    )
    live.out = frozenset(state.target for state in states if state.out_at is not None)


def snapshot_of(event: Event, shared: Services) -> Snapshot:
    """Return what is known at the moment of an event."""
    return shared.live.at(datetime.fromtimestamp(event.at / 1000, UTC))


def trials_of(decision: Decision) -> tuple[str, ...]:
    """Return the dead phones that a decision tries again."""
    return decision.trials if isinstance(decision, Ring) else ()


def without_trials(snapshot: Snapshot, trials: tuple[str, ...]) -> Snapshot:
    """Return the snapshot as it is while another call tries these dead phones."""
    now = round(snapshot.now.timestamp() * 1000)
    tried = {target: snapshot.health[target]._replace(tried_until=now + 1) for target in trials}
    return snapshot._replace(health={**snapshot.health, **tried})


def note_turn(decision: Decision, live: LiveState, *, is_later: bool) -> None:
    """Let the next call of a rotating step begin with the next target; `is_later` where the step rang in this call."""
    if isinstance(decision, Ring) and decision.step.order == "rotating" and not is_later:
        live.turns.take(f"{decision.route.name}.{decision.step.name}")
