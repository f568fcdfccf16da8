"""Plivo's call detail records, translated into the same events as its webhooks.

The REST API returns a record after a call has ended (Plivo, the call object). Its names differ: a B leg has its A leg
as `parent_call_uuid`, its times carry an offset, and it does not say how a dial ended.
"""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from app.voice.events import CallFacts, CallHungUp, Event, Hangup, Kind, LegHungUp, Source
from app.voice.numbers import normalise
from app.voice.parsing import parse
from app.voice.times import parse_time
from app.voice.values import as_whole, as_word

Params = tuple[tuple[str, str], ...]

# Fields that differ each time a record is read, or say nothing about the call.
_OF_THE_REQUEST = frozenset({"api_id", "resource_uri"})


def record_params(record: Mapping[str, Any]) -> Params:
    """Return a record as parameters of a receipt, without those that are null."""
    return tuple(
        (name, str(value)) for name, value in record.items() if value is not None and name not in _OF_THE_REQUEST
    )


def parse_any(kind: Kind, params: Mapping[str, str], *, at: int, zone: tzinfo) -> Event:
    """Return the event of any receipt: a webhook's, a PHLO's or a record's, each with its source."""
    if kind is Kind.CDR:
        return parse_record(params, at=at, zone=zone)
    event = parse(kind, params, at=at, zone=zone)
    if kind is Kind.PHLO:
        # Plivo's webhooks say what became of the call; a PHLO's author can only repeat it.
        event.source, event.call = Source.PHLO, event.call._replace(call_status=None)
    return event


def parse_record(params: Mapping[str, str], *, at: int, zone: tzinfo) -> CallHungUp | LegHungUp:
    """Return the event of one record: `LegHungUp` for a B leg, else `CallHungUp`.

    The event's own time is when the leg began, else `at` (milliseconds). `zone` applies where a time has no offset.
    """
    began = parse_time(params.get("initiation_time"), zone)
    ended = parse_time(params.get("end_time"), zone)
    answered = parse_time(params.get("answer_time"), zone)
    parent, call_uuid = params.get("parent_call_uuid"), params.get("call_uuid")
    moment = began if began is not None else at
    if parent and call_uuid:
        return LegHungUp(
            at=moment,
            call=CallFacts(call_uuid=parent),
            source=Source.CDR,
            b_leg_uuid=call_uuid,
            target=normalise(params.get("to_number")),
            hangup=_hangup(params),
            answered_at=answered,
            ended_at=ended,
        )
    return CallHungUp(
        at=moment,
        call=CallFacts(
            call_uuid=call_uuid,
            from_number=normalise(params.get("from_number")),
            to_number=normalise(params.get("to_number")),
            direction=as_word(params.get("call_direction")),
            session_start=began,
        ),
        source=Source.CDR,
        hangup=_hangup(params),
        answered_at=answered,
        ended_at=ended,
    )


def _hangup(params: Mapping[str, str]) -> Hangup:
    # A webhook's BillDuration is rounded up, as is a record's billed_duration.
    return Hangup(
        name=params.get("hangup_cause_name"),
        code=as_whole(params.get("hangup_cause_code")),
        source=as_word(params.get("hangup_source")),
        duration=as_whole(params.get("call_duration")),
        bill_duration=as_whole(params.get("billed_duration")),
        cost=params.get("total_amount"),
    )
