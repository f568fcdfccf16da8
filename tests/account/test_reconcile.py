"""`flask plivo reconcile`: real webhooks through the real routes, real records over HTTP, real databases."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from flask import Flask

from tests.account.conftest import Cli, Table
from tests.account.plivo_api import PlivoApi
from tests.account.plivo_objects import record
from tests.account.reconciling import Webhooks, records_of


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Let tests say when a webhook came."""
    del environ["PUBLIC_URL"]
    return environ | {"VERIFY_SIGNATURES": "off", "SIMULATED_TIME": "true"}


@pytest.fixture
def each_engine(environ: dict[str, str], database_url: str) -> None:
    """Run the test once on SQLite and once on PostgreSQL."""
    environ["DATABASE_URL"] = database_url


@pytest.fixture
def call(make_app: Callable[[], Flask]) -> Callable[[], Webhooks]:
    """Return a function that starts a call of which webhooks may be posted."""
    return lambda: Webhooks(make_app(), str(uuid4()))


@pytest.mark.usefixtures("each_engine")
def test_a_dial_of_which_nothing_was_heard_after_the_answer_is_made_good(
    plivo_api: PlivoApi, run: Cli, call: Callable[[], Webhooks], rows: Callable[[str], Table]
) -> None:
    lost = call().answer()
    plivo_api.records = records_of(lost.call_uuid)

    result = run("reconcile")

    assert result.exit_code == 0, result.output
    (dial,) = rows("SELECT * FROM dials")
    assert (dial.dial_id, dial.outcome, dial.answered_by) == (lost.dial_id, "answered", "+14155550123")
    assert (dial.talk_seconds, dial.hangup_code, dial.dial_status) == (12, 4000, None)
    (known,) = rows("SELECT * FROM calls")
    assert (known.ended_by, known.heard_from, known.cost) == ("cdr", "webhook", "0.00500")
    kinds = rows("SELECT kind, count(*) AS number FROM receipts GROUP BY kind ORDER BY kind")
    assert [tuple(kind) for kind in kinds] == [("answer", 1), ("cdr", 2)]
    assert "1  calls whose end was missing" in result.output
    assert "1  legs whose end was missing" in result.output
    assert "1  dials that were open" in result.output


@pytest.mark.usefixtures("each_engine")
def test_a_second_run_adds_nothing(
    plivo_api: PlivoApi, run: Cli, call: Callable[[], Webhooks], rows: Callable[[str], Table]
) -> None:
    plivo_api.records = records_of(call().answer().call_uuid) + records_of(str(uuid4()))
    run("reconcile")
    before = {name: rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in ("receipts", "calls", "dials", "legs")}

    result = run("reconcile")

    assert "Nothing was missing; 4 records known already." in result.output
    assert {name: rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in before} == before


def test_what_a_webhook_said_is_never_overridden(
    plivo_api: PlivoApi, run: Cli, call: Callable[[], Webhooks], rows: Callable[[str], Table]
) -> None:
    heard, b_leg = call().answer(), str(uuid4())
    heard.action("completed", b_leg)
    heard.hangup()
    plivo_api.records = records_of(heard.call_uuid, b_leg, hangup_source="Plivo")

    run("reconcile")

    (known,) = rows("SELECT * FROM calls")
    assert (known.ended_by, known.hangup_source, known.cost) == ("webhook", "Caller", "0.00900")
    (dial,) = rows("SELECT * FROM dials")
    assert (dial.dial_status, dial.dial_ring_status, dial.outcome) == ("completed", 1, "answered")
    (leg,) = rows("SELECT * FROM legs")
    assert (leg.dial_id, leg.ended_by) == (heard.dial_id, "cdr")


@pytest.mark.usefixtures("each_engine")
def test_a_webhook_that_comes_after_the_record_still_wins(
    plivo_api: PlivoApi, run: Cli, call: Callable[[], Webhooks], rows: Callable[[str], Table]
) -> None:
    late, b_leg = call().answer(), str(uuid4())
    plivo_api.records = records_of(late.call_uuid, b_leg)
    run("reconcile")

    late.hangup()
    late.action("completed", b_leg)

    (known,) = rows("SELECT * FROM calls")
    assert (known.ended_by, known.hangup_source, known.cost) == ("webhook", "Caller", "0.00900")
    (dial,) = rows("SELECT * FROM dials")
    assert (dial.dial_status, dial.outcome) == ("completed", "answered")


@pytest.mark.usefixtures("each_engine")
def test_a_call_never_heard_of_is_recorded_at_its_own_time_and_marked(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table]
) -> None:
    plivo_api.records = records_of(str(uuid4()), bill_duration=0, call_duration=0, answer_time=None)
    plivo_api.records[1] |= {"hangup_cause_code": 3010, "hangup_cause_name": "Busy Line"}

    result = run("reconcile")

    (known,) = rows("SELECT * FROM calls")
    assert (known.heard_from, known.from_number, known.to_number) == ("cdr", "+14155550100", "+14155550199")
    began = datetime.fromisoformat(plivo_api.records[0]["initiation_time"]).timestamp() * 1000
    assert known.started_at == began
    (dial,) = rows("SELECT * FROM dials")
    assert (dial.outcome, dial.started_at) == ("busy", began)
    assert "1  calls never heard of" in result.output


def test_legs_go_to_the_dial_they_rang_in(
    plivo_api: PlivoApi, run: Cli, call: Callable[[], Webhooks], rows: Callable[[str], Table]
) -> None:
    heard = call().answer()
    heard.action("no-answer", ago=timedelta(seconds=1815))
    first = heard.dial_id
    heard.answer(ago=timedelta(seconds=1813), CallStatus="in-progress")
    second = heard.dial_id
    assert first != second
    missed, answered = str(uuid4()), str(uuid4())
    plivo_api.records = [
        *records_of(heard.call_uuid, missed, now=heard.now, answer_time=None, call_duration=0, hangup_cause_code=3000),
        records_of(heard.call_uuid, answered, now=heard.now)[1]
        | {"initiation_time": f"{heard.now - timedelta(seconds=1812):%Y-%m-%d %H:%M:%S}+00:00"},
    ]

    run("reconcile")

    legs = rows("SELECT b_leg_uuid, dial_id FROM legs")
    assert {leg.b_leg_uuid: leg.dial_id for leg in legs} == {missed: first, answered: second}
    outcomes = {dial.dial_id: dial.outcome for dial in rows("SELECT * FROM dials")}
    assert outcomes == {first: "missed", second: "answered"}


def test_a_call_in_progress_is_left_alone_and_one_without_record_is_named(
    plivo_api: PlivoApi, run: Cli, call: Callable[[], Webhooks], rows: Callable[[str], Table]
) -> None:
    going = call().answer()
    call().answer()
    plivo_api.add_live_call(going.call_uuid)

    result = run("reconcile")

    assert result.exit_code == 0
    assert "1  still in progress" in result.output
    assert "1  open without a record at Plivo" in result.output
    assert {dial.outcome for dial in rows("SELECT * FROM dials")} == {"in_progress"}


def test_a_call_of_the_last_two_minutes_is_not_asked_for(
    plivo_api: PlivoApi, run: Cli, call: Callable[[], Webhooks]
) -> None:
    call().answer(ago=timedelta(seconds=60))

    run("reconcile")

    assert [asked.query.get("status") for asked in plivo_api.asked] == [None]


def test_a_call_that_is_not_named_by_a_uuid_is_not_asked_for(
    plivo_api: PlivoApi, run: Cli, make_app: Callable[[], Flask]
) -> None:
    Webhooks(make_app(), "../Application/1").answer()

    run("reconcile")

    assert [asked.path.rpartition("/Account/")[2].partition("/")[2] for asked in plivo_api.asked] == ["Call/"]


def test_an_open_call_is_found_however_old_it_is(
    plivo_api: PlivoApi, run: Cli, call: Callable[[], Webhooks], rows: Callable[[str], Table]
) -> None:
    old = call().answer(ago=timedelta(days=20))
    ended = f"{datetime.now(UTC) - timedelta(days=20):%Y-%m-%d %H:%M:%S}+00:00"
    times = {"initiation_time": ended, "answer_time": ended, "end_time": ended}
    plivo_api.records = [one | times for one in records_of(old.call_uuid)]

    run("reconcile", "--since", "1h")

    assert [dial.outcome for dial in rows("SELECT outcome FROM dials")] == ["answered"]


def test_a_time_without_offset_is_in_the_zone_of_the_account(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table], environ: dict[str, str]
) -> None:
    environ["PLIVO_TIMEZONE"] = "Asia/Kolkata"
    plivo_api.records = [record()]
    moment = datetime.fromisoformat(plivo_api.records[0]["initiation_time"])
    plivo_api.records[0]["initiation_time"] = f"{moment:%Y-%m-%d %H:%M:%S}"

    run("reconcile")

    assert rows("SELECT started_at FROM calls")[0].started_at == moment.timestamp() * 1000
