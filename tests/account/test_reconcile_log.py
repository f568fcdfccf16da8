"""`flask plivo reconcile --log`: calls of receipts that a server log names as lost."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from app.ops.logs import JsonFormatter, TextFormatter
from app.records.model.receipt import Receipt
from app.voice.events import Kind
from app.voice.parsing import parse
from tests.account.conftest import Cli, Table
from tests.account.plivo_api import PlivoApi
from tests.account.reconciling import records_of


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Let tests say when a webhook came."""
    del environ["PUBLIC_URL"]
    return environ | {"VERIFY_SIGNATURES": "off", "SIMULATED_TIME": "true"}


@pytest.fixture
def each_engine(environ: dict[str, str], database_url: str) -> None:
    """Run the test once on SQLite and once on PostgreSQL."""
    environ["DATABASE_URL"] = database_url


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
