"""Class D: times. Each case is named by its id."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.context import EXTENSION
from app.records.maintenance.check import check
from app.voice.events import CallHungUp, Kind
from app.voice.parsing import parse
from tests.field.conftest import ALICE, REPORTS_TOKEN, App, Line
from tests.server.calls import inbound, new_uuid
from tests.support.server import Server

FORMAT = "%Y-%m-%d %H:%M:%S"
ZONES = ["Asia/Kolkata", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Kiritimati", "Etc/GMT+12", "UTC"]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def notice_times(start: datetime, zone: ZoneInfo, *, answered: float = 5, ended: float = 20) -> dict[str, str]:
    """Return the times of a hangup notice as Plivo writes them for an account in a zone."""

    def local(seconds: float) -> str:
        return (start + timedelta(seconds=seconds)).astimezone(zone).strftime(FORMAT)

    return {
        "SessionStart": start.astimezone(UTC).strftime(FORMAT + ".%f"),
        "StartTime": local(-2),
        "AnswerTime": local(answered),
        "EndTime": local(ended),
    }


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("configured", ["UTC", "Asia/Kolkata"])
def test_d1_the_zone_of_the_account_is_found(make_app: App, zone: str, configured: str) -> None:
    line = Line(make_app(PLIVO_TIMEZONE=configured))
    begun = line.at + timedelta(seconds=1)
    line.answer().wait(21).hangup("Caller", **notice_times(begun, ZoneInfo(zone)))

    call = line.record["call"]
    assert abs(moment(call["ended_at"]) - begun - timedelta(seconds=20)) < timedelta(seconds=1)
    assert abs(moment(call["answered_at"]) - begun - timedelta(seconds=5)) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("America/New_York", "2026-11-01 05:50"),  # Summer time ends at 06:00 UTC.
        ("America/New_York", "2026-11-01 06:10"),
        ("America/New_York", "2026-03-08 06:58"),  # It begins at 07:00.
        ("Europe/Berlin", "2026-10-25 00:50"),
        ("Europe/Berlin", "2026-10-25 01:10"),
        ("Australia/Lord_Howe", "2026-04-04 14:50"),  # By half an hour.
        ("Australia/Lord_Howe", "2026-04-04 15:10"),
    ],
)
@pytest.mark.parametrize("seconds", [60, 900, 3000])
def test_d1_the_hour_that_comes_twice_and_the_one_that_is_skipped(zone: str, start: str, seconds: int) -> None:
    begun = datetime.fromisoformat(f"{start}+00:00")
    times = notice_times(begun, ZoneInfo(zone), ended=seconds)
    at = round(begun.timestamp() * 1000) + 1000 * seconds

    event = parse(Kind.HANGUP, {"CallUUID": "a", **times}, at=at, zone=ZoneInfo(zone))

    assert isinstance(event, CallHungUp)
    assert (event.derived_offset, event.answered_at, event.ended_at) == (None, at - 1000 * (seconds - 5), at)


@given(
    offset=st.integers(-40 * 4, 40 * 4).map(lambda quarters: timedelta(minutes=15 * quarters)),
    end=st.integers(-(10**6), 10**6),
    configured=st.sampled_from(ZONES),
    session=st.booleans(),
)
def test_d1_no_call_ends_before_its_start_or_in_the_future(
    offset: timedelta, end: int, configured: str, session: bool
) -> None:
    start = datetime(2026, 3, 2, 8, 35, 10, tzinfo=UTC)
    times = notice_times(start + offset, ZoneInfo("UTC"), ended=end)
    times["SessionStart"] = start.strftime(FORMAT)
    if not session:
        del times["SessionStart"]
    at = round(start.timestamp() * 1000) + 60_000

    event = parse(Kind.HANGUP, {"CallUUID": "a", **times}, at=at, zone=ZoneInfo(configured))

    assert isinstance(event, CallHungUp)
    begun = event.call.session_start or at
    for found in (event.ended_at, event.answered_at):
        assert found is None or found <= at + 5 * 60_000
    if event.ended_at is not None:
        assert event.ended_at >= begun
    if session and abs(offset) > timedelta(hours=14):
        assert (event.ended_at, event.answered_at) == (None, None)


@pytest.mark.parametrize(("configured", "warnings"), [("UTC", [("UTC", "+05:30")]), ("Asia/Kolkata", [])])
def test_d1_the_log_says_so_once_an_hour(
    start_server: Callable[..., Server], configured: str, warnings: list[tuple[str, str]]
) -> None:
    server = start_server(PLIVO_TIMEZONE=configured, WORKERS=1)
    for _ in range(3):
        times = notice_times(datetime.now(UTC) - timedelta(seconds=20), ZoneInfo("Asia/Kolkata"))
        server.plivo("POST", "/dialstatus/hangup/", inbound(new_uuid(), Event="Hangup", **times))

    assert [(line["configured"], line["derived"]) for line in server.events("plivo_timezone_differs")] == warnings


@pytest.mark.parametrize(("zone", "is_shown"), [("Asia/Kolkata", True), ("UTC", False)])
def test_d1_the_dashboard_says_so(make_app: App, zone: str, is_shown: bool) -> None:
    app = make_app()
    line = Line(app, at=datetime.now(UTC) - timedelta(seconds=30))
    line.answer().wait(21).hangup("Caller", **notice_times(line.at, ZoneInfo(zone)))
    client = app.test_client()
    client.post("/login", data={"token": REPORTS_TOKEN})

    assert ("at UTC+05:30" in client.get("/").text) is is_shown


def test_d2_a_greeting_does_not_count_as_ringing(make_app: App) -> None:
    plan = f'[routes.main]\ngreeting = "Welcome."\nsteps.first = {{ ring = ["{ALICE}"] }}'
    line = Line(make_app(plan=plan))
    line.answer().wait(15).leg("answer", DialBLegTo=ALICE).leg_ends(4000, seconds=7, source="Callee")
    line.action("completed", DialBLegUUID=f"b-{line.call_uuid}")

    [dial] = line.dials
    assert (dial["outcome"], dial["talk_seconds"], dial["ring_seconds"]) == ("answered", 7, None)


def test_d2_a_repair_brings_an_older_store_right(make_app: App) -> None:
    app = make_app(plan=f'[routes.main]\ngreeting = "Welcome."\nsteps.first = {{ ring = ["{ALICE}"] }}')
    line = Line(app)
    line.answer().wait(15).leg("answer", DialBLegTo=ALICE).leg_ends(4000, seconds=7, source="Callee")
    line.action("completed", DialBLegUUID=f"b-{line.call_uuid}")
    store = app.extensions[EXTENSION].store
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE receipts SET placement = replace(placement, ',\"starts_with_prompt\":true', '')"
        )
        connection.exec_driver_sql("UPDATE dials SET starts_with_prompt = NULL, ring_seconds = 15")

    repaired = check(store, zone=UTC, repair=True, step=lambda _: None).repaired

    assert (repaired, line.dials[0]["ring_seconds"]) == (1, None)
    assert check(store, zone=UTC, repair=False, step=lambda _: None).differing == ()


def test_d2_without_a_greeting_the_ringing_is_counted(line: Line) -> None:
    line.answer().wait(15).leg("answer", DialBLegTo=ALICE).leg_ends(4000, seconds=7, source="Callee")
    line.action("completed", DialBLegUUID=f"b-{line.call_uuid}")

    assert line.dials[0]["ring_seconds"] == 15


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.6, 0.9])
def test_d3_a_call_never_ends_before_its_dial(line: Line, fraction: float) -> None:
    line.at = line.at.replace(microsecond=int(fraction * 1e6))
    begun = line.at
    line.answer().leg("answer", DialBLegTo=ALICE).wait(0.1).leg("connected")
    line.leg_ends(4000, seconds=1, source="Callee").action("completed", DialBLegUUID=f"b-{line.call_uuid}")
    ended = (line.at - begun).total_seconds()
    line.wait(0.1).hangup("Callee", **notice_times(begun, ZoneInfo("UTC"), answered=2, ended=ended))

    record, [dial] = line.record, line.dials
    call = record["call"]
    assert moment(call["ended_at"]) >= moment(dial["ended_at"]) >= moment(dial["started_at"])
    assert moment(call["answered_at"]) >= moment(dial["answered_at"]) >= moment(record["legs"][0]["answered_at"])


def test_d3_a_dial_that_the_caller_left_at_once_does_not_begin_after_the_call(line: Line) -> None:
    line.at = line.at.replace(microsecond=800_000)
    begun = line.at
    line.answer().action("no-answer", "NO_ANSWER")
    line.wait(0.1).hangup("Caller", **notice_times(begun, ZoneInfo("UTC"), ended=2))

    call_end = moment(line.record["call"]["ended_at"])
    assert all(call_end >= moment(dial["started_at"]) for dial in line.dials)
    assert all(call_end >= moment(dial["ended_at"]) >= moment(dial["started_at"]) for dial in line.dials)


def test_d3_a_report_that_comes_after_the_hangup_starts_no_dial(line: Line) -> None:
    line.answer().hangup("Caller")

    assert line.action("no-answer", "NO_ANSWER") == "<Response/>"
    [dial] = line.dials
    assert moment(line.record["call"]["ended_at"]) >= moment(dial["ended_at"])
