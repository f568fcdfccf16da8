"""Requests translated into events: recorded ones, odd ones and hostile ones."""

import dataclasses
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.voice.events import (
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
    LegHungUp,
    RecordingMade,
)
from app.voice.parsing import is_hangup, parse
from app.voice.times import parse_time
from app.voice.values import TEXT_LIMIT
from tests.voice import samples

AT = 1_730_000_000_000  # Later than every sample.
INDIA = timezone(timedelta(hours=5, minutes=30))


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def parsed(kind: Kind, body: str) -> Event:
    return parse(kind, samples.fields(body), at=AT, zone=INDIA)


def test_a_ringing_outbound_call() -> None:
    assert parsed(Kind.RING, samples.RING) == CallRinging(
        at=AT,
        call=CallFacts(
            call_uuid="38cb006a-1",
            from_number="+919812345678",
            to_number="+919887654321",
            direction="outbound",
            call_status="ringing",
            request_uuid="38cb006a-1",
            session_start=milliseconds("2024-10-25T14:13:35.846+00:00"),
        ),
    )


@pytest.mark.parametrize(
    ("body", "from_number", "to_number", "direction"),
    [
        (samples.START, "+919812345678", "+919887654321", "outbound"),
        (samples.ANSWER_INDIA_2026, "+919812345678", "+919887654321", "inbound"),
        (samples.ANSWER_2012, "+14155550100", "+14155550199", "inbound"),
        (samples.ANSWER_SIP_2015, "+1111111111", "sip:abcd150105094929@phone.plivo.com", "outbound"),
    ],
)
def test_a_call_asks_what_to_do(body: str, from_number: str, to_number: str, direction: str) -> None:
    event = parsed(Kind.ANSWER, body)

    assert isinstance(event, CallAsked)
    assert (event.call.from_number, event.call.to_number, event.call.direction) == (from_number, to_number, direction)
    assert event.call.call_uuid == samples.fields(body)["CallUUID"]


def test_a_hangup_mixes_utc_with_the_accounts_own_time() -> None:
    event = parsed(Kind.HANGUP, samples.HANGUP_ANSWERED)

    assert isinstance(event, CallHungUp)
    assert event.call.session_start == milliseconds("2024-09-26T08:35:10.911+00:00")
    assert event.answered_at == milliseconds("2024-09-26T14:05:18+05:30")
    assert event.ended_at == milliseconds("2024-09-26T14:06:23+05:30")
    assert event.hangup == Hangup(
        cause="NORMAL_CLEARING",
        name="Normal Hangup",
        code=4000,
        source="Callee",
        duration=66,
        bill_duration=120,
        cost="0.01000",
    )


def test_a_hangup_of_a_call_that_nobody_answered() -> None:
    event = parsed(Kind.HANGUP, samples.HANGUP_BUSY)

    assert isinstance(event, CallHungUp)
    assert event.answered_at is None
    assert event.call.call_status == "busy"
    assert event.call.from_number == "+919812345678"
    assert (event.hangup.code, event.hangup.cause, event.hangup.duration) == (3010, "USER_BUSY", 0)


@pytest.mark.parametrize(
    ("body", "code", "duration"),
    [
        (samples.HANGUP_END_OF_XML, 4010, 8),
        (samples.HANGUP_INBOUND_2016, None, 28),
        (samples.HANGUP_SIP_2016, None, 5),
    ],
)
def test_older_and_shorter_hangups(body: str, code: int | None, duration: int) -> None:
    event = parsed(Kind.HANGUP, body)

    assert isinstance(event, CallHungUp)
    assert (event.hangup.code, event.hangup.duration) == (code, duration)


def test_an_answer_url_request_can_be_a_hangup() -> None:
    assert is_hangup(samples.fields(samples.HANGUP_ANSWERED))
    assert not is_hangup(samples.fields(samples.START))


def test_a_callee_picks_up() -> None:
    assert parsed(Kind.CALLBACK, samples.CALLBACK_ANSWER_2016) == LegAnswered(
        at=AT, call=CallFacts(call_uuid="a-8"), b_leg_uuid="b-8", target="+447700900456", position=1
    )


def test_a_callees_side_ends() -> None:
    event = parsed(Kind.CALLBACK, samples.CALLBACK_HANGUP)

    assert isinstance(event, LegHungUp)
    assert (event.b_leg_uuid, event.target) == ("b-8", "+447700900456")
    assert event.hangup == Hangup(
        cause="NORMAL_CLEARING",
        name="Normal Hangup",
        code=4000,
        source="Callee",
        duration=11,
        bill_duration=60,
        cost="0.01781",
    )


def test_a_target_loses_the_race() -> None:
    event = parsed(Kind.CALLBACK, samples.CALLBACK_LOST_RACE)

    assert isinstance(event, LegHungUp)
    assert (event.b_leg_uuid, event.hangup.code, event.hangup.cause) == ("b-9", 9000, "LOSE_RACE")


def test_digits_are_pressed() -> None:
    event = parsed(Kind.CALLBACK, samples.CALLBACK_DIGITS)

    assert isinstance(event, DigitsPressed)
    assert (event.b_leg_uuid, event.digits, event.by) == ("b-8", "55", "bleg")


@pytest.mark.parametrize("name", ["DialAction", "DialBLegStatus"])
@pytest.mark.parametrize(
    ("word", "kind"), [("answer", LegAnswered), ("connected", LegConnected), ("hangup", LegHungUp)]
)
def test_any_one_of_plivos_three_names_for_it_is_enough(name: str, word: str, kind: type[Event]) -> None:
    assert isinstance(parse(Kind.CALLBACK, {name: word, "DialBLegUUID": "b", "CallUUID": "a"}, at=AT), kind)


@pytest.mark.parametrize(
    ("word", "kind"), [("DialAnswer", LegAnswered), ("DialConnected", LegConnected), ("DialHangup", LegHungUp)]
)
def test_the_event_alone_is_enough(word: str, kind: type[Event]) -> None:
    assert isinstance(parse(Kind.CALLBACK, {"Event": word, "DialBLegUUID": "b", "CallUUID": "a"}, at=AT), kind)


@pytest.mark.parametrize(
    "params",
    [
        {"DialAction": "answer", "DialALegUUID": "a", "DialBLegUUID": ""},
        {"DialAction": "levitated", "DialALegUUID": "a", "DialBLegUUID": "b"},
        {"DialAction": "digits", "DialALegUUID": "a", "DialBLegUUID": "b", "DialDigitsMatch": ""},
    ],
)
def test_a_callback_that_tells_nothing_about_a_leg_is_only_noted(params: dict[str, str]) -> None:
    event = parse(Kind.CALLBACK, params, at=AT)

    assert isinstance(event, CallNoted)
    assert event.call.call_uuid == "a"


@pytest.mark.parametrize("kind", [Kind.ACTION, Kind.PHLO])
def test_a_dial_is_completed(kind: Kind) -> None:
    assert parsed(kind, samples.ACTION_COMPLETED) == DialEnded(
        at=AT,
        call=CallFacts(call_uuid="52bb0058-902d-11e4-9681-2d7d49a323a0"),
        status="completed",
        rang=True,
        cause="NORMAL_CLEARING",
        b_leg_uuid="54f84290-902d-11e4-96df-2d7d49a323a0",
    )


def test_a_dial_nobody_answered_has_no_b_leg() -> None:
    event = parsed(Kind.ACTION, samples.ACTION_NO_ANSWER)

    assert isinstance(event, DialEnded)
    assert (event.status, event.rang, event.b_leg_uuid) == ("no-answer", True, None)
    assert (event.call.call_uuid, event.call.from_number) == ("A", "+14155550100")


@pytest.mark.parametrize(
    ("said", "rang"), [("true", True), ("True", True), ("false", False), ("FALSE", False), ("", None), ("yes", None)]
)
def test_whether_it_rang_is_yes_no_or_not_known(said: str, rang: bool | None) -> None:
    event = parse(Kind.ACTION, {"DialRingStatus": said}, at=AT)

    assert isinstance(event, DialEnded)
    assert event.rang is rang


def test_the_a_leg_that_a_dial_names_outweighs_the_call_uuid() -> None:
    assert parse(Kind.ACTION, {"CallUUID": "other", "DialALegUUID": "a"}, at=AT).call.call_uuid == "a"


@pytest.mark.parametrize("kind", [Kind.VOICEMAIL, Kind.RECORDING])
def test_a_recording_that_is_not_finished_has_no_length(kind: Kind) -> None:
    assert parsed(kind, samples.RECORD_ACTION) == RecordingMade(
        at=AT,
        call=CallFacts(call_uuid="a-15"),
        recording_id="daddbf04-9585-11e4-a4c8-782bcb5bb8af",
        url="https://media.plivo.com/a.mp3",
    )


def test_the_record_api_writes_its_names_differently() -> None:
    event = parsed(Kind.RECORDING, samples.RECORD_API)

    assert isinstance(event, RecordingMade)
    assert (event.url, event.milliseconds) == ("https://media.plivo.com/b.mp3", 22_000)


@pytest.mark.parametrize("body", [samples.MACHINE, "", "Digits=1"])
def test_what_names_no_recording_is_only_noted(body: str) -> None:
    assert isinstance(parsed(Kind.RECORDING, body), CallNoted)


@pytest.mark.parametrize("kind", [Kind.CONFIRM, Kind.FALLBACK])
def test_a_callees_side_may_ask_so_its_numbers_are_not_the_calls(kind: Kind) -> None:
    assert parsed(kind, samples.START) == CallNoted(at=AT, call=CallFacts(call_uuid="38cb006a-1"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-09-26 14:05:08", "2024-09-26T14:05:08+05:30"),
        ("2024-09-26 14:05:08.5", "2024-09-26T14:05:08.500+05:30"),
        ("2015-07-26 15:45:02+00:00", "2015-07-26T15:45:02+00:00"),
        ("2000-01-01 00:00:00+00:00", "2000-01-01T00:00:00+00:00"),
    ],
)
def test_a_time_without_offset_is_in_the_accounts_zone(text: str, expected: str) -> None:
    assert parse_time(text, INDIA) == milliseconds(expected)


@pytest.mark.parametrize(
    "text",
    [None, "", "yesterday", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "1999-12-31 00:00:00+00:00", "2100-01-01"],
)
def test_a_time_no_call_can_have_is_none(text: str | None) -> None:
    assert parse_time(text, UTC) is None


@pytest.mark.parametrize("said", ["-1", "", "1.5", "٣", "1e3", " 7", "9999999999", "0x10"])
def test_a_count_that_is_none_is_left_out(said: str) -> None:
    event = parse(Kind.HANGUP, {"Duration": said, "HangupCauseCode": said}, at=AT)

    assert isinstance(event, CallHungUp)
    assert (event.hangup.duration, event.hangup.code) == (None, None)


def test_long_ids_stay_different_and_short_enough_for_an_index() -> None:
    ids = [
        str(parse(Kind.RING, {"CallUUID": text}, at=AT).call.call_uuid)
        for text in ("x" * 300 + "1", "x" * 300 + "2", "nul\0", "nul\ufffd", "\ud800", "\udfff")
    ]

    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) <= TEXT_LIMIT


NAMES = [
    *("CallUUID", "From", "To", "Direction", "CallStatus", "CallerName", "Event", "RequestUUID", "SessionStart"),
    *("ForwardedFrom", "DialStatus", "DialRingStatus", "DialHangupCause", "DialALegUUID", "DialBLegUUID"),
    *("DialAction", "DialBLegStatus", "DialBLegTo", "DialBLegPosition", "DialBLegDuration", "DialDigitsMatch"),
    *("DialDigitsPressedBy", "HangupCauseCode", "HangupCause", "HangupSource", "Duration", "BillDuration"),
    *("AnswerTime", "EndTime", "TotalCost", "RecordingID", "RecordUrl", "RecordingDuration", "RecordingDurationMs"),
    *("recording_id", "record_url", "recording_duration"),
]
WORDS = [
    "answer",
    "connected",
    "hangup",
    "digits",
    "true",
    "-1",
    "0",
    "999999999",
    "2024-09-26 14:05:08",
    "+1415555010",
]
TEXTS = st.one_of(
    st.sampled_from(WORDS),
    st.text(st.characters(codec=None), max_size=400),
    st.datetimes().map(str),
    st.integers().map(str),
)


@given(kind=st.sampled_from(Kind), params=st.dictionaries(st.sampled_from(NAMES), TEXTS))
def test_whatever_comes_is_translated_into_what_every_store_can_hold(kind: Kind, params: dict[str, str]) -> None:
    event = parse(kind, params, at=AT, zone=INDIA)

    values = [*_leaves(dataclasses.asdict(event))]
    assert all("\0" not in value and value.encode() for value in values if isinstance(value, str) and value)
    assert all(0 <= value < 2**31 for value in values if isinstance(value, int) and value < 946_684_800_000)


def _leaves(tree: dict[str, object]) -> list[object]:
    return [leaf for value in tree.values() for leaf in (_leaves(value) if isinstance(value, dict) else [value])]
