"""The state that a decision may know: held in memory, so that a webhook waits for neither the store nor a network."""

import logging
from datetime import UTC, datetime

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.context import Services
from app.plan.next import Decision, Ring
from app.plan.snapshot import SWITCH, LiveState, Snapshot, Switch
from app.records.model.periodic_job import PeriodicJob
from app.records.store.store import Store
from app.records.writing.audit import read_plan_state
from app.voice.events import Event

log = logging.getLogger(__name__)

_PAUSE = 1.0  # Seconds between two looks at the state of the plan.


class PlanStateJob(PeriodicJob):
    """Reads the state of the plan every second, so that a change by hand is seen by each process of each node."""

    name = "plan-state"

    def __init__(self, store: Store, live: LiveState) -> None:
        super().__init__()
        self._store = store
        self._live = live

    def work(self) -> float:
        """Read the state; while the store is away, what was known stays."""
        try:
            with self._store.engine.connect() as connection:
                self._live.switches = read_switches(connection)
        except (SQLAlchemyError, OSError) as error:
            log.info("plan_state_waits", extra={"error": type(error).__name__})
        return _PAUSE


def read_switches(connection: Connection) -> dict[str, Switch]:
    """Return every switch that holds now, by the name of its route."""
    found = read_plan_state(connection, SWITCH)
    return {name: Switch.read(one.value, one.until) for name, one in found.items()}


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
