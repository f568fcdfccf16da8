"""How a dial ended, in one plain word.

Plivo describes one ended dial in up to four ways: a status (`DialStatus`), a FreeSWITCH cause (`DialHangupCause`),
whether it rang (`DialRingStatus`) and, per leg, a hangup code. `outcome_of` weighs them; the first rule that matches
wins, and a status nobody has documented stays `unknown` rather than being guessed at.
"""

from enum import StrEnum
from typing import NamedTuple


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


class Facts(NamedTuple):
    """All that is known about one dial when its outcome is asked for.

    `status`, `cause`, `rang`: the action report's words; `reported` tells whether there was one. `b_leg`: whether the
    report names the leg that answered. `code`: the deciding leg's hangup code. `leg_answered`: a callee was seen
    picking up. `talk_seconds`: how long they talked, where known. `call_ended`: the whole call is over;
    `caller_hung_up`: the person on the A leg ended it; `call_code`: its hangup code.
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


# Statuses of the action URL that Plivo documents (Dial status reporting guide; Dial XML reference adds `cancel`).
DOCUMENTED_STATUSES = frozenset({"completed", "busy", "failed", "cancel", "timeout", "no-answer"})

_BUSY_CODES = frozenset({3010, 3100})
_REJECTED_CODES = frozenset({3020, 3110, 9110})
_MISSED_CODES = frozenset({3000, 6010})
_UNREACHABLE_CODES = frozenset({3050, 3120})
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


def outcome_of(facts: Facts) -> Outcome:
    """Name how a dial ended, or `in_progress` while nothing says that it has."""
    if not facts.reported and not facts.call_ended:
        return Outcome.IN_PROGRESS
    if _talked(facts):
        return Outcome.ANSWERED
    if _caller_gave_up(facts):
        return Outcome.CALLER_GAVE_UP
    return _by_cause(facts) or _the_rest(facts)


def _talked(facts: Facts) -> bool:
    if not facts.reported:
        return facts.leg_answered or bool(facts.talk_seconds)
    if facts.status != "completed" or not facts.b_leg:
        return False
    if facts.code is not None and (facts.code == 2020 or 3000 <= facts.code < 4000):
        return False
    return facts.leg_answered or facts.talk_seconds is None or facts.talk_seconds > 0


def _caller_gave_up(facts: Facts) -> bool:
    if facts.reported:
        return facts.status == "cancel" or facts.cause == "ORIGINATOR_CANCEL"
    return facts.caller_hung_up


def _by_cause(facts: Facts) -> Outcome | None:
    status, cause, code = facts.status, facts.cause, facts.code
    if status == "busy" or cause == "USER_BUSY" or code in _BUSY_CODES:
        return Outcome.BUSY
    if cause == "CALL_REJECTED" or code in _REJECTED_CODES:
        return Outcome.REJECTED
    if (status in _NOT_ANSWERED and facts.rang) or code in _MISSED_CODES:
        return Outcome.MISSED
    if code in _UNREACHABLE_CODES or (code is not None and 2000 <= code < 3000) or cause in _UNREACHABLE_CAUSES:
        return Outcome.UNREACHABLE
    if status in _NOT_ANSWERED:
        return Outcome.UNREACHABLE if facts.rang is False else Outcome.MISSED
    if status == "completed" and not facts.b_leg and facts.rang is False:
        return Outcome.UNREACHABLE
    return None


def _the_rest(facts: Facts) -> Outcome:
    if facts.reported:
        return Outcome.FAILED if facts.status in DOCUMENTED_STATUSES else Outcome.UNKNOWN
    # Only the end of the call is known. Its code says whether the line, the carrier or our own reply broke it.
    if facts.code is not None or (facts.call_code or 0) // 1000 in {5, 7, 8}:
        return Outcome.FAILED
    return Outcome.UNKNOWN


def is_caller(hangup_source: str | None, direction: str | None) -> bool:
    """Tell whether the person on the A leg hung up.

    On an inbound call Plivo names that person `Caller`; on a call that we placed through the API the A leg is the one
    who was called, `Callee` on the wire, `Call recipient` in the documentation (hangup causes).
    """
    if direction == "outbound":
        return hangup_source in {"Callee", "Call recipient"}
    return hangup_source == "Caller"


EXPLANATIONS = {
    Outcome.ANSWERED: "A callee picked up and was put through.",
    Outcome.CALLER_GAVE_UP: "The caller hung up before anybody answered.",
    Outcome.BUSY: "The line that was rung was busy.",
    Outcome.REJECTED: "The call was declined at the called end.",
    Outcome.MISSED: "It rang, but nobody picked up in time.",
    Outcome.UNREACHABLE: "The called end could not be reached, so nothing rang there.",
    Outcome.FAILED: "The dial failed for a technical reason.",
    Outcome.UNKNOWN: "Plivo reported something that its documentation does not describe.",
    Outcome.IN_PROGRESS: "The dial has not ended yet.",
}
