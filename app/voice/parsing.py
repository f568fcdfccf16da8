"""Plivo's parameters, translated once.

`parse` turns the parameters of one request into one typed event. It never raises: a value that cannot be
read becomes None, and its raw text stays with the receipt. No other module knows Plivo's parameter names.
"""

import json
from collections.abc import Mapping
from datetime import UTC, tzinfo

from app.voice.events import (
    NO_HANGUP,
    CallAsked,
    CallFacts,
    CallHungUp,
    CallNoted,
    CallRinging,
    DialEnded,
    DigitsPressed,
    Event,
    Hangup,
    Kind,
    LegAnswered,
    LegConnected,
    LegEvent,
    LegHungUp,
    RecordingMade,
)
from app.voice.numbers import normalise
from app.voice.times import call_times, parse_time
from app.voice.values import LIVE_STATUSES, as_flag, as_identity, as_milliseconds, as_text, as_whole, as_word, storable

TRANSCRIPTION_LIMIT = 20_000  # Characters; Plivo publishes no limit.
_LEG_ENDED = ("DialBLegHangupCauseCode", "DialBLegHangupCauseName", "DialBLegHangupCause", "DialBLegDuration")
_HANGUP_NAMES = ("HangupCause", "HangupCauseCode", "HangupCauseName", "HangupSource", "EndTime")


def parse(kind: Kind, params: Mapping[str, str], *, at: int, zone: tzinfo = UTC) -> Event:
    """Return the event of one request.

    `params` are the decoded parameters, the first value of each name. `at` is the time of receipt in milliseconds.
    `zone` is the configured time zone of the Plivo account: StartTime, AnswerTime and EndTime carry no offset.
    """
    if kind in _OF_RECORDINGS:
        return _recording_made(_with_response(params), at)
    call = _call_facts(params)
    match kind:
        case Kind.ACTION | Kind.PHLO:
            return _dial_ended(params, at, call)
        case Kind.CALLBACK:
            return _leg_event(params, at, call)
        case Kind.HANGUP:
            return _call_hung_up(params, at, call, zone)
        case Kind.ANSWER:
            return CallAsked(at=at, call=call)
        case Kind.RING:
            return CallRinging(at=at, call=call)
        case _:
            # A callee's side may ask here (confirmSound), so its numbers are not the call's.
            return CallNoted(at=at, call=CallFacts(call_uuid=call.call_uuid))


def is_hangup(params: Mapping[str, str]) -> bool:
    """Return whether an answer URL request is a hangup notice: an application without hangup URL sends it there.

    Plivo documents the notice without an Event: then the end of the call shows in its other parameters.
    """
    get = params.get
    if event := get("Event"):
        return event.strip().casefold() == "hangup"
    if any(map(get, _HANGUP_NAMES)):
        return True
    is_measured = bool(get("Duration") or get("BillDuration"))
    return is_measured and (as_word(get("CallStatus")) or "ringing") not in LIVE_STATUSES


def _call_facts(params: Mapping[str, str]) -> CallFacts:
    get = params.get
    # Dial events belong to the A leg they name: a CallUUID alone may be another leg's.
    # In the order of its fields; by their names it takes more than twice as long.
    return CallFacts(
        as_identity(get("DialALegUUID")) or as_identity(get("CallUUID")),
        as_text(normalise(get("From"))),
        as_text(normalise(get("To"))),
        as_word(get("Direction")),
        as_word(get("CallStatus")),
        as_text(get("CallerName")),
        as_text(normalise(get("ForwardedFrom"))),
        as_identity(get("RequestUUID")),
        parse_time(get("SessionStart"), UTC),
        as_text(get("STIRVerification") or get("stir_verification")),
        as_text(get("STIRAttestation")),
    )


def _dial_ended(params: Mapping[str, str], at: int, call: CallFacts) -> DialEnded:
    get = params.get
    # Documented for the callback URL only; some senders write them here.
    says_why = any(map(get, _LEG_ENDED))
    return DialEnded(
        at=at,
        call=call,
        status=as_word(get("DialStatus")),
        rang=as_flag(get("DialRingStatus")),
        cause=as_word(get("DialHangupCause")),
        b_leg_uuid=as_identity(get("DialBLegUUID")),
        hangup=_hangup(params, "DialBLeg", "DialBLegTotalCost") if says_why else NO_HANGUP,
    )


# DialAction, Event and DialBLegStatus mean the same; senders differ in which of them they send.
_LEG_WORDS: dict[str, type[LegEvent]] = {
    "answer": LegAnswered,
    "dialanswer": LegAnswered,
    "connected": LegConnected,
    "dialconnected": LegConnected,
    "hangup": LegHungUp,
    "dialhangup": LegHungUp,
    "digits": DigitsPressed,
    "dialdigitsmatch": DigitsPressed,
}


def _leg_event(params: Mapping[str, str], at: int, call: CallFacts) -> Event:
    get = params.get
    b_leg_uuid = as_identity(get("DialBLegUUID"))
    said = [(get(name) or "").strip().lower() for name in ("DialAction", "Event", "DialBLegStatus")]
    event_class = next((_LEG_WORDS[word] for word in said if word in _LEG_WORDS), None)
    if b_leg_uuid is None or event_class is None:
        return CallNoted(at=at, call=call)
    target, position = as_text(normalise(get("DialBLegTo"))), as_whole(get("DialBLegPosition"))
    if event_class is LegHungUp:
        return LegHungUp(
            at=at,
            call=call,
            b_leg_uuid=b_leg_uuid,
            target=target,
            position=position,
            hangup=_hangup(params, "DialBLeg", "DialBLegTotalCost"),
        )
    if event_class is DigitsPressed:
        digits = as_text(get("DialDigitsMatch"))
        if digits is None:
            return CallNoted(at=at, call=call)
        by = (as_text(get("DialDigitsPressedBy")) or "").lower() or None
        return DigitsPressed(at=at, call=call, b_leg_uuid=b_leg_uuid, digits=digits, by=by)
    return event_class(at=at, call=call, b_leg_uuid=b_leg_uuid, target=target, position=position)


def _call_hung_up(params: Mapping[str, str], at: int, call: CallFacts, zone: tzinfo) -> CallHungUp:
    times = call_times(params, session_start=call.session_start, at=at, zone=zone)
    return CallHungUp(
        at=at,
        call=call if call.session_start is not None else call._replace(session_start=times.started_at),
        hangup=_hangup(params, "", "TotalCost"),
        answered_at=times.answered_at,
        ended_at=times.ended_at,
        derived_offset=times.derived_offset,
    )


def _hangup(params: Mapping[str, str], prefix: str, cost_name: str) -> Hangup:
    get = params.get
    return Hangup(
        cause=as_word(get(prefix + "HangupCause")),
        name=as_text(get(prefix + "HangupCauseName")),
        code=as_whole(get(prefix + "HangupCauseCode")),
        source=as_word(get(prefix + "HangupSource")),
        duration=as_whole(get(prefix + "Duration")),
        bill_duration=as_whole(get(prefix + "BillDuration")),
        cost=as_text(get(cost_name)),
    )


_OF_RECORDINGS = frozenset({Kind.RECORDING, Kind.VOICEMAIL})


def _recording_made(params: Mapping[str, str], at: int) -> Event:
    # The Record element writes RecordUrl, the Record API record_url: both may be pointed at us.
    get = params.get
    call = _call_facts(params)
    if call.call_uuid is None:
        call = call._replace(call_uuid=as_identity(get("call_uuid")))
    recording_id = as_identity(get("RecordingID") or get("recording_id"))
    if recording_id is None:
        return CallNoted(at=at, call=call)
    milliseconds = as_milliseconds(get("RecordingDurationMs") or get("recording_duration_ms"), unit=1)
    if milliseconds is None:
        milliseconds = as_milliseconds(get("RecordingDuration") or get("recording_duration"), unit=1000)
    url = storable(get("RecordUrl") or get("RecordFile") or get("record_url") or get("recording_url") or "") or None
    transcription = storable(get("transcription") or "")[:TRANSCRIPTION_LIMIT].strip() or None
    return RecordingMade(
        at=at, call=call, recording_id=recording_id, url=url, milliseconds=milliseconds, transcription=transcription
    )


def _with_response(params: Mapping[str, str]) -> Mapping[str, str]:
    """Return the parameters with those that the Record API writes as JSON into one field, `response`."""
    try:
        fields = json.loads(params.get("response") or "{}")
    except (ValueError, RecursionError):
        return params
    if not isinstance(fields, dict):
        return params
    named = {name: value for name, value in params.items() if value}
    return {**{name: str(value) for name, value in fields.items() if value is not None}, **named}
