"""Plivo's parameters, translated once.

`parse` turns the parameters of one request into one typed event. It never raises: a value that cannot be
read becomes None, and its raw text stays with the receipt. No other module knows Plivo's parameter names.
"""

import json
from collections.abc import Mapping
from datetime import UTC, tzinfo
from hashlib import blake2b

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

# Longest text kept in a column of its own. PostgreSQL refuses index entries above about 2,700 bytes; no value that
# Plivo documents comes near this. The whole text stays in the receipt.
TEXT_LIMIT = 255
TRANSCRIPTION_LIMIT = 20_000  # Characters; Plivo publishes no limit.
# What PHLO sends where it could not fill in a variable. As an id it would join strangers' calls into one.
_TEMPLATE = "{{"
_ENDED_STATUSES = frozenset({"completed", "busy", "failed", "no-answer", "cancel", "timeout"})
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
        return event == "Hangup"
    if any(map(get, _HANGUP_NAMES)):
        return True
    return get("CallStatus") in _ENDED_STATUSES and bool(get("Duration") or get("BillDuration"))


def _call_facts(params: Mapping[str, str]) -> CallFacts:
    get = params.get
    # Dial events belong to the A leg they name: a CallUUID alone may be another leg's.
    # In the order of its fields; by their names it takes more than twice as long.
    return CallFacts(
        _identity(get("DialALegUUID")) or _identity(get("CallUUID")),
        _text(normalise(get("From"))),
        _text(normalise(get("To"))),
        _text(get("Direction")),
        _text(get("CallStatus")),
        _text(get("CallerName")),
        _text(normalise(get("ForwardedFrom"))),
        _identity(get("RequestUUID")),
        parse_time(get("SessionStart"), UTC),
        _text(get("STIRVerification") or get("stir_verification")),
        _text(get("STIRAttestation")),
    )


def _dial_ended(params: Mapping[str, str], at: int, call: CallFacts) -> DialEnded:
    get = params.get
    # Documented for the callback URL only; some senders write them here.
    says_why = any(map(get, _LEG_ENDED))
    return DialEnded(
        at=at,
        call=call,
        status=_text(get("DialStatus")),
        rang=_flag(get("DialRingStatus")),
        cause=_text(get("DialHangupCause")),
        b_leg_uuid=_identity(get("DialBLegUUID")),
        hangup=_hangup(params, "DialBLeg", "DialBLegTotalCost") if says_why else NO_HANGUP,
    )


# DialAction, Event and DialBLegStatus mean the same; senders differ in which of them they send.
_LEG_WORDS: dict[str | None, type[LegEvent]] = {
    "answer": LegAnswered,
    "DialAnswer": LegAnswered,
    "connected": LegConnected,
    "DialConnected": LegConnected,
    "hangup": LegHungUp,
    "DialHangup": LegHungUp,
    "digits": DigitsPressed,
    "DialDigitsMatch": DigitsPressed,
}


def _leg_event(params: Mapping[str, str], at: int, call: CallFacts) -> Event:
    get = params.get
    b_leg_uuid = _identity(get("DialBLegUUID"))
    event_class = next(
        (_LEG_WORDS[word] for word in (get("DialAction"), get("Event"), get("DialBLegStatus")) if word in _LEG_WORDS),
        None,
    )
    if b_leg_uuid is None or event_class is None:
        return CallNoted(at=at, call=call)
    target, position = _text(normalise(get("DialBLegTo"))), _whole(get("DialBLegPosition"))
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
        digits = _text(get("DialDigitsMatch"))
        if digits is None:
            return CallNoted(at=at, call=call)
        by = (_text(get("DialDigitsPressedBy")) or "").lower() or None
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
        cause=_text(get(prefix + "HangupCause")),
        name=_text(get(prefix + "HangupCauseName")),
        code=_whole(get(prefix + "HangupCauseCode")),
        source=_text(get(prefix + "HangupSource")),
        duration=_whole(get(prefix + "Duration")),
        bill_duration=_whole(get(prefix + "BillDuration")),
        cost=_text(get(cost_name)),
    )


_OF_RECORDINGS = frozenset({Kind.RECORDING, Kind.VOICEMAIL})


def _recording_made(params: Mapping[str, str], at: int) -> Event:
    # The Record element writes RecordUrl, the Record API record_url: both may be pointed at us.
    get = params.get
    call = _call_facts(params)
    if call.call_uuid is None:
        call = call._replace(call_uuid=_identity(get("call_uuid")))
    recording_id = _identity(get("RecordingID") or get("recording_id"))
    if recording_id is None:
        return CallNoted(at=at, call=call)
    milliseconds = _whole(get("RecordingDurationMs") or get("recording_duration_ms"))
    seconds = _whole(get("RecordingDuration") or get("recording_duration"))
    if milliseconds is None and seconds is not None:
        milliseconds = _whole(str(seconds * 1000))
    url = _storable(get("RecordUrl") or get("RecordFile") or get("record_url") or get("recording_url") or "") or None
    transcription = _storable(get("transcription") or "")[:TRANSCRIPTION_LIMIT].strip() or None
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
    return {**{name: str(value) for name, value in fields.items() if value is not None}, **params}


def _text(value: str | None) -> str | None:
    if not value or _TEMPLATE in value:
        return None
    if value.isprintable() and len(value) <= TEXT_LIMIT:
        return value  # Nearly every value; neither NUL nor a surrogate can be printed.
    return _storable(value[:TEXT_LIMIT])


def _storable(value: str) -> str:
    """Replace what no store accepts: NUL (refused by PostgreSQL) and lone surrogates (no encoding can write them)."""
    if not value.isascii():
        value = value.encode(errors="replace").decode()
    return value.replace("\0", "\ufffd") if "\0" in value else value


def _identity(value: str | None) -> str | None:
    """Return an id. One that no column could hold is replaced by its digest, so that two never become one."""
    if not value or _TEMPLATE in value:
        return None
    if len(value) <= TEXT_LIMIT and (value.isprintable() or _storable(value) == value):
        return value
    return "hash-" + blake2b(value.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _flag(value: str | None) -> bool | None:
    return {"true": True, "false": False}.get((value or "").lower())


def _whole(value: str | None) -> int | None:
    """Return a count of up to nine ASCII digits. Plivo writes -1 for "not known yet"."""
    if value and value.isascii() and value.isdigit() and len(value) <= 9:
        return int(value)
    return None
