"""Files: every dial, in order, and right in a spreadsheet."""

import csv
import io
import json
import re
import tracemalloc

import pytest
from rich.console import Console

from app.cli.dials import print_dials
from app.cli.group import add_commands
from app.records.model.ids import now
from app.records.model.receipt import Receipt
from app.records.model.state import Placement
from app.records.reading.filters import DialFilters
from app.records.reading.queries import find_dials
from app.records.reading.read_session import read_session
from app.voice.events import Kind
from tests.reports.conftest import REPORTS_TOKEN, Caller
from tests.reports.history import make_receipt


def test_a_csv_file_holds_every_dial_newest_first(caller: Caller) -> None:
    ids = [caller.ended_call("busy")[1] for _ in range(3)]

    response = caller.ask("dials.csv")

    assert response.mimetype == "text/csv"
    assert "attachment" in response.headers["Content-Disposition"]
    assert response.text.count("\r\n") == 4
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert {row["dial_id"] for row in rows} == set(ids)
    assert [row["started_at"] for row in rows] == sorted((row["started_at"] for row in rows), reverse=True)
    assert rows[0]["from"] == "+14155550199"
    assert rows[0]["dial_ring_status"] == ""


def test_json_lines_hold_what_the_api_shows(caller: Caller) -> None:
    caller.ended_call("busy")
    caller.ended_call("no-answer")

    lines = [json.loads(line) for line in caller.ask("dials.jsonl").text.splitlines()]

    assert lines == caller.read("dials")["dials"]


def test_a_file_spans_many_batches(lite_caller: Caller) -> None:
    calls = 1203
    for number in range(calls // 3):
        lite_caller.count = number * 3
        lite_caller.call()
        lite_caller.call()
        lite_caller.call()

    response = lite_caller.ask("dials.jsonl")

    ids = [json.loads(line)["dial_id"] for line in response.text.splitlines()]
    assert len(ids) == len(set(ids)) == calls


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_long_file_takes_no_more_memory_than_a_short_one(lite_caller: Caller, kind: str) -> None:
    peaks = []
    for dials in (range(1000), range(1000, 4000)):
        for first in dials[::250]:  # Each slice is one transaction, which may not take longer than the store's timeout.
            lite_caller.services.journal.append_all([_answered(first + number) for number in range(250)])
        tracemalloc.start()
        lines = sum(chunk.count(b"\n") for chunk in lite_caller.ask(f"dials.{kind}").iter_encoded())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert lines == dials.stop + (kind == "csv")

    assert peaks[1] < 1.5 * peaks[0]


def _answered(number: int) -> Receipt:
    call = {"CallUUID": f"call-{number}", "From": "+14155550199", "To": "+14155550100"}
    placement = Placement(dial_id=f"dial{number}", targets=("+14155550123",), route="main")
    return make_receipt(Kind.ANSWER, now() - number, call, placement=placement)


@pytest.mark.parametrize("cause", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)"])
def test_no_text_from_outside_is_a_formula(lite_caller: Caller, cause: str) -> None:
    lite_caller.ended_call("busy", DialHangupCause=cause)

    (row,) = csv.DictReader(io.StringIO(lite_caller.ask("dials.csv").text, newline=""))

    assert row["dial_hangup_cause"] == f"'{cause}"


def test_quotes_commas_and_line_breaks_stay_one_cell(lite_caller: Caller) -> None:
    lite_caller.ended_call("busy", DialHangupCause='a "b",\r\nc')

    (row,) = csv.DictReader(io.StringIO(lite_caller.ask("dials.csv").text, newline=""))

    assert row["dial_hangup_cause"] in ('a "b",\r\nc', 'a "b",\nc')


def test_a_file_takes_filters_and_refuses_unknown_parameters(lite_caller: Caller) -> None:
    lite_caller.ended_call("busy")
    lite_caller.ended_call("no-answer")

    assert len(lite_caller.ask("dials.jsonl", {"status": "busy"}).text.splitlines()) == 1
    assert lite_caller.ask("dials.csv", {"limit": "3"}).status_code == 400


def test_commands_show_the_same_on_the_terminal(lite_caller: Caller) -> None:
    call_uuid, dial_id = lite_caller.ended_call("busy", DialHangupCause="USER_BUSY")
    run = add_commands(lite_caller.app).test_cli_runner().invoke

    assert call_uuid in run(args=["dials", "list"]).output
    assert json.loads(run(args=["dials", "show", call_uuid]).output)["dials"][0]["dial_id"] == dial_id
    assert dial_id in run(args=["dials", "export", "--format", "jsonl", "--outcome", "busy"]).output
    assert "Busy" in run(args=["dials", "summary", "--group-by", "cause"]).output
    assert re.search(r"all\W+1\W+0%", run(args=["dials", "summary", "--group-by", "day"]).output)
    assert json.loads(run(args=["dials", "list", "--json"]).output)["dials"][0]["dial_id"] == dial_id
    assert run(args=["dials", "list", "--since", "24h", "--outcome", "missed"]).output == "No dials match.\n"
    assert "counted" in run(args=["dials", "count"]).output


@pytest.mark.parametrize("width", [80, 200])
def test_a_list_shows_whole_numbers_and_uuids_on_any_terminal(lite_caller: Caller, width: int) -> None:
    call_uuid, _ = lite_caller.ended_call("busy")
    with read_session(lite_caller.services.store) as connection:
        found = find_dials(connection, DialFilters(), limit=1).dials
    printed = io.StringIO()

    print_dials(Console(file=printed, width=width), found, lite_caller.services.config.timezone)

    assert {call_uuid, "+14155550199", "+14155550100", "Busy"} <= set(printed.getvalue().replace(",", " ").split())
    assert all(len(line) <= width for line in printed.getvalue().splitlines())


def test_a_summary_on_the_terminal_uses_the_given_time_zone(lite_caller: Caller) -> None:
    lite_caller.ended_call("busy")
    run = add_commands(lite_caller.app).test_cli_runner().invoke

    there = run(args=["dials", "summary", "--group-by", "hour", "--timezone", "Asia/Kathmandu"])
    nowhere = run(args=["dials", "summary", "--timezone", "Mars"])

    assert "+05:45" in there.output
    assert "--timezone: enter a time zone such as UTC or Europe/Paris" in nowhere.output


@pytest.mark.parametrize(
    ("arguments", "message", "exit_code"),
    [
        (["list", "--outcome", "splendid"], "--outcome", 2),
        (["list", "--since", "yesterday"], "--since: enter 24h, 7d, a date", 2),
        (["show", "nothing"], "No call has the UUID", 1),
    ],
)
def test_a_command_explains_an_error_in_a_sentence(
    lite_caller: Caller, arguments: list[str], message: str, exit_code: int
) -> None:
    result = add_commands(lite_caller.app).test_cli_runner().invoke(args=["dials", *arguments])

    assert result.exit_code == exit_code
    assert message in result.output


def test_an_export_writes_a_file(lite_caller: Caller) -> None:
    lite_caller.ended_call("busy")
    path = lite_caller.services.config.instance_dir / "dials.csv"

    add_commands(lite_caller.app).test_cli_runner().invoke(args=["dials", "export", "--output", str(path)])

    assert path.read_bytes() == lite_caller.ask("dials.csv").data


def test_a_file_needs_the_token_or_a_session(lite_caller: Caller) -> None:
    assert lite_caller.client.get("/api/v1/dials.csv").status_code == 401
    lite_caller.client.get(f"/login?token={REPORTS_TOKEN}")
    assert lite_caller.client.get("/api/v1/dials.csv").status_code == 200
