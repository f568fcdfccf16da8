"""Decide what the caller gets next: pure functions of the plan, the facts of the call and a snapshot of the state."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

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
MOST_ON_CALL = 20
"""Numbers of one rota that ring: what others write into a calendar must not call hundreds of people."""
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


class Ring(NamedTuple):
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


class End(NamedTuple):
    """Send the caller to an ending; `route` names the route that leads there, `said` is the sentence of a switch."""

    name: str
    ending: Ending
    why: Why
    route: str | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """Reply `<Response/>`: nobody is waiting."""


Decision = Ring | End | Nothing


class _Known(NamedTuple):
    """What a decision follows from; `elapsed` seconds and `rounds` dials are behind the caller."""

    plan: Plan
    route: Route
    call: CallFacts
    snapshot: Snapshot
    memory: Memory = EMPTY
    elapsed: float = 0
    rounds: int = 0


def start(plan: Plan, call: CallFacts, snapshot: Snapshot) -> Decision:
    """Decide what a new call gets.

    Block lists and opening hours are for people who call us; a call that the API placed passes both.
    """
    route = plan.route_for(call, snapshot.contacts)
    known = _Known(plan, route, call, snapshot)
    if not is_outgoing(call):
        if snapshot.contacts and contact_of(snapshot.contacts, call.from_number).is_blocked:
            return _end(known, route.blocked.ending if route.blocked is not None else "rejected", Why.BLOCKED)
        if route.blocked is not None and route.blocked.names(call):
            return _end(known, route.blocked.ending, Why.BLOCKED)
        switch = snapshot.switches.get(route.name)
        if switch is not None and switch.holds(snapshot.now):
            if not switch.is_open:
                return _closed_by_hand(known, switch)
        elif route.hours is not None and not route.hours.is_open(snapshot.now, snapshot.days):
            return _lead(known, route.hours.otherwise, Why.CLOSED)
    return _ring_or_end(known, route.first_step)


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
    known = _Known(plan, route, call, snapshot, memory, elapsed_seconds, rounds)
    rang = route.steps.get(step)
    if rang is not None and memory.left and outcome not in QUIET_OUTCOMES:
        turns = later_turns(rang, _targets(known, rang), memory, snapshot)
        if turns:
            return _ring(known, rang, turns)
    named = rang.after.get(outcome) if rang is not None else None
    if named is not None:
        return _lead(known, named, Why.LED_HERE)
    if outcome in QUIET_OUTCOMES:
        return Nothing()
    if rang is None:
        return _end(known, route.ending, Why.STEP_IS_GONE)
    return _ring_or_end(known, route.step_after(step))


def _lead(known: _Known, name: str, why: Why) -> Decision:
    return _ring_or_end(known, known.route.steps[name]) if name in known.route.steps else _end(known, name, why)


def _ring_or_end(known: _Known, step: Step | None) -> Decision:
    """Ring the step, unless there is none.

    A step without a target for this call counts as unreachable, and the plan goes on at once.
    """
    route, passed = known.route, set[str]()
    while step is not None and step.name not in passed:
        turns = _turns(known, step)
        if turns:
            return _ring(known, step, turns)
        passed.add(step.name)
        named = step.after.get(Outcome.UNREACHABLE)
        if named is not None and named not in route.steps:
            return _end(known, named, Why.LED_HERE)
        step = route.steps[named] if named is not None else route.step_after(step.name)
    return _end(known, route.ending, Why.NO_STEP_LEFT)


def _turns(known: _Known, step: Step) -> tuple[Turn, ...]:
    targets, snapshot = _targets(known, step), known.snapshot
    if step.asks_nothing and not snapshot.out:
        return (targets,) if targets else ()
    place = f"{known.route.name}.{step.name}"
    return first_turns(step, targets, known.memory, snapshot, call_uuid=known.call.call_uuid, place=place)


def _ring(known: _Known, step: Step, turns: tuple[Turn, ...]) -> Decision:
    """Ring the first of these turns, unless the caller has waited as long as the route allows."""
    route, targets = known.route, turns[0]
    if known.rounds >= route.max_rounds:
        return _end(known, route.ending, Why.TOO_MANY_ROUNDS)
    timeout = targets[0].timeout or step.timeout
    left = min(timeout, route.max_ring_seconds - int(max(known.elapsed, 0)))
    if left < min(timeout, SHORTEST_RING_SECONDS):
        return _end(known, route.ending, Why.RANG_TOO_LONG)
    remembered = EMPTY
    if route.remembers:
        rung, *later = (tuple(key_of(target) for target in turn) for turn in turns)
        remembered = Memory(rung, tuple(later), known.memory.gone)
    greeting = route.greeting if known.rounds == 0 else None
    trials = on_trial(step, targets, known.snapshot) if step.dead_phones is not None else ()
    return Ring(route, step, targets, known.rounds + 1, left, greeting, remembered, trials)


def _closed_by_hand(known: _Known, switch: Switch) -> Decision:
    """Return what callers get: the sentence of the switch, else what the hours or else the route lead to."""
    route = known.route
    if switch.say is not None:
        return End(CLOSED_BY_HAND, Announcement(say=switch.say), Why.CLOSED, route.name, switch.say)
    return _lead(known, route.hours.otherwise if route.hours is not None else route.ending, Why.CLOSED)


def _targets(known: _Known, step: Step) -> tuple[Target, ...]:
    """Return the targets that may ring in this call: not the called number, the caller, or a phone that forwarded it.

    A called number or a forwarding phone would send the call here again, without end. The target `dialled` is the
    number that was called, for callers to whom the route allows it. A rota is who is on call at the moment.
    """
    call = known.call
    parties = (call.from_number, call.to_number, call.forwarded_from)
    on_the_line = {name.casefold() for party in parties for name in identities(party)}
    dialled = known.route.dialled_number(call)
    return tuple(
        target.model_copy(update={"number": dialled}) if target.number == DIALLED else target
        for target in (_with_rotas(known, step) if step.has_rota else step.ring)
        if (dialled is not None if target.number == DIALLED else target.identity.casefold() not in on_the_line)
    )


def _with_rotas(known: _Known, step: Step) -> tuple[Target, ...]:
    """Return the targets of a step with those who are on call, each once, in place of its rotas.

    A number that a route of the plan serves is left out, since it would call us.
    """
    ring: dict[str, Target] = {}
    for target in step.ring:
        if target.rota is None:
            ring.setdefault(target.address, target)
            continue
        timeline = known.snapshot.oncall.get(target.source)
        numbers = [one for one in (timeline.at(known.snapshot.now) if timeline else ()) if not known.plan.serves(one)]
        for address in numbers[:MOST_ON_CALL] or filter(None, [target.otherwise]):
            ring.setdefault(address, target.at(address))
    return tuple(ring.values())


def _end(known: _Known, name: str, why: Why) -> End:
    return End(name, known.plan.ending_named(name), why, known.route.name)
