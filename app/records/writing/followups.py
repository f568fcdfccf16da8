"""Who must be called back: a pure function of a caller's calls and of what people did about them.

A caller who reached nobody opens a follow-up for their number and route. It closes with the next answered call between
that number and us, on any route, or when somebody marks it done. Calls and marks are put in the order in which they
happened, so the order in which they were reported does not matter.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from app.records.model.state import CallState, FollowupState
from app.voice.numbers import is_anonymous
from app.voice.outcome import CallOutcome

ANONYMOUS = "anonymous:"  # Before the UUID of a call whose caller cannot be told from others.
_OUTGOING = "outbound"
_REACHED_NOBODY = frozenset(
    {
        CallOutcome.MISSED,
        CallOutcome.BUSY,
        CallOutcome.REJECTED,
        CallOutcome.UNREACHABLE,
        CallOutcome.FAILED,
        CallOutcome.MESSAGE_LEFT,
    }
)


class Followup(StrEnum):
    """The state of a follow-up."""

    OPEN = "open"
    REACHED = "reached"
    DONE = "done"


class Action(StrEnum):
    """What a person does about a follow-up."""

    TAKE = "take"
    DONE = "done"
    REOPEN = "reopen"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which calls need a follow-up besides those that reached nobody.

    `patience` is how many seconds a caller who gave up must have waited; `is_closed_counted`: calls outside opening
    hours count too.
    """

    patience: int = 5
    is_closed_counted: bool = False


DEFAULT_RULES = Rules()


class FollowedCall(NamedTuple):
    """What the derivation needs of a call. `is_dialled`: the caller, a SIP user of ours, dialled the called number."""

    call_key: int
    call_uuid: str
    from_number: str | None
    to_number: str | None
    direction: str | None
    route: str | None
    outcome: str | None
    answered_by: str | None
    started_at: int
    waited_seconds: int | None
    turned_away: str | None
    caller_name: str | None
    is_dialled: int = 0


class Mark(NamedTuple):
    """What a person did about the follow-up of a caller and route that was the newest at that time."""

    at: int
    route: str | None
    action: str
    actor: str
    note: str | None


Derived = tuple[list[FollowupState], dict[int, int]]  # Follow-ups, and the follow-up of each call by their keys.


def caller_of(call: CallState | FollowedCall) -> str:
    """Return who called: the number, or a name of its own for each anonymous call."""
    number = call.from_number
    return f"{ANONYMOUS}{call.call_uuid}" if number is None or is_anonymous(number) else number


def parties(call: CallState | FollowedCall) -> set[str]:
    """Return the numbers whose follow-ups a call may open or close."""
    if call.direction == _OUTGOING:
        return {number for number in (call.to_number, call.answered_by) if number}
    called = {call.to_number} if call.answered_by == call.to_number else set()
    return {caller_of(call), *(number for number in called if number)}


def has_reached(call: CallState | FollowedCall) -> bool:
    """Return whether a callee talked in a call, or does so now."""
    is_talking = call.outcome == CallOutcome.IN_PROGRESS and call.answered_by is not None
    return is_talking or call.outcome == CallOutcome.ANSWERED


def needs_followup(call: CallState | FollowedCall, rules: Rules) -> bool:
    """Return whether the caller of a call is to be called back, unless they are reached."""
    if call.direction == _OUTGOING or call.turned_away == CallOutcome.BLOCKED:
        return False
    if call.outcome != CallOutcome.MESSAGE_LEFT and caller_of(call).startswith(ANONYMOUS):
        return False
    if call.outcome == CallOutcome.CALLER_GAVE_UP:
        return call.waited_seconds is None or call.waited_seconds >= rules.patience
    return call.outcome in _REACHED_NOBODY or (call.outcome == CallOutcome.CLOSED and rules.is_closed_counted)


def derive_followups(
    caller: str,
    calls: Iterable[FollowedCall],
    marks: Iterable[Mark],
    rules: Rules,
    earlier: Collection[FollowupState] = (),
) -> Derived:
    """Return the follow-ups of a caller, and to which of them each call belongs.

    `earlier` are those that began before `calls`, the newest of each route; the calls may extend or close them.
    """
    newest = {one.route: replace(one) for one in earlier}
    counted_until = {one.followup_key: one.last_at for one in earlier}
    found, owners = list(newest.values()), dict[int, int]()
    happened: list[tuple[int, bool, str, FollowedCall | Mark]] = [
        *((call.started_at, False, call.call_uuid, call) for call in calls),
        *((mark.at, True, "", mark) for mark in marks),
    ]
    for at, _, _, one in sorted(happened, key=lambda each: each[:3]):
        if isinstance(one, Mark):
            if (marked := newest.get(one.route)) is not None:
                _apply(marked, one)
        elif has_reached(one):
            if caller in parties(one):
                _reach([each for each in found if at > counted_until.get(each.followup_key, -1)], one)
        elif caller == caller_of(one) and not one.is_dialled and needs_followup(one, rules):
            followup = newest.get(one.route)
            is_counted = followup is not None and at <= counted_until.get(followup.followup_key, -1)
            if followup is None or (followup.state != Followup.OPEN and not is_counted):
                followup = newest[one.route] = _opened(caller, one)
                found.append(followup)
            owners[one.call_key] = followup.followup_key
            if not is_counted:
                followup.last_at, followup.last_call_uuid = at, one.call_uuid
                followup.caller_name = one.caller_name or followup.caller_name
                followup.call_count += 1
    return found, owners


def _opened(caller: str, call: FollowedCall) -> FollowupState:
    return FollowupState(
        followup_key=call.call_key,
        caller=caller,
        route=call.route,
        state=Followup.OPEN.value,
        caller_name=None,
        opened_at=call.started_at,
        first_call_uuid=call.call_uuid,
        last_at=call.started_at,
        last_call_uuid=call.call_uuid,
    )


def _reach(followups: Iterable[FollowupState], call: FollowedCall) -> None:
    for followup in followups:
        if followup.state == Followup.OPEN:
            followup.state, followup.closing_call_uuid = Followup.REACHED.value, call.call_uuid
            followup.closed_at = call.started_at + 1000 * (call.waited_seconds or 0)


def _apply(followup: FollowupState, mark: Mark) -> None:
    if mark.at < followup.opened_at:
        return
    is_open = followup.state == Followup.OPEN
    if mark.note is not None:
        followup.note = mark.note or None
    if mark.action == Action.TAKE and is_open:
        followup.taken_at, followup.taken_by = mark.at, mark.actor
    elif mark.action == Action.DONE and is_open:
        followup.state, followup.closed_at, followup.closed_by = Followup.DONE.value, mark.at, mark.actor
    elif mark.action == Action.REOPEN and followup.state == Followup.DONE:
        followup.state, followup.closed_at, followup.closed_by = Followup.OPEN.value, None, None
