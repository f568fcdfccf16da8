"""How legs end: the causes, codes and sources that Plivo reports, and the outcome that follows.

Codes: Plivo, "Hangup causes". Which cause and status go with which code is partly assumed; docs/simulator.md
names each assumption.
"""

from dataclasses import dataclass

from app.simulator.scenario import Behaviour
from app.simulator.xml.verdicts import PlivoVerdict
from app.voice.hangup_causes import CODES, by_code
from app.voice.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnd:
    """How a B leg ended, and what that makes of its dial.

    `outcome_without_code` follows if the report of the leg does not arrive. `needs_action`: without the action report
    nothing but "not answered" follows. `is_silent`: Plivo reports nothing about the leg.
    """

    cause: str
    code: int
    source: str
    dial_status: str
    rang: bool
    outcome: Outcome
    outcome_without_code: Outcome
    needs_action: bool = False
    is_silent: bool = False

    @property
    def name(self) -> str:
        """Return Plivo's name of the code."""
        found = by_code(self.code)
        return found.name if found else self.cause


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """How an A leg ended."""

    cause: str
    code: int
    name: str
    source: str
    call_status: str = "completed"


def _leg(
    cause: str,
    code: int,
    source: str,
    dial_status: str,
    outcome: Outcome,
    *,
    rang: bool = True,
    without_code: Outcome | None = None,
    needs_action: bool = False,
    is_silent: bool = False,
) -> LegEnd:
    return LegEnd(
        cause=cause,
        code=code,
        source=source,
        dial_status=dial_status,
        rang=rang,
        outcome=outcome,
        outcome_without_code=without_code or outcome,
        needs_action=needs_action,
        is_silent=is_silent,
    )


def _call(cause: str, code: int, source: str, call_status: str = "completed") -> CallEnd:
    return CallEnd(cause=cause, code=code, name=CODES[code].name, source=source, call_status=call_status)


RING_TIMEOUT = _leg("NO_ANSWER", 6010, "Plivo", "timeout", Outcome.MISSED)
CALLER_LEFT = _leg("ORIGINATOR_CANCEL", 4000, "Caller", "cancel", Outcome.CALLER_GAVE_UP)
LOST_RACE = _leg("LOSE_RACE", 9000, "Plivo", "completed", Outcome.ANSWERED)
KEY_REFUSED = _leg("NORMAL_CLEARING", 9110, "Plivo", "no-answer", Outcome.REJECTED, without_code=Outcome.MISSED)
# Seen in the field: the action names the B leg of a callee who never pressed the key.
KEY_REFUSED_COMPLETED = _leg(
    "NORMAL_CLEARING", 9110, "Plivo", "completed", Outcome.REJECTED, without_code=Outcome.ANSWERED
)
CUT_WHILE_RINGING = _leg("ORIGINATOR_CANCEL", 4000, "Plivo", "cancel", Outcome.CALLER_GAVE_UP, needs_action=True)
CALLEE_HUNG_UP = _leg("NORMAL_CLEARING", 4000, "Callee", "completed", Outcome.ANSWERED)
CALLER_HUNG_UP = _leg("NORMAL_CLEARING", 4000, "Caller", "completed", Outcome.ANSWERED)
TIME_LIMIT = _leg("ALLOTTED_TIMEOUT", 6000, "Plivo", "completed", Outcome.ANSWERED)

NEVER_CONNECTED = {
    Behaviour.NO_ANSWER: _leg("NO_ANSWER", 3000, "Carrier", "no-answer", Outcome.MISSED),
    Behaviour.BUSY: _leg("USER_BUSY", 3010, "Carrier", "busy", Outcome.BUSY, rang=False),
    Behaviour.REJECTS: _leg("CALL_REJECTED", 3020, "Callee", "failed", Outcome.REJECTED),
    Behaviour.UNREACHABLE: _leg("UNALLOCATED_NUMBER", 3050, "Carrier", "failed", Outcome.UNREACHABLE, rang=False),
    Behaviour.UNREGISTERED: _leg(
        "NORMAL_CLEARING", 2020, "Plivo", "completed", Outcome.UNREACHABLE, rang=False, without_code=Outcome.FAILED
    ),
    Behaviour.CARRIER_FAILURE: _leg("SWITCH_CONGESTION", 3090, "Carrier", "failed", Outcome.FAILED, rang=False),
    # A `completed` without a B leg is at best `failed`; the code 2020 says more.
    Behaviour.UNREGISTERED_RINGS: _leg(
        "NORMAL_CLEARING", 2020, "Plivo", "completed", Outcome.UNREACHABLE, without_code=Outcome.FAILED
    ),
    Behaviour.NOBODY: _leg("NORMAL_CLEARING", 4000, "Plivo", "completed", Outcome.FAILED, is_silent=True),
    Behaviour.CANCELS: _leg("NORMAL_CLEARING", 4000, "Callee", "cancel", Outcome.CALLER_GAVE_UP, needs_action=True),
    Behaviour.SIP_AUTH_REFUSED: _leg("sip_auth_failed", 4210, "Plivo", "failed", Outcome.UNREACHABLE, rang=False),
    Behaviour.SIP_AUTH_FAILED: _leg("sip_auth_failed", 4240, "Plivo", "failed", Outcome.UNREACHABLE, rang=False),
    Behaviour.SIP_AUTH_TIMEOUT: _leg("sip_auth_timeout", 4250, "Plivo", "timeout", Outcome.UNREACHABLE, rang=False),
}

XML_RAN_OUT = _call("NORMAL_CLEARING", 4010, "Plivo")
CALLER_GONE = _call("NORMAL_CLEARING", 4000, "Caller")
CALLEE_GONE = _call("NORMAL_CLEARING", 4000, "Callee")
CALLER_GONE_UNANSWERED = _call("ORIGINATOR_CANCEL", 4000, "Caller", "cancel")
SCHEDULED_HANGUP = _call("ALLOTTED_TIMEOUT", 6000, "Plivo")
SCHEDULED_HANGUP_UNANSWERED = _call("ALLOTTED_TIMEOUT", 6000, "Plivo", "failed")
HANGUP_ELEMENT = {
    "": _call("NORMAL_CLEARING", 4000, "Answer XML"),
    "busy": _call("USER_BUSY", 3010, "Answer XML", "busy"),
    "rejected": _call("CALL_REJECTED", 3020, "Answer XML", "failed"),
}


def end_by_verdict(verdict: PlivoVerdict, *, answered: bool) -> CallEnd:
    """Return how a call ends when Plivo cannot go on with it."""
    return CallEnd(
        cause="NORMAL_CLEARING",
        code=verdict.code,
        name=verdict.name,
        source="Error",
        call_status="completed" if answered else "failed",
    )


def end_of_outbound(behaviour: Behaviour) -> CallEnd:
    """Return how an outbound call ends whose callee did not answer."""
    end = NEVER_CONNECTED.get(behaviour, RING_TIMEOUT)
    status = "failed" if end.dial_status == "completed" else end.dial_status
    return _call(end.cause, end.code, end.source, status)
