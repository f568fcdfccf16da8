"""How legs end: the causes, codes, names and sources that Plivo reports, and what they mean in plain words.

Codes and names: Plivo, "Hangup causes". Which cause and status go with which code is partly assumed;
docs/simulator.md names each assumption.
"""

from dataclasses import dataclass

from app.simulator.scenario import Does
from app.simulator.xml.findings import Verdict
from app.voice.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnd:
    """How a B leg ended, and what that makes of its dial."""

    cause: str
    code: int
    name: str
    source: str
    dial_status: str
    rang: bool
    outcome: Outcome
    outcome_without_code: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """How an A leg ended."""

    cause: str
    code: int
    name: str
    source: str
    call_status: str = "completed"


def _end(cause: str, code: int, name: str, source: str, dial_status: str, *, rang: bool, outcome: Outcome) -> LegEnd:
    return LegEnd(cause=cause, code=code, name=name, source=source, dial_status=dial_status, rang=rang, outcome=outcome)


RING_TIMEOUT = _end("NO_ANSWER", 6010, "Ring Timeout Reached", "Plivo", "timeout", rang=True, outcome=Outcome.MISSED)
CALLER_LEFT = _end(
    "ORIGINATOR_CANCEL",
    4000,
    "Normal Hangup",
    "Caller",
    "cancel",
    rang=True,
    outcome=Outcome.CALLER_GAVE_UP,
)
LOST_RACE = _end("LOSE_RACE", 9000, "Lost Race", "Plivo", "completed", rang=True, outcome=Outcome.ANSWERED)
KEY_REFUSED = LegEnd(
    cause="NORMAL_CLEARING",
    code=9110,
    name="Confirm Key Challenge Failed",
    source="Plivo",
    dial_status="no-answer",
    rang=True,
    outcome=Outcome.REJECTED,
    outcome_without_code=Outcome.MISSED,
)
CALLEE_HUNG_UP = _end(
    "NORMAL_CLEARING", 4000, "Normal Hangup", "Callee", "completed", rang=True, outcome=Outcome.ANSWERED
)
CALLER_HUNG_UP = _end(
    "NORMAL_CLEARING", 4000, "Normal Hangup", "Caller", "completed", rang=True, outcome=Outcome.ANSWERED
)
TIME_LIMIT = _end(
    "ALLOTTED_TIMEOUT", 6000, "Scheduled Hangup", "Plivo", "completed", rang=True, outcome=Outcome.ANSWERED
)

NEVER_CONNECTED = {
    Does.NO_ANSWER: _end("NO_ANSWER", 3000, "No Answer", "Carrier", "no-answer", rang=True, outcome=Outcome.MISSED),
    Does.BUSY: _end("USER_BUSY", 3010, "Busy Line", "Carrier", "busy", rang=False, outcome=Outcome.BUSY),
    Does.REJECTS: _end("CALL_REJECTED", 3020, "Rejected", "Callee", "failed", rang=True, outcome=Outcome.REJECTED),
    Does.UNREACHABLE: _end(
        "UNALLOCATED_NUMBER",
        3050,
        "Unallocated number",
        "Carrier",
        "failed",
        rang=False,
        outcome=Outcome.UNREACHABLE,
    ),
    Does.UNREGISTERED: _end(
        "NORMAL_CLEARING",
        2020,
        "Endpoint Not Registered",
        "Plivo",
        "completed",
        rang=False,
        outcome=Outcome.UNREACHABLE,
    ),
    Does.CARRIER_FAILURE: _end(
        "SWITCH_CONGESTION",
        3090,
        "Network congestion from carrier",
        "Carrier",
        "failed",
        rang=False,
        outcome=Outcome.FAILED,
    ),
}

XML_RAN_OUT = CallEnd(cause="NORMAL_CLEARING", code=4010, name="End Of XML Instructions", source="Plivo")
CALLER_GONE = CallEnd(cause="NORMAL_CLEARING", code=4000, name="Normal Hangup", source="Caller")
CALLED_GONE = CallEnd(cause="NORMAL_CLEARING", code=4000, name="Normal Hangup", source="Callee")
CALLER_GONE_UNANSWERED = CallEnd(
    cause="ORIGINATOR_CANCEL", code=4000, name="Normal Hangup", source="Caller", call_status="cancel"
)
HANGUP_ELEMENT = {
    "": CallEnd(cause="NORMAL_CLEARING", code=4000, name="Normal Hangup", source="Answer XML"),
    "busy": CallEnd(cause="USER_BUSY", code=3010, name="Busy Line", source="Answer XML", call_status="busy"),
    "rejected": CallEnd(cause="CALL_REJECTED", code=3020, name="Rejected", source="Answer XML", call_status="failed"),
}


def end_by_verdict(verdict: Verdict, *, answered: bool) -> CallEnd:
    """Return how a call ends when Plivo cannot go on with it."""
    return CallEnd(
        cause="NORMAL_CLEARING",
        code=verdict.code,
        name=verdict.name,
        source="Error",
        call_status="completed" if answered else "failed",
    )


def end_of_called(does: Does) -> CallEnd:
    """Return how an outbound call ends whose called person did not answer."""
    end = NEVER_CONNECTED.get(does, RING_TIMEOUT)
    status = "failed" if end.dial_status == "completed" else end.dial_status
    return CallEnd(cause=end.cause, code=end.code, name=end.name, source=end.source, call_status=status)
