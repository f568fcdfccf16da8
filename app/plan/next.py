"""Decide what the caller gets next: pure functions of the plan, the facts of the call and a snapshot of the state."""

from dataclasses import dataclass
from enum import StrEnum

from app.plan.callers import is_outgoing
from app.plan.contacts import contact_of
from app.plan.endings import Announcement, Ending
from app.plan.model import Plan, Route, Step, Target
from app.plan.order import EMPTY, Memory, Turn, first_turns, key_of, later_turns, on_trial
from app.plan.prompts import Phrases
from app.plan.snapshot import Snapshot, Switch
from app.plan.values import DIALLED, QUIET_OUTCOMES
from app.voice.events import CallFacts
from app.voice.numbers import identities
from app.voice.outcome import Outcome

SHORTEST_RING_SECONDS = 5
"""With less than this left of `max_ring_seconds`, another ring is not worth starting."""
CLOSED_BY_HAND = "closed by hand"
"""Name of the ending that is a sentence of a switch; no ending of a plan can have it."""


class Why(StrEnum):
    """Why a call comes to its ending."""

    BLOCKED = "blocked"
    CLOSED = "closed"
    LED_HERE = "led_here"
    NO_STEP_LEFT = "no_step_left"
    STEP_IS_GONE = "step_is_gone"
    RANG_TOO_LONG = "rang_too_long"
    TOO_MANY_ROUNDS = "too_many_rounds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """Ring these targets of a step for `timeout` seconds; `round` counts the dials of the call from 1.

    `memory` is what the call has to remember, `trials` are the dead phones that this ring tries again.
    """

    route: Route
    step: Step
    targets: tuple[Target, ...]
    round: int
    timeout: int
    greeting: Phrases | None = None
    memory: Memory = EMPTY
    trials: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """Send the caller to an ending; `route` names the route that leads there, `said` is the sentence of a switch."""

    name: str
    ending: Ending
    why: Why
    route: str | None = None
    said: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Nothing:
    """Reply `<Response/>`: nobody is waiting."""


Decision = Ring | End | Nothing


def start(plan: Plan, call: CallFacts, snapshot: Snapshot) -> Decision:
    """Decide what a new call gets.

    Block lists and opening hours are for people who call us; a call that the API placed passes both.
    """
    route = plan.route_for(call, snapshot.contacts)
    if not is_outgoing(call):
        if contact_of(snapshot.contacts, call.from_number).is_blocked:
            return _end(plan, route, route.blocked.ending if route.blocked is not None else "rejected", Why.BLOCKED)
        if route.blocked is not None and route.blocked.names(call):
            return _end(plan, route, route.blocked.ending, Why.BLOCKED)
        switch = snapshot.switches.get(route.name)
        if switch is not None and switch.holds(snapshot.now):
            if not switch.is_open:
                return _closed_by_hand(plan, route, switch, call, snapshot)
        elif route.hours is not None and not route.hours.is_open(snapshot.now, snapshot.days):
            return _lead(plan, route, route.hours.otherwise, Why.CLOSED, call, snapshot, elapsed=0, rounds=0)
    return _ring_or_end(plan, route, route.first_step, call, snapshot, elapsed=0, rounds=0)


def after(
    plan: Plan,
    route: Route,
    step: str,
    outcome: Outcome,
    snapshot: Snapshot,
    *,
    call: CallFacts,
    elapsed_seconds: float,
    rounds: int,
    memory: Memory = EMPTY,
) -> Decision:
    """Decide what follows a dial that has ended.

    `step` is the name of the step that rang, `rounds` the count of dials so far (1 after the first),
    `elapsed_seconds` the time since the first of them began, `memory` what the call remembers, with this dial in it.
    The same arguments return the same decision.
    """
    rang = route.steps.get(step)
    if rang is not None and memory.left and outcome not in QUIET_OUTCOMES:
        turns = later_turns(rang, _targets(plan, route, rang, call, snapshot), memory, snapshot)
        if turns:
            return _ring(plan, route, rang, turns, memory, snapshot, elapsed=elapsed_seconds, rounds=rounds)
    named = rang.after.get(outcome) if rang is not None else None
    if named is not None:
        return _lead(plan, route, named, Why.LED_HERE, call, snapshot, memory, elapsed=elapsed_seconds, rounds=rounds)
    if outcome in QUIET_OUTCOMES:
        return Nothing()
    if rang is None:
        return _end(plan, route, route.ending, Why.STEP_IS_GONE)
    return _ring_or_end(
        plan, route, route.step_after(step), call, snapshot, memory, elapsed=elapsed_seconds, rounds=rounds
    )


def _lead(
    plan: Plan,
    route: Route,
    name: str,
    why: Why,
    call: CallFacts,
    snapshot: Snapshot,
    memory: Memory = EMPTY,
    *,
    elapsed: float,
    rounds: int,
) -> Decision:
    if name in route.steps:
        return _ring_or_end(plan, route, route.steps[name], call, snapshot, memory, elapsed=elapsed, rounds=rounds)
    return _end(plan, route, name, why)


def _ring_or_end(
    plan: Plan,
    route: Route,
    step: Step | None,
    call: CallFacts,
    snapshot: Snapshot,
    memory: Memory = EMPTY,
    *,
    elapsed: float,
    rounds: int,
) -> Decision:
    """Ring the step, unless there is none.

    A step without a target for this call counts as unreachable, and the plan goes on at once.
    """
    passed: set[str] = set()
    while (
        step is not None
        and step.name not in passed
        and not (turns := _turns(route, step, _targets(plan, route, step, call, snapshot), memory, snapshot, call))
    ):
        passed.add(step.name)
        named = step.after.get(Outcome.UNREACHABLE)
        if named is not None and named not in route.steps:
            return _end(plan, route, named, Why.LED_HERE)
        step = route.steps[named] if named is not None else route.step_after(step.name)
    if step is None or step.name in passed:
        return _end(plan, route, route.ending, Why.NO_STEP_LEFT)
    return _ring(plan, route, step, turns, memory, snapshot, elapsed=elapsed, rounds=rounds)


def _turns(
    route: Route, step: Step, targets: Turn, memory: Memory, snapshot: Snapshot, call: CallFacts
) -> tuple[Turn, ...]:
    if step.asks_nothing and not snapshot.out:
        return (targets,) if targets else ()
    place = f"{route.name}.{step.name}"
    return first_turns(step, targets, memory, snapshot, call_uuid=call.call_uuid, place=place)


def _ring(
    plan: Plan,
    route: Route,
    step: Step,
    turns: tuple[Turn, ...],
    memory: Memory,
    snapshot: Snapshot,
    *,
    elapsed: float,
    rounds: int,
) -> Decision:
    """Ring the first of these turns, unless the caller has waited as long as the route allows."""
    if rounds >= route.max_rounds:
        return _end(plan, route, route.ending, Why.TOO_MANY_ROUNDS)
    targets = turns[0]
    timeout = targets[0].timeout or step.timeout
    left = min(timeout, route.max_ring_seconds - int(max(elapsed, 0)))
    if left < min(timeout, SHORTEST_RING_SECONDS):
        return _end(plan, route, route.ending, Why.RANG_TOO_LONG)
    remembered = EMPTY
    if route.remembers:
        rung, *later = (tuple(key_of(target) for target in turn) for turn in turns)
        remembered = Memory(rung, tuple(later), memory.gone)
    return Ring(
        route=route,
        step=step,
        targets=targets,
        round=rounds + 1,
        timeout=left,
        greeting=route.greeting if rounds == 0 else None,
        memory=remembered,
        trials=on_trial(step, targets, snapshot) if step.dead_phones is not None else (),
    )


def _closed_by_hand(plan: Plan, route: Route, switch: Switch, call: CallFacts, snapshot: Snapshot) -> Decision:
    """Return what callers get: the sentence of the switch, else what the hours or else the route lead to."""
    if switch.say is not None:
        return End(
            name=CLOSED_BY_HAND, ending=Announcement(say=switch.say), why=Why.CLOSED, route=route.name, said=switch.say
        )
    otherwise = route.hours.otherwise if route.hours is not None else route.ending
    return _lead(plan, route, otherwise, Why.CLOSED, call, snapshot, elapsed=0, rounds=0)


def _targets(plan: Plan, route: Route, step: Step, call: CallFacts, snapshot: Snapshot) -> tuple[Target, ...]:
    """Return the targets that may ring in this call: not the called number, the caller, or a phone that forwarded it.

    A called number or a forwarding phone would send the call here again, without end. The target `dialled` is the
    number that was called, for callers to whom the route allows it. A rota is who is on call at the moment.
    """
    parties = (call.from_number, call.to_number, call.forwarded_from)
    on_the_line = {name.casefold() for party in parties for name in identities(party)}
    dialled = route.dialled_number(call)
    ring = _with_rotas(plan, step, snapshot) if any(target.rota for target in step.ring) else step.ring
    return tuple(
        target.model_copy(update={"number": dialled}) if target.number == DIALLED else target
        for target in ring
        if (dialled is not None if target.number == DIALLED else target.identity.casefold() not in on_the_line)
    )


def _with_rotas(plan: Plan, step: Step, snapshot: Snapshot) -> tuple[Target, ...]:
    """Return the targets of a step with those who are on call, each once, in place of its rotas.

    A number that a route of the plan serves is left out, since it would call us.
    """
    ring: dict[str, Target] = {}
    for target in step.ring:
        if target.rota is None:
            ring.setdefault(target.address, target)
            continue
        timeline = snapshot.oncall.get(target.source)
        numbers = [one for one in (timeline.at(snapshot.now) if timeline else ()) if not plan.serves(one)]
        for address in numbers or filter(None, [target.otherwise]):
            ring.setdefault(address, target.at(address))
    return tuple(ring.values())


def _end(plan: Plan, route: Route, name: str, why: Why) -> End:
    return End(name=name, ending=plan.ending_named(name), why=why, route=route.name)
