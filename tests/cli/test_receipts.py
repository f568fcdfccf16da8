"""`flask receipts`: real webhooks in a real store, and what the command prints about them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from app import create_app
from app.cli.group import add_commands
from app.cli.simulate import simulate
from app.context import EXTENSION
from app.records.store.migrate import upgrade
from config import Config
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import TOKEN, Server

SECRET = "a-made-up-token-of-the-phlo"


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """Yield the application on each engine, signatures off."""
    environ = {
        "INSTANCE_DIR": str(tmp_path / "instance"),
        "DATABASE_URL": database_url,
        "DIAL_TO": "+14155550123",
        "PHLO_TOKEN": SECRET,
        "STORE_TIMEOUT": "5",
    }
    made = create_app(Config.load(environ))
    services = made.extensions[EXTENSION]
    upgrade(services.store)
    yield made
    services.journal.close()
    services.store.close()


def run(app: Flask, *words: str) -> Result:
    result = add_commands(app).test_cli_runner().invoke(args=["receipts", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def post(app: Flask, path: str, params: dict[str, str]) -> None:
    reply = app.test_client().post(f"/dialstatus/{path}", data=params)
    assert reply.status_code == 200, reply.text


def drift(app: Flask, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(app, "drift", "--json", *words).stdout)
    return found


def test_what_is_new_is_reported_without_anything_that_identifies_anybody(app: Flask) -> None:
    for _ in range(3):
        call_uuid = new_uuid()
        post(app, "", inbound(call_uuid, Event="StartApp", CallerName="Alice Example"))
        post(app, "action/", dial_report(call_uuid, "declined", BrandNew="https://calls.example.com/7?key=hush"))

    report, text = drift(app), run(app, "drift").stdout

    assert (report["calls"], report["receipts"]) == (3, {"action": 3, "answer": 3})
    assert [(one["parameter"], one["value"], one["count"]) for one in report["deviations"]] == [
        ("BrandNew", "URL", 3),
        ("DialStatus", "declined", 3),
    ]
    assert report["orders"] == [{"order": ["answer", "action"], "calls": 3}]
    assert "3 calls in 30 days; received: 3 action, 3 answer." in text
    assert "       3  action     BrandNew: URL" in text
    assert "       3  answer → action" in text
    for secret in ("14155550100", "14155550199", "Alice", "hush", "example.com", call_uuid):
        assert secret not in text + json.dumps(report)


def test_receipts_that_plivo_did_not_sign_are_left_out(app: Flask) -> None:
    app.test_client().post(
        "/dialstatus/phlo/",
        json={"DialStatus": "whatever", "DialALegUUID": new_uuid(), "customer": "Alice"},
        headers={"Authorization": f"Bearer {SECRET}"},
    )

    assert "Left out: 1 receipts that Plivo did not sign." in run(app, "drift").stdout
    assert drift(app)["deviations"] == []


def test_an_empty_store_has_an_empty_report(app: Flask) -> None:
    text = run(app, "drift").stdout

    assert "0 calls in 30 days; received: nothing." in text
    assert "Words and codes without a text: none" in text


def test_more_calls_than_a_batch_holds_are_all_read(app: Flask) -> None:
    for _ in range(520):
        post(app, "ring/", inbound(new_uuid(), Event="Ring"))

    assert drift(app)["calls"] == 520


@pytest.mark.parametrize(
    ("age", "exit_code"),
    [("1h", 0), ("7d", 0), ("2026-01-31", 0), ("7", 2), ("yesterday", 2), ("0d", 2), ("2999-01-01", 2)],
)
def test_how_far_back_is_an_age_or_a_date(app: Flask, age: str, exit_code: int) -> None:
    assert run(app, "drift", "--since", age).exit_code == exit_code


def test_receipts_without_a_call_are_listed(app: Flask) -> None:
    assert run(app, "orphans").stdout == "Every receipt names a call.\n"
    app.test_client().post(
        "/dialstatus/phlo/",
        json={"DialStatus": "completed", "DialALegUUID": "{{Start.call.uuid}}"},
        headers={"Authorization": f"Bearer {SECRET}"},
    )

    [line] = run(app, "orphans").stdout.splitlines()

    assert "UTC  phlo  receipt " in line


def test_a_store_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    app = create_app(Config.load({"INSTANCE_DIR": str(tmp_path), "DIAL_TO": "+14155550123"}))

    result = run(app, "drift")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")


def test_what_the_simulator_plays_is_no_drift(
    start_server: Callable[..., Server], sqlite_url: str, tmp_path: Path
) -> None:
    server = start_server(DATABASE_URL=sqlite_url)
    app = create_app(Config.load({**server.settings, "INSTANCE_DIR": str(tmp_path / "another")}))
    words = ["answered", "no-answer", "busy", "--url", f"{server.url}/dialstatus/", "--token", TOKEN]
    with app.app_context():
        played = CliRunner().invoke(simulate, words)
    assert played.exit_code == 0, played.output

    report = drift(app)

    assert report["calls"] == 3
    assert report["deviations"] == []
