"""How legs end: the causes, codes and sources that Plivo reports, and the outcome that follows.

Codes: Plivo, "Hangup causes". Which cause and status go with which code is partly assumed; docs/simulator.md
names each assumption.
"""

from dataclasses import dataclass

from app.simulator.scenario import Behaviour
from app.simulator.xml.verdicts import PlivoVerdict
from app.voice.hangup_causes import CODES
from app.voice.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnd:
    """How a B leg ended, what that makes of its dial, and the outcome if the leg's code does not arrive."""

    cause: str
    code: int
    source: str
    dial_status: str
    rang: bool
    outcome: Outcome
    outcome_without_code: Outcome

    @property
    def name(self) -> str:
        """Return Plivo's name of the code."""
        return CODES[self.code].name


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
) -> LegEnd:
    return LegEnd(
        cause=cause,
        code=code,
        source=source,
        dial_status=dial_status,
        rang=rang,
        outcome=outcome,
        outcome_without_code=without_code or outcome,
    )


def _call(cause: str, code: int, source: str, call_status: str = "completed") -> CallEnd:
    return CallEnd(cause=cause, code=code, name=CODES[code].name, source=source, call_status=call_status)


RING_TIMEOUT = _leg("NO_ANSWER", 6010, "Plivo", "timeout", Outcome.MISSED)
CALLER_LEFT = _leg("ORIGINATOR_CANCEL", 4000, "Caller", "cancel", Outcome.CALLER_GAVE_UP)
LOST_RACE = _leg("LOSE_RACE", 9000, "Plivo", "completed", Outcome.ANSWERED)
KEY_REFUSED = _leg("NORMAL_CLEARING", 9110, "Plivo", "no-answer", Outcome.REJECTED, without_code=Outcome.MISSED)
CALLEE_HUNG_UP = _leg("NORMAL_CLEARING", 4000, "Callee", "completed", Outcome.ANSWERED)
CALLER_HUNG_UP = _leg("NORMAL_CLEARING", 4000, "Caller", "completed", Outcome.ANSWERED)
TIME_LIMIT = _leg("ALLOTTED_TIMEOUT", 6000, "Plivo", "completed", Outcome.ANSWERED)

NEVER_CONNECTED = {
    Behaviour.NO_ANSWER: _leg("NO_ANSWER", 3000, "Carrier", "no-answer", Outcome.MISSED),
    Behaviour.BUSY: _leg("USER_BUSY", 3010, "Carrier", "busy", Outcome.BUSY, rang=False),
    Behaviour.REJECTS: _leg("CALL_REJECTED", 3020, "Callee", "failed", Outcome.REJECTED),
    Behaviour.UNREACHABLE: _leg("UNALLOCATED_NUMBER", 3050, "Carrier", "failed", Outcome.UNREACHABLE, rang=False),
    Behaviour.UNREGISTERED: _leg("NORMAL_CLEARING", 2020, "Plivo", "completed", Outcome.UNREACHABLE, rang=False),
    Behaviour.CARRIER_FAILURE: _leg("SWITCH_CONGESTION", 3090, "Carrier", "failed", Outcome.FAILED, rang=False),
}

XML_RAN_OUT = _call("NORMAL_CLEARING", 4010, "Plivo")
CALLER_GONE = _call("NORMAL_CLEARING", 4000, "Caller")
CALLEE_GONE = _call("NORMAL_CLEARING", 4000, "Callee")
CALLER_GONE_UNANSWERED = _call("ORIGINATOR_CANCEL", 4000, "Caller", "cancel")
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
