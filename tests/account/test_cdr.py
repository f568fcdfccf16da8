"""Call detail records, translated into the events that webhooks become."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.account.reconcile import dial_of
from app.records.model.receipt import Receipt, receipt_from_json, receipt_to_json
from app.records.reading.incomplete import KnownDial
from app.voice.cdr import parse_record, record_params
from app.voice.events import CallFacts, CallHungUp, Hangup, Kind, LegHungUp, Source
from tests.account.plivo_objects import record

INDIA = ZoneInfo("Asia/Kolkata")
TIMES = {
    "initiation_time": "2015-07-26 15:44:49+05:30",
    "answer_time": "2015-07-26 15:45:02+05:30",
    "end_time": "2015-07-26 15:45:14+05:30",
}


def milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def parse(fields: dict[str, Any]) -> CallHungUp | LegHungUp:
    return parse_record(dict(record_params(record("a-leg", **TIMES | fields))), at=5, zone=UTC)


def test_an_a_leg_becomes_the_end_of_a_call() -> None:
    assert parse({}) == CallHungUp(
        at=milliseconds("2015-07-26 15:44:49+05:30"),
        call=CallFacts(
            call_uuid="a-leg",
            from_number="+14155550100",
            to_number="+14155550199",
            direction="inbound",
            session_start=milliseconds("2015-07-26 15:44:49+05:30"),
        ),
        source=Source.CDR,
        hangup=Hangup(name="Normal Hangup", code=4000, source="Callee", duration=12, bill_duration=60, cost="0.00500"),
        answered_at=milliseconds("2015-07-26 15:45:02+05:30"),
        ended_at=milliseconds("2015-07-26 15:45:14+05:30"),
    )


def test_a_b_leg_becomes_the_end_of_a_leg_of_its_a_leg() -> None:
    event = parse({"parent_call_uuid": "parent"})

    assert isinstance(event, LegHungUp)
    assert (event.call.call_uuid, event.b_leg_uuid, event.target) == ("parent", "a-leg", "+14155550199")


def test_an_older_record_without_cause_and_answer_is_read_as_far_as_it_goes() -> None:
    missing = ("answer_time", "hangup_cause_code", "hangup_cause_name", "hangup_source", "call_state")

    event = parse(dict.fromkeys(missing))

    assert (event.answered_at, event.hangup.code, event.hangup.name, event.hangup.source) == (None,) * 4


@pytest.mark.parametrize("text", ["", "yesterday", "2015-13-01 00:00:00"])
def test_a_time_that_cannot_be_read_is_the_time_it_was_heard(text: str) -> None:
    event = parse({"initiation_time": text, "end_time": text})

    assert (event.at, event.ended_at) == (5, None)


def test_a_time_without_offset_is_in_the_accounts_zone() -> None:
    params = dict(record_params(record("a-leg", end_time="2015-07-26 15:45:14")))

    assert parse_record(params, at=5, zone=INDIA).ended_at == milliseconds("2015-07-26 15:45:14+05:30")


def test_the_same_record_read_twice_has_the_same_parameters() -> None:
    first = record("a-leg", **TIMES, api_id="one")
    second = record("a-leg", **TIMES, api_id="another")

    assert record_params(first) == record_params(second)


def test_the_receipt_of_a_record_is_read_again_as_what_it_was() -> None:
    params = record_params(record("a-leg", **TIMES, parent_call_uuid="parent"))
    kept = Receipt(
        kind=Kind.CDR,
        method="GET",
        path="Call/a-leg/",
        query="",
        params=params,
        signature="unchecked",
        sender=None,
        request_id=None,
        received_at=5,
        dial_id="dial",
        event=parse_record(dict(params), at=5, zone=INDIA),
    )

    assert receipt_from_json(receipt_to_json(kept), INDIA) == kept


def known(dial_id: str, started_at: int, target: str = "+1", b_leg_uuid: str | None = None) -> KnownDial:
    return KnownDial(dial_id=dial_id, started_at=started_at, targets=(target,), b_leg_uuid=b_leg_uuid, is_open=False)


def leg(at: int, target: str = "+1") -> LegHungUp:
    return LegHungUp(at=at, call=CallFacts(call_uuid="a"), b_leg_uuid="b", target=target, hangup=Hangup())


@pytest.mark.parametrize(
    ("dials", "its_leg", "expected"),
    [
        ([], leg(0), None),
        ([known("only", 9)], leg(0, "+2"), "only"),
        ([known("first", 0), known("second", 1200)], leg(1000), "second"),
        ([known("first", 0), known("second", 1200)], leg(0), "first"),
        ([known("first", 0, "+1"), known("second", 1200, "+2")], leg(0, "+2"), "second"),
        ([known("first", 0, "+1"), known("second", 1200, "+2", "b")], leg(0, "+1"), "second"),
    ],
)
def test_a_leg_finds_its_dial(dials: list[KnownDial], its_leg: LegHungUp, expected: str | None) -> None:
    assert dial_of(its_leg, dials) == expected
    assert dial_of(its_leg, dials[::-1]) == expected
