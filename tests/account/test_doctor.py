"""`flask doctor`: this machine, refused settings, and the form of what it prints."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.cli.group import add_commands
from app.context import EXTENSION
from app.records.model.receipt import Receipt
from app.voice.events import CallFacts, CallNoted, Kind
from config import Config
from tests.account.conftest import Cli, Examine, failing
from tests.account.plivo_api import PlivoApi
from tests.account.plivo_objects import AUTH_TOKEN
from tests.support.server import ROOT, Server, coverage_of_processes

# Nothing answers there, and nothing of these tests leaves this machine.
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Let PUBLIC_URL lead nowhere, until a test has something to lead it to."""
    return environ | {"PUBLIC_URL": NOWHERE}


def flask(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, as a person or a script does."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **coverage_of_processes(), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_an_account_the_local_part_is_checked_and_is_enough(
    run: Cli, environ: dict[str, str], start_server: Callable[..., Server]
) -> None:
    environ["PORT"] = str(start_server().port)
    for name in ("PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN", "PUBLIC_URL"):
        del environ[name]

    result = run("--ngrok-url", "http://127.0.0.1:1", command="doctor")

    assert result.exit_code == 0, result.output
    assert "✓ database: sqlite committed a write" in result.output
    assert "– public URL: PUBLIC_URL is not set. No ngrok answers" in result.output
    assert "– account: PLIVO_AUTH_ID or PLIVO_AUTH_TOKEN is not set" in result.output
    assert result.output.count("No ngrok answers") == 1


def test_what_is_logged_meanwhile_stands_in_no_answer_of_a_command(
    plivo_api: PlivoApi, environ: dict[str, str], make_app: Callable[[], Flask]
) -> None:
    make_app()
    plivo_api.trouble(503, times=99, path="/v1/", headers={"Retry-After": "0"})

    done = flask(environ, "doctor", "--json", "--api-url", plivo_api.url)

    assert "fault of its own" in done.stdout
    assert json.loads(done.stdout)["ok"] is False
    logged = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert "plivo_api_retry" in logged


def test_signatures_that_are_not_enforced_are_reported(examine: Examine, environ: dict[str, str]) -> None:
    environ["VERIFY_SIGNATURES"] = "observe"

    checks = examine()

    assert "signatures" in failing(checks)
    assert checks["strangers"]["ok"] is None


def test_receipts_in_the_spool_are_reported(examine: Examine, make_app: Callable[[], Flask]) -> None:
    make_app().extensions[EXTENSION].spool.put(
        Receipt(
            kind=Kind.RING,
            method="POST",
            path="/dialstatus/ring/",
            query="",
            params=(),
            signature="valid",
            sender=None,
            request_id=None,
            received_at=0,
            dial_id=None,
            event=CallNoted(at=0, call=CallFacts()),
        )
    )

    assert examine()["spool"]["said"] == "1 receipts wait for the store"


def test_tables_that_were_never_made_are_reported(environ: dict[str, str], plivo_api: PlivoApi) -> None:
    app = create_app(Config.load(environ))
    (Path(environ["INSTANCE_DIR"]) / "dialstatus.db").touch()

    result = add_commands(app).test_cli_runner().invoke(args=["doctor", "--api-url", plivo_api.url])

    assert "✗ migrations: the tables are not those of this version\n    Run `flask db upgrade`." in result.output
    assert "– database: no write is tried until the tables are right\n" in result.output


def test_a_database_file_that_is_gone_is_reported(environ: dict[str, str], plivo_api: PlivoApi) -> None:
    app = create_app(Config.load(environ))

    result = add_commands(app).test_cli_runner().invoke(args=["doctor", "--api-url", plivo_api.url])

    assert "✗ migrations: there is no database at the path in DATABASE_URL\n    Restore it" in result.output
    assert "– database: " in result.output


def test_a_database_that_cannot_be_reached_is_reported_with_its_reason(
    environ: dict[str, str], plivo_api: PlivoApi
) -> None:
    environ["DATABASE_URL"] = "postgresql://somebody:hush@127.0.0.1:1/none"
    app = create_app(Config.load(environ))

    result = add_commands(app).test_cli_runner().invoke(args=["doctor", "--api-url", plivo_api.url])

    assert "✗ migrations: the database cannot be read: connection failed: " in result.output
    assert "    Check DATABASE_URL, then run `flask db check`." in result.output
    assert "hush" not in result.output


def test_the_plan_is_named(examine: Examine, environ: dict[str, str]) -> None:
    plan = next((ROOT / "docs" / "plans").glob("*.toml"))
    environ["DIAL_PLAN"] = str(plan)

    assert examine()["plan"]["said"] == f"{plan} has no mistakes"


def test_settings_that_are_unwise_are_reported(examine: Examine, environ: dict[str, str]) -> None:
    del environ["DIAL_TO"]

    assert "the guide's example that nobody answers" in examine()["settings"]["said"]


def test_settings_that_are_refused_are_reported_in_the_same_form(environ: dict[str, str]) -> None:
    environ |= {"PORT": "many", "WORKERS": "few"}
    said = "PORT is 'many'; write a whole number from 1 to 65535. WORKERS is 'few'; write a whole number from 1 to 256"
    advice = "Change them in .env or the environment."

    as_json, as_text = flask(environ, "doctor", "--json"), flask(environ, "doctor")

    assert json.loads(as_json.stdout) == {
        "ok": False,
        "checks": [{"name": "settings", "ok": False, "said": said, "advice": advice}],
    }
    assert as_text.stdout == f"✗ settings: {said}\n    {advice}\n"
    assert (as_json.returncode, as_text.returncode) == (1, 1)
    assert as_json.stderr == as_text.stderr == ""


def test_a_plan_that_is_refused_is_reported_in_the_same_form(environ: dict[str, str], tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text("[[route]]")
    environ["DIAL_PLAN"] = str(plan)

    done = flask(environ, "doctor", "--json")

    [check] = json.loads(done.stdout)["checks"]
    assert (check["name"], check["ok"], done.returncode) == ("plan", False, 1)
    assert "plan.toml: routes is missing" in check["said"]


@pytest.mark.parametrize(
    "words", [("plivo", "live"), ("dials", "list"), ("run",), ("routes",), ("nonsense",), ("--help",)]
)
def test_other_commands_end_with_the_sentence(environ: dict[str, str], words: tuple[str, ...]) -> None:
    environ["PORT"] = "many"

    done = flask(environ, *words)

    assert done.returncode == 1
    assert done.stderr.endswith("PORT is 'many'; write a whole number from 1 to 65535\n")


def test_a_reports_token_that_others_may_read_is_reported(examine: Examine, run: Cli, environ: dict[str, str]) -> None:
    run("live")
    (Path(environ["INSTANCE_DIR"]) / "reports_token").chmod(0o644)

    assert "chmod 600" in examine()["reports token"]["advice"]


def test_receipts_without_a_call_are_counted(
    examine: Examine, make_app: Callable[[], Flask], environ: dict[str, str]
) -> None:
    environ |= {"PHLO_TOKEN": "a-made-up-token-of-the-phlo"}
    reply = (
        make_app()
        .test_client()
        .post(
            "/dialstatus/phlo/",
            json={"DialStatus": "completed", "DialALegUUID": "{{Start.call.uuid}}"},
            headers={"Authorization": "Bearer a-made-up-token-of-the-phlo"},
        )
    )
    assert reply.status_code == 200

    check = examine()["orphan receipts"]

    assert (check["ok"], check["said"]) == (False, "1 of the last day name no call")
    assert "flask receipts orphans" in check["advice"]


def test_an_instance_directory_that_others_can_read_is_reported(
    examine: Examine, run: Cli, environ: dict[str, str]
) -> None:
    run("live")
    Path(environ["INSTANCE_DIR"]).chmod(0o755)

    assert f"run chmod 700 {environ['INSTANCE_DIR']}" in examine()["settings"]["said"]


def test_a_dotenv_file_that_others_can_read_is_reported(environ: dict[str, str], tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("DIAL_TO=+14155550123\n")
    dotenv.chmod(0o644)
    app = create_app(Config.load(environ, dotenv=dotenv))

    result = add_commands(app).test_cli_runner().invoke(args=["doctor", "--api-url", NOWHERE])

    assert f"{dotenv} can be read by every user of this machine; run chmod 600 {dotenv}" in result.output


def test_no_check_ever_prints_the_token(run: Cli) -> None:
    result = run(command="doctor")

    assert AUTH_TOKEN not in result.output
    assert result.exit_code == 1
