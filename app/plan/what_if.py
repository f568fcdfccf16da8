"""What callers would have got from a plan: calls played again, with people who behave as they did."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
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


class Rung(NamedTuple):
    """What a target did in a dial of a step, and how many seconds after the call began its ring ended."""

    route: str
    step: str
    address: str
    outcome: Outcome
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PastCall:
    """A call as it was. `patience` is after how many seconds the caller gave up, None for one who did not."""

    call: CallFacts
    at: datetime
    behave: Callable[[Dialled], Behaviour]
    patience: float | None = None
    talk_seconds: float = 0
    leaves_message: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a call would have ended: its outcome, its dials, the seconds they rang, and whether voicemail was offered.

    `rung` has the targets whose ring ended by itself.
    """

    outcome: CallOutcome
    dials: int
    seconds: float
    voicemail: bool
    rung: tuple[Rung, ...]


def play(plan: Plan, past: PastCall, snapshot: Snapshot) -> Ended:
    """Return how a call would have ended with a plan, and with what was known when it began."""
    decision: Decision = start(plan, past.call, snapshot)
    outcomes: list[Outcome] = []
    rung: list[Rung] = []
    elapsed = 0.0
    while isinstance(decision, Ring):
        found, legs = _ring(decision, past)
        if past.patience is not None and past.patience <= elapsed + found.seconds:
            return _ended(CallOutcome.CALLER_GAVE_UP, len(outcomes) + 1, past.patience, rung)
        elapsed += found.seconds
        rung += [Rung(decision.route.name, decision.step.name, *leg, elapsed) for leg in legs.items()]
        outcomes.append(found.outcome)
        if found.outcome is Outcome.ANSWERED:
            break
        decision = after(
            plan,
            decision.route,
            decision.step.name,
            found.outcome,
            snapshot._replace(now=snapshot.now + timedelta(seconds=elapsed)),
            call=past.call,
            elapsed_seconds=elapsed,
            rounds=decision.round,
            memory=decision.memory.after_dial(found.outcome, legs),
        )
    offered = isinstance(decision, End) and isinstance(decision.ending, Voicemail)
    return _ended(_outcome(decision, outcomes, past), len(outcomes), elapsed, rung, voicemail=offered)


def _ended(outcome: CallOutcome, dials: int, seconds: float, rung: list[Rung], *, voicemail: bool = False) -> Ended:
    return Ended(outcome=outcome, dials=dials, seconds=seconds, voicemail=voicemail, rung=tuple(rung))


def _ring(ring: Ring, past: PastCall) -> tuple[Behaviour, dict[str, Outcome]]:
    """Return how a dial ends, with the first who answers in time, else as the call's outcome is derived; and its legs.

    Those whose ring ends because another answers say nothing of themselves.
    """
    has_key = ring.step.confirm_key is not None
    found = [
        (target.address, past.behave(Dialled(ring.round - 1, position, target.address, has_key)))
        for position, target in enumerate(ring.targets)
    ]
    in_time = [one for one in found if one[1].outcome is not Outcome.MISSED and one[1].seconds <= ring.timeout]
    legs = {address: one.outcome for address, one in in_time}
    answers = [one for _, one in in_time if one.outcome is Outcome.ANSWERED]
    if answers:
        first = min(answers, key=lambda one: one.seconds)
        return first, {address: one.outcome for address, one in in_time if one.seconds <= first.seconds}
    if len(in_time) < len(found):
        return Behaviour(Outcome.MISSED, ring.timeout), {
            address: legs.get(address, Outcome.MISSED) for address, _ in found
        }
    outcome = next((known for known in UNANSWERED if known in legs.values()), Outcome.UNKNOWN)
    return Behaviour(outcome, max(one.seconds for _, one in in_time)), legs


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
