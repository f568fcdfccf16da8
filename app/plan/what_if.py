"""What callers would have got from a plan: calls played again, with people who behave as they did."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from app.plan.endings import Redirect, Voicemail
from app.plan.model import Plan
from app.plan.next import Decision, End, Ring, Why, after, start
from app.plan.snapshot import Snapshot
from app.voice.events import CallFacts
from app.voice.outcome import UNANSWERED, CallOutcome, Outcome


class Behaviour(NamedTuple):
    """What a target does when it rings, and after how many seconds; a target that is missed rings on."""

    outcome: Outcome
    seconds: float


class Dialled(NamedTuple):
    """A target that rings: the number of the dial within the call and of the target within the dial, from 0."""

    dial: int
    position: int
    address: str
    has_key: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PastCall:
    """A call as it was. `patience` is after how many seconds the caller gave up, None for one who did not."""

    call: CallFacts
    snapshot: Snapshot
    behave: Callable[[Dialled], Behaviour]
    patience: float | None = None
    leaves_message: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a call would have ended: its outcome, its dials, the seconds they rang, and whether voicemail was offered."""

    outcome: CallOutcome
    dials: int
    seconds: float
    voicemail: bool


def play(plan: Plan, past: PastCall) -> Ended:
    """Return how a call would have ended with a plan."""
    decision: Decision = start(plan, past.call, past.snapshot)
    outcomes: list[Outcome] = []
    elapsed = 0.0
    while isinstance(decision, Ring):
        found = _ring(decision, past)
        if past.patience is not None and past.patience <= elapsed + found.seconds:
            return Ended(
                outcome=CallOutcome.CALLER_GAVE_UP, dials=len(outcomes) + 1, seconds=past.patience, voicemail=False
            )
        elapsed += found.seconds
        outcomes.append(found.outcome)
        if found.outcome is Outcome.ANSWERED:
            break
        decision = after(
            plan,
            decision.route,
            decision.step.name,
            found.outcome,
            replace(past.snapshot, now=past.snapshot.now + timedelta(seconds=elapsed)),
            call=past.call,
            elapsed_seconds=elapsed,
            rounds=decision.round,
            memory=decision.memory.after_dial(found.outcome, {}),
        )
    offered = isinstance(decision, End) and isinstance(decision.ending, Voicemail)
    return Ended(outcome=_outcome(decision, outcomes, past), dials=len(outcomes), seconds=elapsed, voicemail=offered)


def _ring(ring: Ring, past: PastCall) -> Behaviour:
    """Return how a dial ends: with the first who answers in time, else as the call's outcome is derived."""
    has_key = ring.step.confirm_key is not None
    found = [
        past.behave(Dialled(ring.round - 1, position, target.address, has_key))
        for position, target in enumerate(ring.targets)
    ]
    in_time = [one for one in found if one.outcome is not Outcome.MISSED and one.seconds <= ring.timeout]
    answers = [one for one in in_time if one.outcome is Outcome.ANSWERED]
    if answers:
        return min(answers, key=lambda one: one.seconds)
    if len(in_time) < len(found):
        return Behaviour(Outcome.MISSED, ring.timeout)
    outcome = next((known for known in UNANSWERED if any(one.outcome is known for one in in_time)), Outcome.UNKNOWN)
    return Behaviour(outcome, max(one.seconds for one in in_time))


def _outcome(decision: Decision, outcomes: list[Outcome], past: PastCall) -> CallOutcome:
    if Outcome.ANSWERED in outcomes:
        return CallOutcome.ANSWERED
    if isinstance(decision, End):
        if isinstance(decision.ending, Voicemail) and past.leaves_message:
            return CallOutcome.MESSAGE_LEFT
        if decision.why in (Why.BLOCKED, Why.CLOSED):
            return CallOutcome(decision.why)
        if isinstance(decision.ending, Redirect):
            return CallOutcome.HANDED_OVER
    return next((CallOutcome(known) for known in UNANSWERED if known in outcomes), CallOutcome.UNKNOWN)
