"""Decide what the caller gets next: pure functions of the plan, the step and the outcome."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.plan.model import Ending, Plan, Prompt, Route, Step
from app.plan.values import QUIET_OUTCOMES
from app.voice.outcome import Outcome

SHORTEST_RING_SECONDS = 5
"""What is left of `max_ring_seconds` is not worth another ring below this."""


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
    """Ring a step for `timeout` seconds; `round` counts the dials of the call from 1."""

    route: Route
    step: Step
    round: int
    timeout: int
    greeting: Prompt | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """Give the caller an ending."""

    name: str
    ending: Ending
    why: Why


@dataclass(frozen=True, kw_only=True, slots=True)
class Nothing:
    """Say nothing more: nobody is waiting, so the reply is `<Response/>`."""


Decision = Ring | End | Nothing


def start(plan: Plan, route: Route, *, caller: str | None, now: datetime) -> Decision:
    """Decide what a new call gets; `caller` is Plivo's From, `now` a moment that knows its time zone."""
    if route.blocked is not None and route.blocked.names(caller):
        return _end(plan, route.blocked.ending, Why.BLOCKED)
    if route.hours is not None and not route.hours.is_open(now):
        return _lead(plan, route, route.hours.otherwise, Why.CLOSED, elapsed=0, rounds=0)
    return _ring_or_end(plan, route, route.first_step, elapsed=0, rounds=0)


def after(plan: Plan, route: Route, step: str, outcome: Outcome, *, elapsed_seconds: float, rounds: int) -> Decision:
    """Decide what follows a dial that has ended.

    `step` is the name of the step that rang, `rounds` the count of dials so far (1 after the first),
    `elapsed_seconds` the time since the first of them began. The same arguments give the same decision.
    """
    rang = route.steps.get(step)
    named = rang.after.get(outcome) if rang is not None else None
    if named is not None:
        return _lead(plan, route, named, Why.LED_HERE, elapsed=elapsed_seconds, rounds=rounds)
    if outcome in QUIET_OUTCOMES:
        return Nothing()
    if rang is None:
        return _end(plan, route.ending, Why.STEP_IS_GONE)
    return _ring_or_end(plan, route, route.step_after(step), elapsed=elapsed_seconds, rounds=rounds)


def _lead(plan: Plan, route: Route, name: str, why: Why, *, elapsed: float, rounds: int) -> Decision:
    if name in route.steps:
        return _ring_or_end(plan, route, route.steps[name], elapsed=elapsed, rounds=rounds)
    return _end(plan, name, why)


def _ring_or_end(plan: Plan, route: Route, step: Step | None, *, elapsed: float, rounds: int) -> Decision:
    """Ring the step, unless there is none or the caller has waited as long as the route allows."""
    if step is None:
        return _end(plan, route.ending, Why.NO_STEP_LEFT)
    if rounds >= route.max_rounds:
        return _end(plan, route.ending, Why.TOO_MANY_ROUNDS)
    left = min(step.timeout, route.max_ring_seconds - int(max(elapsed, 0)))
    if left < min(step.timeout, SHORTEST_RING_SECONDS):
        return _end(plan, route.ending, Why.RANG_TOO_LONG)
    greeting = route.greeting if rounds == 0 else None
    return Ring(route=route, step=step, round=rounds + 1, timeout=left, greeting=greeting)


def _end(plan: Plan, name: str, why: Why) -> End:
    return End(name=name, ending=plan.ending_named(name), why=why)
