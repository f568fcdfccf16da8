"""`flask calls`: readable by default, JSON on request."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from app.cli.group import add_commands
from app.context import EXTENSION, Services
from app.records.store import migrate
from config import Config
from tests.records.call_scenarios import closed_with_message
from tests.records.scenarios import no_answer


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """Yield an application on an empty SQLite database."""
    app = create_app(
        Config.load({"INSTANCE_DIR": str(tmp_path / "instance"), "REPORTS_TOKEN": "a-made-up-reports-token"})
    )
    services: Services = app.extensions[EXTENSION]
    migrate.upgrade(services.store)
    yield add_commands(app)
    services.journal.close()
    services.store.close()


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["calls", *arguments])


def fill(app: Flask) -> tuple[str, str]:
    """Store a missed call and one with a message; return their UUIDs."""
    missed, left = no_answer(), closed_with_message()
    app.extensions[EXTENSION].journal.append_all([*missed.receipts, *left.receipts])
    return missed.uuid, left.uuid


@pytest.mark.parametrize("command", ["list", "summary"])
def test_an_empty_store_is_said_to_be_empty(app: Flask, command: str) -> None:
    result = run(app, command)

    assert (result.exit_code, result.output) == (0, "No calls match.\n")


def test_a_list_names_each_call_and_its_outcome(app: Flask) -> None:
    missed, left = fill(app)

    result = run(app, "list")

    assert result.exit_code == 0
    for text in (missed, left, "Missed", "Message left", "31 s", "+14155550100"):
        assert text in result.output


def test_a_list_as_json_is_that_of_the_api(app: Flask) -> None:
    missed, _ = fill(app)

    found = json.loads(run(app, "list", "--json", "--outcome", "missed").output)

    assert [call["call_uuid"] for call in found["calls"]] == [missed]
    assert found["next_cursor"] is None


def test_an_age_bounds_the_list(app: Flask) -> None:
    fill(app)

    assert run(app, "list", "--since", "24h").output == "No calls match.\n"


def test_a_bad_value_is_a_sentence_and_exit_code_2(app: Flask) -> None:
    result = run(app, "list", "--since", "yesterday")

    assert result.exit_code == 2
    assert "--since: enter 24h, 7d, a date" in result.output


def test_a_call_is_shown_in_words_and_as_json(app: Flask) -> None:
    missed, left = fill(app)

    words = run(app, "show", left).output
    whole = json.loads(run(app, "show", missed, "--json").output)

    assert "Message left (closed)" in words
    assert "No phone was rung." in words
    assert whole["call"]["outcome"] == "missed"
    assert len(whole["dials"]) == 1


def test_a_call_that_is_unknown_is_said_to_be_unknown(app: Flask) -> None:
    result = run(app, "show", "nothing")

    assert result.exit_code == 1
    assert "No call has the UUID 'nothing'" in result.output


def test_an_export_holds_every_call(app: Flask, tmp_path: Path) -> None:
    fill(app)

    result = run(app, "export", "--output", str(tmp_path / "calls.csv"))

    assert result.exit_code == 0
    assert len((tmp_path / "calls.csv").read_text().splitlines()) == 3
    assert (tmp_path / "calls.csv").stat().st_mode & 0o077 == 0


def test_a_summary_counts_each_call_once(app: Flask) -> None:
    fill(app)

    found = json.loads(run(app, "summary", "--json").output)

    assert (found["total"], found["answer_rate"]) == (2, 0.0)
    assert found["outcomes"] == {"missed": 1, "message_left": 1}
    assert "Answer rate: 0% of 2 that have ended." in run(app, "summary").output
    assert "2023-11-14" in run(app, "summary", "--group-by", "day").output
