"""What follows from a record about the call as a whole: its one outcome, who answered, how long the caller waited.

Called after the dials are derived. Like theirs, these values depend only on folded facts, never on the order in which
webhooks arrive.
"""

from app.records.model.state import CallRecord, CallState, DialState
from app.voice.events import Source
from app.voice.hangup_causes import code_of
from app.voice.outcome import UNANSWERED, CallOutcome, Facts, Outcome, is_caller, outcome_of

_SHORTEST_MESSAGE = 1000  # milliseconds
_OUTGOING = "outbound"  # Placed through the API: the A leg is the person who is called.
_HANDED_OVER = "redirect"  # The kind of the ending that passes the caller on to another application.


def derive_call(record: CallRecord) -> None:
    """Derive the values of the call from its folded facts, its derived dials and its recordings."""
    call, dials = record.call, list(record.dials.values())
    if len(dials) > 1:
        dials.sort(key=_place_in_call)
    if record.recordings:  # Only read with a report of a recording: nothing else changes them.
        call.recording_id = _recording_id(record)
    for dial in dials:
        if dial.route is not None and (call.route is None or dial.route > call.route):
            call.route = dial.route
    call.dial_count = len(dials)
    outcome = _outcome(call, dials)
    call.outcome = outcome.value
    call.answered_by = call.talk_seconds = call.waited_seconds = None
    if outcome in {CallOutcome.ANSWERED, CallOutcome.IN_PROGRESS}:
        _derive_talk(record, dials)
    elif call.ended_at is not None:
        call.waited_seconds = _seconds(call.started_at, call.ended_at)


def _derive_talk(record: CallRecord, dials: list[DialState]) -> None:
    """Derive who talks or talked, after how long and for how long; of an outgoing call without a dial, the A leg."""
    call, answered_at = record.call, record.call.answered_at
    if dials:
        # A phone that only picked up may still decline the call with a key.
        connected = {leg.dial_id for leg in record.legs.values() if leg.connected_at is not None}
        talks = [
            dial
            for dial in dials
            if dial.outcome == Outcome.ANSWERED or (dial.outcome == Outcome.IN_PROGRESS and dial.dial_id in connected)
        ]
        if not talks:
            return
        call.answered_by, answered_at = talks[0].answered_by, talks[0].answered_at
        known = [dial.talk_seconds for dial in talks if dial.talk_seconds is not None]
        call.talk_seconds = sum(known) if known else None
    elif call.outcome == CallOutcome.ANSWERED or (call.direction, call.call_status) == (_OUTGOING, "in-progress"):
        call.answered_by, call.talk_seconds = call.to_number, call.duration
    if answered_at is not None:
        call.waited_seconds = _seconds(call.started_at, answered_at)


def _place_in_call(dial: DialState) -> tuple[int, int, str]:
    return dial.round or 0, dial.started_at, dial.dial_id


def _outcome(call: CallState, dials: list[DialState]) -> CallOutcome:
    """Return the outcome of a call: the first rule that matches wins."""
    found = {dial.outcome for dial in dials}
    if Outcome.ANSWERED in found:
        is_talking = any(dial.answered_at is not None for dial in dials if dial.outcome == Outcome.IN_PROGRESS)
        return CallOutcome.IN_PROGRESS if is_talking else CallOutcome.ANSWERED
    if not _has_ended(call, dials):
        return CallOutcome.IN_PROGRESS
    if call.direction == _OUTGOING and not dials:
        return _outcome_without_dial(call)
    if call.recording_id is not None:
        return CallOutcome.MESSAGE_LEFT
    if dials and dials[-1].outcome == Outcome.CALLER_GAVE_UP:
        return CallOutcome.CALLER_GAVE_UP
    if call.turned_away is not None:
        return CallOutcome(call.turned_away)
    if call.ending == _HANDED_OVER:
        return CallOutcome.HANDED_OVER
    if not dials:
        return _outcome_without_dial(call)
    return next((CallOutcome(outcome) for outcome in UNANSWERED if outcome in found), CallOutcome.UNKNOWN)


def _has_ended(call: CallState, dials: list[DialState]) -> bool:
    """Return whether a hangup said so; a PHLO reports its dials and never the end of the call."""
    if call.heard_from == Source.PHLO and dials and call.ended_by is None:
        return all(dial.outcome != Outcome.IN_PROGRESS for dial in dials)
    return call.ended_by is not None


def _outcome_without_dial(call: CallState) -> CallOutcome:
    """Return the outcome of an ended call in which nobody was rung, from its A leg alone."""
    code = code_of(call.hangup_code, call.hangup_name, call.hangup_cause)
    if call.direction == _OUTGOING or (call.heard_from == Source.CDR and call.call_status != "completed"):
        has_picked_up = call.direction == _OUTGOING and (call.answered_at is not None or bool(call.duration))
        facts = Facts(
            reported=True,
            status=call.call_status,
            cause=call.hangup_cause,
            rang=True,
            b_leg=has_picked_up,
            code=code,
            leg_answered=has_picked_up,
        )
        return CallOutcome(outcome_of(facts))
    if call.ending is not None:
        return CallOutcome.UNKNOWN  # The caller got the plan's last word, though nobody was there to be rung.
    has_left = is_caller(call.hangup_source, call.direction)
    return CallOutcome(outcome_of(Facts(call_ended=True, caller_hung_up=has_left, call_code=code, still_rang=True)))


def _recording_id(record: CallRecord) -> str | None:
    """Return the first recording that is long enough to be a message."""
    made = [item for item in record.recordings.values() if (item.milliseconds or 0) >= _SHORTEST_MESSAGE]
    first = min(made, key=lambda item: (item.recorded_at, item.recording_id), default=None)
    return first.recording_id if first else None


def _seconds(since: int, until: int) -> int:
    """Return the seconds between two times in milliseconds, as many as a column holds."""
    return min(max(0, round((until - since) / 1000)), 999_999_999)
