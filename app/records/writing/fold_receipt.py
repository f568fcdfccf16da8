"""Fold receipts into the record of a call, up to a limit of dials, legs and recordings, and decide replies by it."""

import logging
from collections.abc import Mapping
from functools import lru_cache

from app.records.model.ids import make_key
from app.records.model.receipt import Receipt
from app.records.model.state import MOST_OF_A_CALL, CallRecord, CallState, DialState, Placement
from app.records.writing.derive import derive
from app.records.writing.fold import end_plan, fold, name_caller, place
from app.voice.events import DialEnded, Event, LegEvent, RecordingMade
from app.voice.hangup_causes import code_of
from app.voice.outcome import outcome_of_code

log = logging.getLogger(__name__)


def fold_receipt(
    record: CallRecord,
    event: Event,
    placement: Placement | None,
    *,
    dial_id: str | None,
    key: int,
    at: int,
    room: CallRecord | None = None,
) -> bool:
    """Fold a receipt into a record: the dial or the ending that its reply started, then its event.

    `dial_id` is the dial that the event is about, `key` the receipt's key, `at` when it was received. Returns False
    when the call is full and the receipt would add to it. `room` is the record that decides this, by default `record`.
    """
    room = room or record
    is_event_folded = _has_room_for(room, event, dial_id)
    dialled = placement.dial_id if placement else None
    is_placed = dialled is None or _has_room(room.dials, dialled)
    if is_event_folded and dial_id and isinstance(event, DialEnded | LegEvent):
        _dial(record, dial_id, event.at)
    if placement and placement.contact_name and event.call.call_uuid:
        name_caller(record.call, placement.contact_name)
    if is_placed and placement and event.call.call_uuid:
        if dialled is None:
            end_plan(record.call, placement)
        else:
            place(_dial(record, dialled, at), placement, at=at)
    if is_event_folded:
        fold(record, event, dial_id=dial_id, receipt_key=key)
    return is_event_folded and is_placed


def decide_again(record: CallRecord, receipt: Receipt, dial_id: str, key: int) -> Receipt:
    """Return the receipt with the reply that fits its record: a leg may have said more than the report does."""
    has_ended = record.call.ended_by is not None
    if receipt.decide_again is None or not (record.legs or has_ended):
        return receipt
    fold_receipt(record, receipt.event, None, dial_id=dial_id, key=key, at=receipt.received_at)
    derive(record)
    dial = record.dials.get(dial_id)
    legs = leg_outcomes(record, dial_id)
    decided = receipt.decide_again(dial.outcome, call_has_ended=has_ended, legs=legs) if dial else None
    return receipt if decided is None else receipt.with_reply(decided)


def leg_outcomes(record: CallRecord, dial_id: str) -> dict[str, str]:
    """Return the outcome of every target of a dial whose leg ended with a hangup code that says one."""
    found = {
        leg.target: outcome_of_code(code_of(leg.hangup_code, leg.hangup_name, leg.hangup_cause))
        for leg in record.legs.values()
        if leg.dial_id == dial_id and leg.target is not None
    }
    return {target: outcome.value for target, outcome in found.items() if outcome is not None}


def _has_room_for(room: CallRecord, event: Event, dial_id: str | None) -> bool:
    if isinstance(event, RecordingMade):
        return _has_room(room.recordings, event.recording_id)
    if dial_id and isinstance(event, LegEvent) and not _has_room(room.legs, event.b_leg_uuid):
        return False
    return not dial_id or not isinstance(event, DialEnded | LegEvent) or _has_room(room.dials, dial_id)


def _has_room(states: Mapping[str, object], name: str) -> bool:
    return len(states) < MOST_OF_A_CALL or name in states


@lru_cache(maxsize=256)  # Once for each call, so that a flood of receipts does not flood the log.
def log_full(call_uuid: str) -> None:
    """Log that receipts of a call are stored and no longer folded."""
    log.warning("call_full", extra={"call_uuid": call_uuid, "limit": MOST_OF_A_CALL})


def _dial(record: CallRecord, dial_id: str, at: int) -> DialState:
    dial = record.dials.get(dial_id)
    if dial is None:
        dial = record.dials[dial_id] = DialState(make_key(at), dial_id, record.call.call_key, started_at=at)
    return dial


def new_record(call_uuid: str, at: int) -> CallRecord:
    """Return the record of a call first heard of at a time in milliseconds."""
    return CallRecord(CallState(make_key(at), call_uuid, started_at=at))
