"""Class B: calls that nobody was rung for are calls too. Each case is named by its id."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.context import EXTENSION
from tests.field.conftest import ALICE, App, Line, read
from tests.records.reading import rows

OTHER_DAY = f"{datetime.now(UTC) + timedelta(days=3):%A}".lower()
CLOSED = f"""
[routes.main]
hours = {{ time_zone = "UTC", {OTHER_DAY} = ["09:00-17:00"], otherwise = "message" }}
steps.first = {{ ring = ["{ALICE}"] }}

[endings.message]
voicemail = "We are closed. Please leave a message."
"""
BLOCKED = f"""
[routes.main]
blocked = {{ callers = ["+14155550100"] }}
steps.first = {{ ring = ["{ALICE}"] }}
"""


def call_of(line: Line, *columns: str) -> tuple[Any, ...]:
    """Return columns of the line's call."""
    [row] = rows(
        line.app.extensions[EXTENSION].store,
        f"SELECT {', '.join(columns)} FROM calls WHERE call_uuid = '{line.call_uuid}'",
    )
    return row


def listed(line: Line) -> Any:
    """Return the only call of the API's list."""
    [call] = read(line.app, "/api/v1/calls")["calls"]
    assert read(line.app, f"/api/v1/calls?outcome={call['outcome']}")["calls"] == [call]
    return call


def leave_message(line: Line, **params: str) -> None:
    """Report a recording that the caller made."""
    told = {"CallUUID": line.call_uuid, "RecordingID": "the-recording", "RecordUrl": "https://media.example.com/a.mp3"}
    line.post(line.url("callbackUrl"), **told, **params)


def test_b1_a_message_outside_opening_hours_is_the_outcome_of_its_call(make_app: App) -> None:
    line = Line(make_app(plan=CLOSED)).answer()
    leave_message(line, RecordingDuration="31", RecordingDurationMs="31000")
    line.hangup()

    assert call_of(line, "outcome", "turned_away", "recording_id", "route", "dial_count") == (
        "message_left",
        "closed",
        "the-recording",
        "main",
        0,
    )
    call = listed(line)
    assert (call["outcome"], call["reason"], call["message"]["milliseconds"]) == ("message_left", "closed", 31_000)


def test_b1_a_message_that_is_reported_after_the_hangup_counts_as_well(make_app: App) -> None:
    line = Line(make_app(plan=CLOSED)).answer().hangup()
    assert call_of(line, "outcome") == ("closed",)

    leave_message(line, RecordingDuration="31")

    assert call_of(line, "outcome", "recording_id") == ("message_left", "the-recording")


@pytest.mark.parametrize("length", [{"RecordingDurationMs": "300"}, {"RecordingDurationMs": "-1"}, {}])
def test_b1_a_click_at_the_beep_is_no_message(make_app: App, length: dict[str, str]) -> None:
    line = Line(make_app(plan=CLOSED)).answer()
    leave_message(line, **length)
    line.hangup()

    assert call_of(line, "outcome", "recording_id") == ("closed", None)


@pytest.mark.parametrize("source", ["Plivo", "Caller"])
def test_b2_a_blocked_caller_has_a_call(make_app: App, source: str) -> None:
    line = Line(make_app(plan=BLOCKED)).answer().hangup(source)

    assert call_of(line, "outcome", "ending", "dial_count") == ("blocked", "hangup", 0)
    assert (listed(line)["outcome"], listed(line)["dials"]) == ("blocked", 0)


@pytest.mark.parametrize(
    ("status", "cause", "code", "outcome"),
    [
        ("busy", "USER_BUSY", "3010", "busy"),
        ("no-answer", "NO_ANSWER", "3000", "missed"),
        ("timeout", "NO_ANSWER", "6010", "missed"),
        ("failed", "CALL_REJECTED", "3020", "rejected"),
        ("failed", "UNALLOCATED_NUMBER", "2010", "unreachable"),
        ("cancel", "ORIGINATOR_CANCEL", "1000", "caller_gave_up"),
    ],
)
def test_b3_an_outgoing_call_without_a_dial_has_the_outcome_of_its_a_leg(
    make_app: App, status: str, cause: str, code: str, outcome: str
) -> None:
    line = Line(make_app(), direction="Outbound")
    line.post("/dialstatus/ring/", **line.standard("ringing"), Event="Ring", RequestUUID=line.call_uuid)
    line.hangup("Carrier", HangupCauseCode=code, CallStatus=status, HangupCause=cause, Duration="0", AnswerTime="")

    assert call_of(line, "outcome", "direction", "answered_by") == (outcome, "outbound", None)
    assert (listed(line)["outcome"], listed(line)["direction"]) == (outcome, "outbound")


def test_b3_a_busy_outgoing_call_has_its_facts_without_a_dial(make_app: App) -> None:
    line = Line(make_app(), direction="outbound")
    line.post("/dialstatus/ring/", **line.standard("ringing"), Event="Ring", RequestUUID=line.call_uuid)
    line.hangup(
        "Carrier", HangupCauseCode="3010", CallStatus="busy", HangupCause="USER_BUSY", Duration="0", AnswerTime=""
    )

    record = line.record
    assert record["dials"] == []
    call = record["call"]
    assert (call["call_status"], call["direction"], call["hangup_code"]) == ("busy", "outbound", 3010)
    assert (call["answered_at"], call["duration"]) == (None, 0)


def test_b4_a_caller_who_hangs_up_during_the_greeting_gave_up(make_app: App) -> None:
    plan = f"""
    [routes.main]
    greeting = "Welcome to the example company. Please hold the line."
    steps.first = {{ ring = ["{ALICE}"] }}
    """
    line = Line(make_app(plan=plan)).answer().wait(2).hangup("Caller")

    assert call_of(line, "outcome", "waited_seconds") == ("caller_gave_up", 2)


def test_b4_a_caller_who_hangs_up_during_the_greeting_gave_up_before_it_is_known_to_ring(make_app: App) -> None:
    plan = f"""
    [routes.main]
    greeting = "Welcome to the example company. Please hold the line."
    steps.first = {{ ring = ["{ALICE}"] }}
    """
    line = Line(make_app(plan=plan)).answer().wait(2).hangup("Caller")

    [dial] = line.dials
    assert (dial["outcome"], dial["ring_seconds"]) == ("caller_gave_up", None)
    assert "rang" not in dial["explanation"]


def test_a_second_step_that_is_missed_is_one_missed_call(line: Line) -> None:
    line.answer().action("no-answer", "NO_ANSWER")
    line.action("busy", "USER_BUSY")
    line.hangup("Caller")

    assert call_of(line, "outcome", "dial_count", "ending", "turned_away") == ("missed", 2, "say", None)
