"""The API's calls: every call once, newest first, found by its own values and by those of its dials."""

import csv
import io
import json
from typing import Any

import pytest

from app.records.model.ids import now
from app.records.model.state import Placement
from app.voice.events import Kind
from tests.reports.conftest import Caller
from tests.reports.history import make_receipt

CALL_FIELDS = (
    "call_uuid direction from to caller_name route outcome reason answered_by started_at answered_at ended_at "
    "waited_seconds talk_seconds cost hangup_code hangup_name hangup_source dials message followup"
)
HOUR = 3_600_000
TARGET = "+14155550123"


def hang_up(caller: Caller, call_uuid: str, **fields: str) -> None:
    """Report the end of a call."""
    caller.post("/dialstatus/hangup/", CallUUID=call_uuid, CallStatus="completed", HangupSource="Plivo", **fields)


def missed_call(caller: Caller, number: str = "+14155550199") -> str:
    """Make a call that nobody answers."""
    call_uuid, _ = caller.ended_call("no-answer", DialRingStatus="true", DialHangupCause="NO_ANSWER", caller=number)
    hang_up(caller, call_uuid)
    return call_uuid


def message(caller: Caller, number: int, *, hours_ago: float = 0, turned_away: str | None = None) -> str:
    """Store a call without a dial in which the caller left a message."""
    call_uuid, at = f"message-{number}", now() - round(hours_ago * HOUR) - 10_000
    standard = {"CallUUID": call_uuid, "From": "14155550177", "To": "14155550100", "Direction": "inbound"}
    ending = Placement(None, route="night", ending="voicemail", turned_away=turned_away)
    recording = {"RecordingID": f"r{number}", "RecordUrl": "https://media.example.com/r.mp3", "RecordingDuration": "31"}
    caller.services.journal.append_all(
        [
            make_receipt(Kind.ANSWER, at, standard, placement=ending),
            make_receipt(Kind.RECORDING, at + 1000, {"CallUUID": call_uuid, **recording}),
            make_receipt(Kind.HANGUP, at + 2000, {**standard, "CallStatus": "completed", "HangupSource": "Caller"}),
        ]
    )
    return call_uuid


def uuids(caller: Caller, **query: Any) -> list[str]:
    """Return the UUIDs of the calls that match."""
    return [call["call_uuid"] for call in caller.read("calls", **query)["calls"]]


def test_a_call_of_two_dials_is_listed_once_with_its_outcome(caller: Caller) -> None:
    call_uuid = missed_call(caller)

    [call] = caller.read("calls")["calls"]

    assert set(call) == set(CALL_FIELDS.split())
    assert (call["call_uuid"], call["outcome"], call["dials"]) == (call_uuid, "missed", 1)
    assert (call["from"], call["to"], call["message"], call["followup"]) == (
        "+14155550199",
        "+14155550100",
        None,
        "open",
    )


def test_a_message_without_a_dial_is_listed_with_its_recording_and_reason(caller: Caller) -> None:
    call_uuid = message(caller, 1, turned_away="closed")

    [call] = caller.read("calls")["calls"]

    assert (call["outcome"], call["reason"], call["route"], call["dials"]) == ("message_left", "closed", "night", 0)
    assert (call["message"]["recording_id"], call["message"]["milliseconds"]) == ("r1", 31_000)
    whole = caller.read(f"calls/{call_uuid}")["call"]
    assert {name: whole[name] for name in call} == call


def test_calls_are_found_by_their_own_values(caller: Caller) -> None:
    missed = missed_call(caller, "+14155550188")
    left = message(caller, 1, turned_away="closed")
    open_call, _ = caller.call()
    everything = [open_call, missed, left]

    assert sorted(uuids(caller)) == sorted(everything)
    assert uuids(caller, outcome="missed") == [missed]
    assert sorted(uuids(caller, outcome="missed,message_left")) == sorted([missed, left])
    assert sorted(uuids(caller, outcome="missed,message_left", to="+14155550100")) == sorted([missed, left])
    assert uuids(caller, outcome="busy") == []
    assert uuids(caller, from_="14155550188") == [missed]
    assert uuids(caller, route="night") == [left]
    assert uuids(caller, direction="inbound") == [left]
    assert uuids(caller, has_message="true") == [left]
    assert sorted(uuids(caller, has_message="false")) == sorted([open_call, missed])
    assert uuids(caller, has_message="true", outcome="missed") == []


def test_a_filter_on_dials_finds_the_calls_with_such_a_dial(caller: Caller) -> None:
    missed = missed_call(caller)
    message(caller, 1)
    busy, _ = caller.ended_call("busy", DialHangupCause="USER_BUSY")

    assert uuids(caller, status="no-answer") == [missed]
    assert uuids(caller, cause="USER_BUSY") == [busy]
    assert uuids(caller, status="no-answer", cause="USER_BUSY") == []
    assert sorted(uuids(caller, target=TARGET)) == sorted([missed, busy])
    assert uuids(caller, target="+14155550000") == []


def test_a_time_may_be_an_age_or_a_date(caller: Caller) -> None:
    old, new = message(caller, 1, hours_ago=50), message(caller, 2)

    assert uuids(caller, since="24h") == [new]
    assert uuids(caller, since="7d") == [new, old]
    assert uuids(caller, until="1d") == [old]
    assert uuids(caller, since="2020-01-01", until="2020-01-02") == []
    assert uuids(caller, since="2020-01-01") == [new, old]
    assert uuids(caller, since="2020-01-01T00:00:00Z") == [new, old]


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("since", "yesterday", "enter 24h, 7d, a date"),
        ("since", "2026-02-31", "day"),
        ("outcome", "missed,lost", "use answered, message_left"),
        ("direction", "sideways", "use 'inbound' or 'outbound'"),
        ("has_message", "perhaps", "enter true or false"),
        ("colour", "blue", "there is no such parameter"),
    ],
)
def test_a_bad_value_is_refused_with_advice(lite_caller: Caller, name: str, value: str, advice: str) -> None:
    response = lite_caller.ask("calls", {name: value})

    assert response.status_code == 400
    assert response.json
    [error] = response.json["errors"]
    assert error["parameter"] == name
    assert advice in error["detail"]


def test_pages_follow_each_other_without_gap_or_repetition(caller: Caller) -> None:
    made = [message(caller, number, hours_ago=10 - number) for number in range(7)]
    found, cursor = [], None
    while True:
        page = caller.read("calls", limit=3, **({"cursor": cursor} if cursor else {}))
        found += [call["call_uuid"] for call in page["calls"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert found == made[::-1]


def test_files_hold_every_call_that_matches(caller: Caller) -> None:
    missed = missed_call(caller)
    left = message(caller, 1, turned_away="closed")

    rows = list(csv.DictReader(io.StringIO(caller.ask("calls.csv").text)))
    lines = [json.loads(line) for line in caller.ask("calls.jsonl", {"outcome": "missed"}).text.splitlines()]

    assert {row["call_uuid"]: row["outcome"] for row in rows} == {missed: "missed", left: "message_left"}
    assert {row["message"] for row in rows} == {"", "https://media.example.com/r.mp3"}
    assert [line["call_uuid"] for line in lines] == [missed]
    assert set(rows[0]) == set(lines[0]) == set(CALL_FIELDS.split())


def test_a_call_of_an_older_version_is_listed_without_an_outcome(caller: Caller) -> None:
    call_uuid = missed_call(caller)
    with caller.services.store.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE calls SET outcome = NULL")

    [call] = caller.read("calls")["calls"]

    assert (call["call_uuid"], call["outcome"]) == (call_uuid, None)
