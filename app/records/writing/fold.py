"""The fold: one record from all events of a call, in whatever order and however often they come.

Every value is chosen by a rule that does not depend on the order: the earliest time, the strongest word, the better
source. So any order and any number of copies of the same events produce the same record, and a final state never goes
back. A call detail record fills gaps: where a webhook says something else, the webhook wins.

`fold` changes the record it is passed and nothing else.
"""

import json
from functools import lru_cache

from app.records.model.state import CallRecord, CallState, DialState, LegState, Placement, RecordingState
from app.records.writing.ranking import SOURCE_RANK, end_rank, ended_status, report_rank, status_rank
from app.voice.events import (
    NO_HANGUP,
    CallFacts,
    CallHungUp,
    DialEnded,
    DigitsPressed,
    Event,
    Hangup,
    LegAnswered,
    LegConnected,
    LegEvent,
    LegHungUp,
    RecordingMade,
    Source,
)
from app.voice.hangup_causes import code_of


def fold(record: CallRecord, event: Event, *, dial_id: str | None, receipt_key: int | None = None) -> None:
    """Add one event to the record of its call.

    `dial_id` names the dial the event is about; the record must hold it for a `DialEnded` or a leg's event.
    `receipt_key` is the receipt that a `DialEnded` came with.
    """
    _fold_call(record.call, event)
    if isinstance(event, CallHungUp):
        _end_call(record.call, event)
    elif isinstance(event, DialEnded) and dial_id:
        _begin_dial(record.dials[dial_id], event.at)
        _report(record.dials[dial_id], event, receipt_key)
        if event.b_leg_uuid is not None and event.hangup is not NO_HANGUP and event.source is Source.WEBHOOK:
            leg_ended = LegHungUp(at=event.at, call=event.call, b_leg_uuid=event.b_leg_uuid, hangup=event.hangup)
            _fold_leg(_leg(record, leg_ended, dial_id), leg_ended, dial_id)
    elif isinstance(event, LegEvent) and dial_id:
        _begin_dial(record.dials[dial_id], event.at)
        _fold_leg(_leg(record, event, dial_id), event, dial_id)
    elif isinstance(event, RecordingMade):
        _fold_recording(record, event, dial_id)


def end_plan(call: CallState, placement: Placement) -> None:
    """Record the plan's last word to the caller."""
    call.turned_away = _either(call.turned_away, placement.turned_away)
    call.ending = _either(call.ending, placement.ending)
    call.route = _either(call.route, placement.route)


def name_caller(call: CallState, contact_name: str) -> None:
    """Record the caller's name in the address book."""
    call.contact_name = _either(call.contact_name, contact_name)


def place(dial: DialState, placement: Placement, *, at: int) -> None:
    """Record that our reply started this dial. Of two replies that started it the earlier counts."""
    targets = _as_json(placement.targets)
    if dial.targets is not None and (dial.started_at, dial.targets) <= (at, targets):
        return
    dial.route, dial.step, dial.round = placement.route, placement.step, placement.round
    dial.targets, dial.started_at = targets, at
    dial.starts_with_prompt = placement.starts_with_prompt or None


@lru_cache(maxsize=1024)  # A plan has few sets of targets.
def _as_json(targets: tuple[str, ...]) -> str:
    return json.dumps(targets, separators=(",", ":"))


def earliest(first: int | None, second: int | None) -> int | None:
    """Return the earlier of two times, of which either may be missing."""
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)


def _either(first: str | None, second: str | None) -> str | None:
    """Return one of two words for the same thing, independently of their order: the greater one."""
    if first is None or second is None:
        return second if first is None else first
    return max(first, second)


def _begin_dial(dial: DialState, at: int) -> None:
    # Our own reply knows when the dial started; of any other dial only the first report is known.
    if dial.targets is None:
        dial.started_at = min(dial.started_at, at)


def _fold_call(call: CallState, event: Event) -> None:
    said, heard = SOURCE_RANK[event.source], SOURCE_RANK[call.heard_from]
    if said > heard:
        _forget_facts(call, event)
    elif said < heard:
        return
    call.started_at = min(call.started_at, event.at)
    if not isinstance(event, LegEvent):  # The standard parameters of a leg's events may be the leg's own.
        _take_facts(call, event.call)


def _forget_facts(call: CallState, event: Event) -> None:
    """Drop what only weaker sources said, now that there is a better one."""
    call.heard_from, call.started_at = event.source.value, event.at
    call.from_number = call.to_number = call.direction = call.caller_name = None
    call.forwarded_from = call.request_uuid = None
    if call.ended_by == Source.CDR:
        call.call_status = "completed"


def _take_facts(call: CallState, facts: CallFacts) -> None:
    if facts.session_start is not None:
        call.started_at = min(call.started_at, facts.session_start)
    call.from_number = _either(call.from_number, facts.from_number)
    call.to_number = _either(call.to_number, facts.to_number)
    call.direction = _either(call.direction, facts.direction)
    call.caller_name = _either(call.caller_name, facts.caller_name)
    call.forwarded_from = _either(call.forwarded_from, facts.forwarded_from)
    call.request_uuid = _either(call.request_uuid, facts.request_uuid)
    if call.ended_by != Source.WEBHOOK and facts.call_status not in {None, call.call_status}:
        call.call_status = max(call.call_status, facts.call_status, key=status_rank)


def _end_call(call: CallState, event: CallHungUp) -> None:
    if event.source is Source.WEBHOOK:
        # The notice has the last status; a request sent before it may arrive after it.
        status = ended_status(event.call.call_status)
    else:
        status = max(call.call_status, "completed", key=status_rank) or "completed"
    ended_at = event.ended_at if event.ended_at is not None else event.at
    reported = end_rank(event.source, event.hangup, status, ended_at, event.answered_at)
    known = end_rank(call.ended_by, _hangup_of(call), call.call_status, call.ended_at, call.answered_at)
    if call.ended_by is None or reported > known:
        call.call_status, call.ended_at, call.answered_at = status, ended_at, event.answered_at
        _take_hangup(call, event.hangup, event.source)


def _leg(record: CallRecord, event: LegEvent, dial_id: str) -> LegState:
    leg = record.legs.get(event.b_leg_uuid)
    if leg is None:
        leg = record.legs[event.b_leg_uuid] = LegState(record.call.call_key, event.b_leg_uuid, dial_id)
    return leg


def _fold_leg(leg: LegState, event: LegEvent, dial_id: str) -> None:
    _take_leg_facts(leg, event, dial_id)
    if isinstance(event, LegAnswered):
        leg.answered_at = earliest(leg.answered_at, event.at)
    elif isinstance(event, LegConnected):
        leg.connected_at = earliest(leg.connected_at, event.at)
    elif isinstance(event, LegHungUp):
        _end_leg(leg, event)
    elif isinstance(event, DigitsPressed):
        pressed = {*(leg.digits or "").split(","), *event.digits.split(",")} - {""}
        leg.digits = ",".join(sorted(pressed)) or ","


def _take_leg_facts(leg: LegState, event: LegEvent, dial_id: str) -> None:
    is_heard = (
        leg.answered_at is not None
        or leg.connected_at is not None
        or leg.digits is not None
        or leg.ended_by == Source.WEBHOOK
    )
    if event.source is not Source.WEBHOOK and is_heard:
        return
    if event.source is Source.WEBHOOK and not is_heard:
        leg.dial_id, leg.target, leg.position = dial_id, None, None
    leg.dial_id = max(leg.dial_id, dial_id)
    leg.target = _either(leg.target, event.target)
    if event.position is not None:
        leg.position = max(leg.position or 0, event.position)


def _end_leg(leg: LegState, event: LegHungUp) -> None:
    ended_at = event.ended_at if event.ended_at is not None else event.at
    reported = end_rank(event.source, event.hangup, None, ended_at, event.answered_at)
    known = end_rank(leg.ended_by, _hangup_of(leg), None, leg.ended_at, leg.answer_time)
    if leg.ended_by is None or reported > known:
        leg.ended_at, leg.answer_time = ended_at, event.answered_at
        _take_hangup(leg, event.hangup, event.source)


def _hangup_of(state: CallState | LegState) -> Hangup:
    return Hangup(
        cause=state.hangup_cause,
        name=state.hangup_name,
        code=state.hangup_code,
        source=state.hangup_source,
        duration=state.duration,
        bill_duration=state.bill_duration,
        cost=state.cost,
    )


def _take_hangup(state: CallState | LegState, hangup: Hangup, source: Source) -> None:
    state.ended_by = source.value
    state.hangup_cause, state.hangup_name = hangup.cause, hangup.name
    state.hangup_code, state.hangup_source = hangup.code, hangup.source
    state.duration, state.bill_duration, state.cost = hangup.duration, hangup.bill_duration, hangup.cost


def _report(dial: DialState, event: DialEnded, receipt_key: int | None) -> None:
    is_signed = event.source is not Source.PHLO
    if not is_signed and dial.targets is not None:
        return  # Our document placed the dial, so no PHLO did.
    code = code_of(event.hangup.code, event.hangup.name, event.hangup.cause)
    if dial.reported_at is not None:
        said = report_rank(event.status, event.b_leg_uuid, event.cause, event.rang, code)
        known = report_rank(
            dial.dial_status, dial.b_leg_uuid, dial.dial_hangup_cause, dial.dial_ring_status, dial.report_code
        )
        if (dial.reported_by != Source.PHLO, known, -dial.reported_at) >= (is_signed, said, -event.at):
            return
    dial.dial_status, dial.dial_ring_status = event.status, event.rang
    dial.dial_hangup_cause, dial.b_leg_uuid = event.cause, event.b_leg_uuid
    dial.reported_at, dial.report_key = event.at, receipt_key
    dial.report_code, dial.reported_by = code, event.source.value


def _fold_recording(record: CallRecord, event: RecordingMade, dial_id: str | None) -> None:
    recording = record.recordings.get(event.recording_id)
    if recording is None:
        recording = RecordingState(record.call.call_key, event.recording_id, recorded_at=event.at)
        record.recordings[event.recording_id] = recording
    recording.dial_id = _either(recording.dial_id, dial_id)
    recording.url = _either(recording.url, event.url)
    if event.milliseconds is not None:
        recording.milliseconds = max(recording.milliseconds or 0, event.milliseconds)
    recording.recorded_at = min(recording.recorded_at, event.at)
    recording.transcription = _either(recording.transcription, event.transcription)
