"""`flask plivo reconcile`: real webhooks through the real routes, real records over HTTP, real SQLite."""

import json
import logging
import os
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Row, create_engine, text

from app.ops.logs import JsonFormatter, TextFormatter
from app.records.model.receipt import Receipt
from app.voice.events import Kind
from app.voice.parsing import parse
from config import Config
from tests.account.conftest import Cli
from tests.account.plivo_api import PlivoApi, record

# The records of the fake account begin about half an hour ago; the webhooks of a test do likewise.
BEGAN = timedelta(seconds=1826)

Table = list[Row[Any]]


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Let tests say when a webhook came."""
    del environ["PUBLIC_URL"]
    return environ | {"VERIFY_SIGNATURES": "off", "SIMULATED_TIME": "true"}


@pytest.fixture
def rows(environ: dict[str, str]) -> Callable[[str], Table]:
    """Read the database as it is on disk."""

    def read(sql: str) -> Table:
        engine = create_engine(Config.load(environ).database_url)
        with engine.connect() as connection:
            found = list(connection.execute(text(sql)))
        engine.dispose()
        return found

    return read


@pytest.fixture
def each_engine(environ: dict[str, str], database_url: str) -> None:
    """Run the test once on SQLite and once on PostgreSQL."""
    environ["DATABASE_URL"] = database_url


class Webhooks:
    """What did arrive of a call's webhooks."""

    def __init__(self, app: Flask, call_uuid: str) -> None:
        self._client = app.test_client()
        self.call_uuid = call_uuid
        self.dial_id = ""
        self.now = datetime.now(UTC)  # One moment, however long the test takes.

    def _post(self, path: str, ago: timedelta, **params: str) -> str:
        at = self.now - ago
        answer = self._client.post(
            f"/dialstatus/{path}",
            data={
                "Direction": "inbound",
                "CallStatus": "ringing",
                "CallUUID": self.call_uuid,
                "From": "14155550100",
                "To": "14155550199",
            }
            | params,
            headers={"X-Dialstatus-Simulated-Time": at.isoformat()},
        )
        assert answer.status_code == 200, answer.text
        return answer.text

    def answer(self, ago: timedelta = BEGAN, **params: str) -> "Webhooks":
        xml = self._post("", ago, Event="StartApp", **params)
        found = re.search(r"[?&](?:amp;)?dial=([\w-]+)", xml)
        assert found
        self.dial_id = found[1]
        return self

    def action(self, status: str, b_leg_uuid: str = "", ago: timedelta = timedelta(seconds=1800)) -> None:
        self._post(
            f"action/?dial={self.dial_id}",
            ago,
            DialStatus=status,
            DialRingStatus="true",
            DialHangupCause="NORMAL_CLEARING",
            DialALegUUID=self.call_uuid,
            DialBLegUUID=b_leg_uuid,
        )

    def hangup(self, code: int = 4000, cost: str = "0.00900") -> None:
        self._post(
            "hangup/",
            timedelta(seconds=1800),
            Event="Hangup",
            CallStatus="completed",
            HangupCause="NORMAL_CLEARING",
            HangupCauseCode=str(code),
            HangupCauseName="Normal Hangup",
            HangupSource="Caller",
            Duration="13",
            TotalCost=cost,
        )


@pytest.fixture
def call(make_app: Callable[[], Flask]) -> Callable[[], Webhooks]:
    """Return a function that starts a call of which webhooks may be posted."""
    return lambda: Webhooks(make_app(), str(uuid4()))


def records_of(
    call_uuid: str, b_leg_uuid: str = "", *, now: datetime | None = None, **leg: Any
) -> list[dict[str, Any]]:
    """Make the records of an answered call: one for the A leg, one for its B leg."""
    now = now or datetime.now(UTC)
    b_leg = {"parent_call_uuid": call_uuid, "call_direction": "outbound", "to_number": "14155550123"}
    return [record(call_uuid, now), record(b_leg_uuid or str(uuid4()), now, **b_leg | leg)]


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


@pytest.mark.parametrize("uses_cursors", [False, True])
def test_a_thousand_calls_over_many_pages_come_in_once_each_through_refusals_and_faults(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table], uses_cursors: bool
) -> None:
    plivo_api.uses_cursors = uses_cursors
    plivo_api.records = [one for _ in range(500) for one in records_of(str(uuid4()))]
    plivo_api.trouble(429, times=2, path="/Call/", headers={"Retry-After": "0"})
    name, place = ("cursor", "c400") if uses_cursors else ("offset", "400")
    plivo_api.troubles_at(name, place, status=503, times=3, headers={"Retry-After": "0"})

    result = run("reconcile")

    assert result.exit_code == 0, result.output
    assert rows("SELECT count(*) AS n FROM calls")[0].n == 500
    assert rows("SELECT count(*) AS n FROM legs")[0].n == 500
    assert rows("SELECT count(*) AS n, max(deliveries) AS most FROM receipts")[0] == (1000, 1)
    assert len(plivo_api.asked) == 55
    assert "500  calls never heard of" in result.output


@pytest.mark.parametrize("uses_cursors", [False, True])
def test_a_run_that_broke_goes_on_where_it_stopped(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table], uses_cursors: bool
) -> None:
    plivo_api.uses_cursors = uses_cursors
    plivo_api.records = [record() for _ in range(100)]
    name, place = ("cursor", "c60") if uses_cursors else ("offset", "60")
    plivo_api.troubles_at(name, place, status=500, times=4, headers={"Retry-After": "0"})
    assert run("reconcile").exit_code == 7
    assert rows("SELECT count(*) AS n FROM calls")[0].n == 60
    plivo_api.asked.clear()

    result = run("reconcile")

    assert result.exit_code == 0, result.output
    assert "Going on where the last run stopped" in result.output
    again = [asked.query.get(name) for asked in plivo_api.asked]
    assert again[:3] == [place, place.replace("60", "80"), None if uses_cursors else "0"]
    assert rows("SELECT count(*) AS n FROM receipts")[0].n == 100


def test_a_cursor_that_expired_meanwhile_starts_the_window_again(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table]
) -> None:
    plivo_api.uses_cursors = True
    plivo_api.records = [record() for _ in range(100)]
    plivo_api.troubles_at("cursor", "c60", status=500, times=4, headers={"Retry-After": "0"})
    run("reconcile")
    plivo_api.troubles_at("cursor", "c60", status=400, times=1)

    result = run("reconcile")

    assert result.exit_code == 0, result.output
    assert rows("SELECT count(*) AS n, max(deliveries) AS most FROM receipts")[0] == (100, 1)


def test_a_cursor_file_that_cannot_be_read_starts_from_the_beginning(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table], environ: dict[str, str]
) -> None:
    run("reconcile")
    (Path(environ["INSTANCE_DIR"]) / "plivo_reconcile.json").write_text(json.dumps({"since": 5}))
    plivo_api.records = [record()]

    assert run("reconcile").exit_code == 0
    assert rows("SELECT count(*) AS n FROM calls")[0].n == 1


def test_every_looks_again_from_a_little_before_where_it_ended_until_told_to_stop(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table]
) -> None:
    plivo_api.records = [record()]
    rounds = [
        lambda: None,
        lambda: plivo_api.records.append(record()),
        lambda: os.kill(os.getpid(), signal.SIGTERM),
    ]
    plivo_api.on_list = lambda: rounds.pop(0)()

    result = run("reconcile", "--every", "1s")

    assert rounds == []
    assert result.exit_code == 1
    assert "Stopped; the next run goes on from here" in result.output
    assert rows("SELECT count(*) AS n FROM calls")[0].n == 2
    windows = [asked.query for asked in plivo_api.asked]
    assert windows[1]["end_time__gte"] < windows[0]["end_time__lt"]


def lost_line(call_uuid: str, **fields: str | None) -> str:
    """Return the line that the server logs for a receipt that it could store nowhere."""
    names: dict[str, str | None] = {"dial_status": None, "dial_hangup_cause": None, "dial_b_leg_uuid": None}
    head = {"time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.123Z", "level": "error", "logger": "app.dial.store_receipt"}
    return json.dumps(head | {"event": "receipt_lost", "kind": "action", "call_uuid": call_uuid} | names | fields)


@pytest.mark.usefixtures("each_engine")
def test_a_log_brings_back_the_calls_whose_receipts_were_lost(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table], tmp_path: Path
) -> None:
    lost, other = str(uuid4()), str(uuid4())
    plivo_api.records = records_of(lost) + records_of(other)
    log = tmp_path / "server.log"
    lines = ['{"event":"dial_ended","call_uuid":"' + other + '"}', lost_line(lost), lost_line(lost, kind="hangup")]
    log.write_text("\n".join(lines))

    result = run("reconcile", "--log", str(log))

    assert result.exit_code == 0, result.output
    assert [call.call_uuid for call in rows("SELECT call_uuid FROM calls")] == [lost]
    assert [dial.outcome for dial in rows("SELECT outcome FROM dials")] == ["answered"]
    assert "1  calls never heard of" in result.output
    assert "Nothing was missing" in run("reconcile", "--log", str(log)).output


@pytest.mark.parametrize(
    "line",
    [
        "Jan 05 10:00:00 host gunicorn[7]: {json}",
        "10:00:00.123 ERROR    receipt_lost         kind=action request_id=7 call_uuid={uuid} dial_status=busy",
        'Jan 05 host: 10:00:00.123 ERROR    receipt_lost         error="it said \\"no\\"" call_uuid={uuid}',
    ],
)
def test_a_log_may_be_text_or_have_a_prefix_and_come_from_standard_input(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table], line: str
) -> None:
    lost = str(uuid4())
    plivo_api.records = records_of(lost)

    result = run(
        "reconcile", "--log", "-", answer=line.replace("{json}", lost_line(lost)).replace("{uuid}", lost) + "\n"
    )

    assert result.exit_code == 0, result.output
    assert [call.call_uuid for call in rows("SELECT call_uuid FROM calls")] == [lost]


def test_what_the_log_knows_of_a_call_without_a_record_is_printed(plivo_api: PlivoApi, run: Cli) -> None:
    lost, going = str(uuid4()), str(uuid4())
    plivo_api.add_live_call(going)
    lines = lost_line(lost, dial_status="no-answer", dial_hangup_cause="NO_ANSWER"), lost_line(going)

    result = run("reconcile", "--log", "-", answer="\n".join(lines))

    assert f"Plivo has no record of call {lost}: DialStatus no-answer, DialHangupCause NO_ANSWER" in result.output
    assert "1  still in progress" in result.output


@pytest.mark.parametrize(
    "line",
    [
        lost_line("../Application/1"),
        lost_line(""),
        '{"event":"receipt_lost","call_uuid":',
        '{"event":"other","note":"receipt_lost","call_uuid":"a6d5c9a2-1c52-4b3a-9e0f-0123456789ab"}',
        "10:00:00.123 ERROR    request_failed path=/receipt_lost call_uuid=a6d5c9a2-1c52-4b3a-9e0f-0123456789ab",
        "[" * 100_000 + "receipt_lost",
    ],
)
def test_a_line_that_names_no_call_of_plivos_is_skipped(plivo_api: PlivoApi, run: Cli, line: str) -> None:
    result = run("reconcile", "--log", "-", answer=line + "\n")

    assert result.exit_code == 0, result.output
    assert plivo_api.asked == []


def test_the_line_that_the_server_writes_is_the_line_that_is_read(
    plivo_api: PlivoApi, run: Cli, rows: Callable[[str], Table]
) -> None:
    call_uuid, b_leg_uuid = str(uuid4()), str(uuid4())
    event = parse(Kind.ACTION, {"DialALegUUID": call_uuid, "DialStatus": "busy", "DialBLegUUID": b_leg_uuid}, at=0)
    receipt = Receipt(
        kind=Kind.ACTION,
        method="POST",
        path="/dialstatus/action/",
        query="",
        params=(),
        signature="valid",
        sender=None,
        request_id=None,
        received_at=0,
        dial_id=None,
        event=event,
    )
    record_of_log = logging.makeLogRecord({"msg": "receipt_lost", "levelname": "ERROR", **receipt.names()})
    plivo_api.records = records_of(call_uuid, b_leg_uuid)

    for formatter in (JsonFormatter(), TextFormatter()):
        run("reconcile", "--log", "-", answer=formatter.format(record_of_log) + "\n")
        assert [call.call_uuid for call in rows("SELECT call_uuid FROM calls")] == [call_uuid]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--log", "-", "--since", "1h"), "--log names the calls itself"),
        (("--since", "yesterday"), "--since is 'yesterday'; write a number and s, m, h or d"),
        (("--since", "31d"), "Plivo lists at most 30 days at once"),
        (("--every", "0m"), "--every is '0m'"),
    ],
)
def test_wrong_durations_are_refused(plivo_api: PlivoApi, run: Cli, words: tuple[str, ...], said: str) -> None:
    result = run("reconcile", *words)

    assert result.exit_code == 2
    assert said in result.output
    assert plivo_api.asked == []


def test_a_store_that_takes_nothing_is_a_sentence(plivo_api: PlivoApi, run: Cli, environ: dict[str, str]) -> None:
    plivo_api.records = [record()]
    environ["STORE_TIMEOUT"] = "0.8"
    engine = create_engine(
        f"sqlite:///{environ['INSTANCE_DIR']}/dialstatus.db", connect_args={"check_same_thread": False}
    )
    with ExitStack() as held:
        plivo_api.on_list = lambda: held.enter_context(engine.connect()).exec_driver_sql("BEGIN IMMEDIATE")

        result = run("reconcile")

    engine.dispose()
    assert result.exit_code == 1
    assert "The store cannot be used" in result.output


def test_a_store_without_tables_is_a_sentence(plivo_api: PlivoApi, run: Cli, environ: dict[str, str]) -> None:
    plivo_api.records = [record()]
    engine = create_engine(f"sqlite:///{environ['INSTANCE_DIR']}/dialstatus.db")

    def drop() -> None:
        with engine.connect() as connection:
            for table in ("legs", "dials", "recordings", "calls"):
                connection.exec_driver_sql(f"DROP TABLE {table}")
        engine.dispose()

    plivo_api.on_list = drop
    result = run("reconcile")

    assert result.exit_code == 1
    assert "The store cannot be used" in result.output
    assert "flask doctor" in result.output
