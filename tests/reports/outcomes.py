"""Calls of every outcome, over several days and hours, stored through the journal."""

from collections.abc import Iterator

from app.records.model.ids import now
from app.records.model.receipt import Receipt
from app.records.model.state import Placement
from app.voice.events import Kind
from app.voice.outcome import CallOutcome
from tests.reports.conftest import Caller
from tests.reports.history import make_receipt

HOUR = 3_600_000
PHONES = {"main": ("+14155550123", "+14155550124"), "support": ("+14155550125",)}
# How many calls of each outcome; no two of the larger numbers are equal.
COUNTS = {outcome: number for number, outcome in enumerate(CallOutcome, 1)}
_REPORTS = {
    CallOutcome.MISSED: ("no-answer", "NO_ANSWER", None),
    CallOutcome.REJECTED: ("failed", "CALL_REJECTED", 3020),
    CallOutcome.BUSY: ("busy", "USER_BUSY", 3010),
    CallOutcome.UNREACHABLE: ("failed", "USER_NOT_REGISTERED", 2020),
    CallOutcome.FAILED: ("failed", "SWITCH_CONGESTION", None),
    CallOutcome.UNKNOWN: ("splendid", "", None),
    CallOutcome.ANSWERED: ("completed", "NORMAL_CLEARING", 4000),
}


def store_every_outcome(caller: Caller) -> int:
    """Store as many calls of each outcome as `COUNTS` says; return how many in all."""
    number = 0
    for outcome, count in COUNTS.items():
        for _ in range(count):
            number += 1
            at = now() - 60_000 - (number * 7 % 120) * HOUR
            caller.services.journal.append_all(
                list(_call(outcome, number, now() - 60_000 if outcome == "in_progress" else at))
            )
    return number


def _call(outcome: CallOutcome, number: int, at: int) -> Iterator[Receipt]:
    call_uuid, dial_id = f"{outcome}-{number}", f"dial-{number}"
    route = "main" if number % 3 else "support"
    base = {"CallUUID": call_uuid, "From": f"+1415555{1000 + number % 5}", "Direction": "inbound"}
    base["To"] = "+14155550100" if route == "main" else "+14155550101"
    end = {**base, "CallStatus": "completed", "HangupSource": "Plivo", "HangupCauseCode": "4000"}
    dial = Placement(dial_id, targets=PHONES[route], route=route, step="first", round=1)
    if outcome in {CallOutcome.BLOCKED, CallOutcome.CLOSED}:
        dial = Placement(None, route=route, ending="hangup", turned_away=outcome.value)
    elif outcome is CallOutcome.HANDED_OVER:
        dial = Placement(None, route=route, ending="redirect")
    elif outcome is CallOutcome.MESSAGE_LEFT:
        dial = Placement(None, route=route, ending="voicemail")
    yield make_receipt(Kind.ANSWER, at, base, placement=dial)
    if outcome is CallOutcome.IN_PROGRESS:
        return
    if outcome in _REPORTS:
        status, cause, code = _REPORTS[outcome]
        leg = {"CallUUID": call_uuid, "DialBLegUUID": f"leg-{number}", "DialBLegTo": PHONES[route][0]}
        if outcome is CallOutcome.ANSWERED:
            yield make_receipt(Kind.CALLBACK, at + number * 100, {**leg, "DialAction": "answer"}, dial_id=dial_id)
        if code:
            ended = {**leg, "DialAction": "hangup", "DialBLegHangupCauseCode": str(code), "DialBLegDuration": "20"}
            yield make_receipt(Kind.CALLBACK, at + 25_000, ended, dial_id=dial_id)
        report = {**base, "DialStatus": status, "DialHangupCause": cause, "DialRingStatus": "true"}
        if outcome is CallOutcome.ANSWERED:
            report["DialBLegUUID"] = f"leg-{number}"
        yield make_receipt(Kind.ACTION, at + 30_000, report, dial_id=dial_id)
    if outcome is CallOutcome.MESSAGE_LEFT:
        recording = {"RecordingID": f"r{number}", "RecordUrl": "https://media.example.com/r.mp3"}
        recording |= {"CallUUID": call_uuid, "RecordingDuration": "12"}
        yield make_receipt(Kind.RECORDING, at + 32_000, recording)
    source = "Caller" if outcome is CallOutcome.CALLER_GAVE_UP else "Plivo"
    yield make_receipt(Kind.HANGUP, at + 33_000, {**end, "HangupSource": source})
