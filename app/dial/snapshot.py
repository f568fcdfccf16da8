"""The state that a decision may know: held in memory, so that a webhook waits for neither the store nor a network."""

from dataclasses import replace
from datetime import UTC, datetime

from app.context import Services
from app.plan.next import Decision, Ring
from app.plan.snapshot import LiveState, Snapshot
from app.voice.events import Event


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
    return replace(snapshot, health={**snapshot.health, **tried})


def note_turn(decision: Decision, live: LiveState, *, is_later: bool) -> None:
    """Let the next call of a rotating step begin with the next target; `is_later` where the step rang in this call."""
    if isinstance(decision, Ring) and decision.step.order == "rotating" and not is_later:
        place = f"{decision.route.name}.{decision.step.name}"
        live.rotation = {**live.rotation, place: live.rotation.get(place, 0) + 1}
