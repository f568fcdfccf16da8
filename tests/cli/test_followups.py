"""`flask followups`: readable on 80 columns, JSON on request; a caller who is done leaves the list."""

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
from tests.records.histories import HOUR, Story
from tests.records.scenarios import CALLER, START


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """Yield an application with a caller who waits and one who was reached."""
    app = create_app(
        Config.load({"INSTANCE_DIR": str(tmp_path / "instance"), "REPORTS_TOKEN": "a-made-up-reports-token"})
    )
    services: Services = app.extensions[EXTENSION]
    migrate.upgrade(services.store)
    waits = [Story(CALLER, START, "missed", uuid="first"), Story(CALLER, START + HOUR, "message", uuid="second")]
    reached = [Story("+14155550177", START, "busy"), Story("+14155550177", START + HOUR, "callback")]
    services.journal.append_all([one for story in (*waits, *reached) for one in story.receipts()])
    yield add_commands(app)
    services.journal.close()
    services.store.close()


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["followups", *arguments])


def test_the_list_names_who_waits_and_fits_a_terminal(app: Flask) -> None:
    result = run(app, "list")

    assert result.exit_code == 0
    assert CALLER in result.output
    assert "Message left" in result.output
    assert "+14155550177" not in result.output
    assert "1 caller waits" in result.output
    assert max(map(len, result.output.splitlines())) <= 80
    assert "+14155550177" in run(app, "list", "--state", "all").output
    assert "Nobody waits" in run(app, "list", "--route", "night").output.replace("1 caller waits", "?")


def test_somebody_takes_a_caller_by_number_and_marks_the_call_done(app: Flask) -> None:
    taken = run(app, "take", CALLER, "--note", "after lunch")
    shown = run(app, "show", CALLER)
    done = run(app, "done", "second", "--json")

    assert taken.output == f"{CALLER} is taken. State: open.\n"
    assert "Taken by cli: after lunch" in shown.output
    assert "Note: after lunch" in shown.output
    assert (json.loads(done.output)["state"], json.loads(done.output)["closed_by"]) == ("done", "cli")
    assert json.loads(run(app, "list", "--json").output)["followups"] == []
    assert "State: open" in run(app, "reopen", "first").output
    history = json.loads(run(app, "show", "first", "--json").output)["history"]
    assert [each["what"] for each in history] == ["missed", "message_left", "take", "done", "reopen"]


def test_a_name_that_nobody_has_is_refused_with_advice(app: Flask) -> None:
    result = run(app, "done", "+14155550100000")

    assert result.exit_code == 1
    assert "flask followups list shows who does" in result.output
