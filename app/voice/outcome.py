"""How a dial ended, in one plain word.

Plivo describes the end of a dial in up to four ways: a status (`DialStatus`), a FreeSWITCH cause (`DialHangupCause`),
whether it rang (`DialRingStatus`) and hangup codes of its legs. `outcome_of` weighs them; the first rule that matches
wins. The record, the decision about the caller, call detail records and the simulator all use this one function.
"""

from enum import StrEnum
from typing import NamedTuple

from app.voice.events import DialEnded
from app.voice.hangup_causes import by_name, code_of


class Outcome(StrEnum):
    """How a dial ended, as a person would say it."""

    ANSWERED = "answered"
    CALLER_GAVE_UP = "caller_gave_up"
    BUSY = "busy"
    REJECTED = "rejected"
    MISSED = "missed"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    UNKNOWN = "unknown"
    IN_PROGRESS = "in_progress"


UNANSWERED = (Outcome.MISSED, Outcome.REJECTED, Outcome.BUSY, Outcome.UNREACHABLE, Outcome.FAILED)
"""Where every dial ended without an answer, the call has the first of these that any of its dials has."""


class CallOutcome(StrEnum):
    """How a whole call ended, as a person would say it: exactly one for each call."""

    ANSWERED = "answered"
    MESSAGE_LEFT = "message_left"
    CALLER_GAVE_UP = "caller_gave_up"
    BLOCKED = "blocked"
    CLOSED = "closed"
    HANDED_OVER = "handed_over"
    MISSED = "missed"
    REJECTED = "rejected"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    UNKNOWN = "unknown"
    IN_PROGRESS = "in_progress"


class Facts(NamedTuple):
    """All that is known about one dial.

    From the action report: `reported` (there is one), `status`, `cause`, `rang`, `b_leg` (it names the leg that
    answered). From the deciding leg, or from the report where it says more: `code`, `leg_answered` (seen picking up),
    `leg_connected` (seen put through), `talk_seconds`. From all legs: `still_rang` (a target had no end of its own),
    `legs_ended` (nobody rings or talks any more). From the call: `call_ended`, `caller_hung_up`, `call_code`.
    """

    reported: bool = False
    status: str | None = None
    cause: str | None = None
    rang: bool | None = None
    b_leg: bool = False
    code: int | None = None
    leg_answered: bool = False
    talk_seconds: int | None = None
    call_ended: bool = False
    caller_hung_up: bool = False
    call_code: int | None = None
    leg_connected: bool = False
    still_rang: bool = False
    legs_ended: bool = False


# Statuses of the action URL that Plivo documents (Dial status reporting guide; Dial XML reference adds `cancel`).
DOCUMENTED_STATUSES = frozenset({"completed", "busy", "failed", "cancel", "timeout", "no-answer"})

LOST_RACE = 9000  # Another target of the same dial answered first (Plivo, hangup causes).
_NEVER_TALKED = frozenset({6010, LOST_RACE, 9100, 9110})
_OUTCOME_OF_CODE = {
    **dict.fromkeys((3020, 3110, 9100, 9110), Outcome.REJECTED),
    **dict.fromkeys((3010, 3100), Outcome.BUSY),
    **dict.fromkeys((3050, 3120, 4210, 4240, 4250), Outcome.UNREACHABLE),
    **dict.fromkeys((3000, 6010), Outcome.MISSED),
}
# A leg that ends with one of these may have ended because the caller hung up.
_ENDS_OF_ANY_LEG = frozenset({0, 1000, 4000, 4010, 4020, 4030})
_UNREACHABLE_CAUSES = frozenset(
    {
        "UNALLOCATED_NUMBER",
        "SUBSCRIBER_ABSENT",
        "USER_NOT_REGISTERED",
        "NO_USER_RESPONSE",
        "NO_ROUTE_DESTINATION",
        "INVALID_NUMBER_FORMAT",
        "NUMBER_CHANGED",
        "DESTINATION_OUT_OF_ORDER",
    }
)
_NOT_ANSWERED = frozenset({"no-answer", "timeout"})
_BROKEN = frozenset({5, 7, 8})  # Thousands of the codes that blame the network, a URL of ours or a reply of ours.


def outcome_of(facts: Facts) -> Outcome:
    """Return how a dial ended, or `in_progress` while nothing shows that it has."""
    if not (facts.reported or facts.call_ended or facts.legs_ended):
        return Outcome.IN_PROGRESS
    if has_talked(facts):
        return Outcome.ANSWERED
    caller_left = _caller_left(facts)
    by_code = None if caller_left and facts.still_rang else outcome_of_code(facts.code)
    if by_code is not None:
        return by_code
    # A leg may fail for a reason that has no word of its own, long before the caller hangs up: no giving up either.
    if caller_left and (facts.reported or facts.still_rang or not ends_by_itself(facts.code)):
        return Outcome.CALLER_GAVE_UP
    return _by_words(facts) or _otherwise(facts)


def has_talked(facts: Facts) -> bool:
    """Return whether a callee talked with the caller, or still does."""
    if excludes_talk(facts.code):
        return False
    if not facts.reported:
        return facts.leg_answered or bool(facts.talk_seconds)
    if facts.leg_connected:
        return True
    if facts.status == "completed" and facts.b_leg:
        return facts.leg_answered or facts.talk_seconds is None or facts.talk_seconds > 0
    # A callee who picks up and never accepts is reported as no answer: picking up alone outweighs no report.
    return bool(facts.talk_seconds) and (facts.status == "completed" or facts.status not in DOCUMENTED_STATUSES)


def outcome_of_code(code: int | None) -> Outcome | None:
    """Return what a leg's hangup code alone says about the dial; None where it says nothing."""
    if code is None:
        return None
    return Outcome.UNREACHABLE if 2000 <= code < 3000 else _OUTCOME_OF_CODE.get(code)


def excludes_talk(code: int | None) -> bool:
    """Return whether a leg with this hangup code cannot have talked, whatever duration is reported."""
    return code is not None and (1000 <= code < 4000 or 4200 <= code < 4300 or code in _NEVER_TALKED)


def ends_by_itself(code: int | None) -> bool:
    """Return whether a leg with this hangup code ended for a reason of its own, not because the caller left."""
    return code is not None and code not in _ENDS_OF_ANY_LEG


def facts_of_report(event: DialEnded) -> Facts:
    """Return what an action report alone says about its dial."""
    return Facts(
        reported=True,
        status=event.status,
        cause=event.cause,
        rang=event.rang,
        b_leg=event.b_leg_uuid is not None,
        code=code_of_report(code_of(event.hangup.code, event.hangup.name, event.hangup.cause), event.cause),
        talk_seconds=event.hangup.duration if event.b_leg_uuid is not None else None,
    )


def code_of_report(code: int | None, cause: str | None) -> int | None:
    """Return the hangup code in an action report: its own, or one that stands in the place of the cause."""
    if code or not cause:
        return code
    # PHLO has only a code to offer as a cause; two of Plivo's own causes are names of codes.
    if cause.isascii() and cause.isdecimal():
        return int(cause[:9])
    found = by_name(cause) if cause.startswith("sip_auth") else None
    return found.code if found else code


def is_caller(hangup_source: str | None, direction: str | None) -> bool:
    """Return whether the person on the A leg hung up.

    On an inbound call Plivo names that person `Caller`; on a call that we placed through the API the A leg is the one
    who was called, `Callee` on the wire, `Call recipient` in the documentation (hangup causes).
    """
    if direction == "outbound":
        return hangup_source in {"Callee", "Call recipient"}
    return hangup_source == "Caller"


def _caller_left(facts: Facts) -> bool:
    if facts.reported:
        return facts.status == "cancel" or facts.cause == "ORIGINATOR_CANCEL"
    return facts.call_ended and facts.caller_hung_up


def _by_words(facts: Facts) -> Outcome | None:
    status, cause = facts.status, facts.cause
    if status == "busy" or cause == "USER_BUSY":
        return Outcome.BUSY
    if cause == "CALL_REJECTED":
        return Outcome.REJECTED
    if status in _NOT_ANSWERED:
        return Outcome.MISSED if facts.rang or cause == "NO_ANSWER" else Outcome.UNREACHABLE
    return Outcome.UNREACHABLE if cause in _UNREACHABLE_CAUSES else None


def _otherwise(facts: Facts) -> Outcome:
    if facts.reported:
        return Outcome.FAILED if facts.status in DOCUMENTED_STATUSES else Outcome.UNKNOWN
    broke = facts.code is not None or (facts.call_code or 0) // 1000 in _BROKEN
    return Outcome.FAILED if broke else Outcome.UNKNOWN
