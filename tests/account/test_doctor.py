"""`flask doctor` beside a real server process and a real HTTP server for Plivo."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.account.access import Access
from app.account.doctor import check_ngrok
from app.account.public_url import addresses_at
from app.account.remote_checks import check_clock
from app.account.setup import wanted_settings
from app.cli.group import add_commands
from app.context import EXTENSION
from app.records.model.receipt import Receipt
from app.voice.events import CallFacts, CallNoted, Kind
from config import Config
from tests.account.conftest import Cli
from tests.account.plivo_api import AUTH_TOKEN, PlivoApi
from tests.support.server import ROOT, Server, coverage_of_processes, until

# Nothing answers there, and nothing of these tests leaves this machine.
NOWHERE = "http://127.0.0.1:1"

Examine = Callable[..., dict[str, dict[str, Any]]]

NUMBER = "14155550199"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Let PUBLIC_URL lead nowhere, until a test has something to lead it to."""
    return environ | {"PUBLIC_URL": NOWHERE}


@pytest.fixture
def examine(run: Cli) -> Examine:
    """Run the doctor and return its checks by name."""

    def invoke(*words: str, exit_code: int = 1) -> dict[str, dict[str, Any]]:
        result = run("--json", *words, command="doctor")
        assert result.exit_code == exit_code, result.output
        said = json.loads(result.stdout)
        assert said["ok"] is (exit_code == 0)
        return {check["name"]: check for check in said["checks"]}

    return invoke


@pytest.fixture
def server(start_server: Callable[..., Server], environ: dict[str, str]) -> Server:
    """Run our server where the doctor's PUBLIC_URL leads."""
    started = start_server(PLIVO_AUTH_TOKEN=AUTH_TOKEN)
    environ["PUBLIC_URL"] = f"http://127.0.0.1:{started.port}"
    return started


@pytest.fixture
def stranger(environ: dict[str, str]) -> Iterator[None]:
    """Run a server that is not ours where the doctor's PUBLIC_URL leads."""

    class Hello(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        do_GET = do_POST = answer  # noqa: N815  # The standard library chose these names.

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as httpd:
        thread = threading.Thread(target=partial(httpd.serve_forever, 0.01))
        thread.start()
        environ["PUBLIC_URL"] = f"http://127.0.0.1:{httpd.server_port}"
        yield
        httpd.shutdown()
        thread.join()


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


def failing(checks: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, check in checks.items() if check["ok"] is False}


@pytest.mark.usefixtures("server")
def test_everything_is_well_but_that_loopback_is_not_public(
    plivo_api: PlivoApi, environ: dict[str, str], examine: Examine
) -> None:
    config = Config.load(environ)
    addresses = wanted_settings(
        addresses_at(environ["PUBLIC_URL"], retry_control=config.retry_control, retry_notice=config.retry_notice)
    )
    plivo_api.add_application("900", "dialstatus", **addresses)
    plivo_api.add_number(NUMBER, "900")

    checks = examine("--number", f"+{NUMBER}")

    assert failing(checks) == {"public URL", "settings"}
    assert checks["numbers"]["said"] == f"+{NUMBER}"
    assert checks["public URL by POST"]["ok"] is True
    assert checks["strangers"]["said"] == "an unsigned request is refused"
    assert set(checks) == {
        "settings",
        "plan",
        "migrations",
        "database",
        "orphan receipts",
        "spool",
        "disk space",
        "reports token",
        "signatures",
        "public URL",
        "ngrok",
        "public URL by GET",
        "public URL by POST",
        "strangers",
        "token",
        "clock",
        "time zone",
        "application",
        "hangup URL",
        "application URLs",
        "numbers",
    }


def test_without_an_account_the_local_part_is_checked_and_is_enough(run: Cli, environ: dict[str, str]) -> None:
    for name in ("PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN", "PUBLIC_URL"):
        del environ[name]

    result = run("--ngrok-url", "http://127.0.0.1:1", command="doctor")

    assert result.exit_code == 0, result.output
    assert "✓ database: sqlite committed a write" in result.output
    assert "– public URL: PUBLIC_URL is not set. No ngrok answers" in result.output
    assert "– account: PLIVO_AUTH_ID or PLIVO_AUTH_TOKEN is not set" in result.output
    assert result.output.count("No ngrok answers") == 1


def test_what_the_doctor_asks_is_no_trouble_but_a_call_without_its_answer_is(server: Server, examine: Examine) -> None:
    examine()
    until(lambda: len(server.events("fallback_tried")) == 2)
    assert not server.events("fallback_asked")

    server.plivo("POST", "/dialstatus/fallback/", {"CallUUID": "a-call"}, token=AUTH_TOKEN)

    [asked] = until(lambda: server.events("fallback_asked"))
    assert asked["level"] == "warning"
    assert {tried["level"] for tried in server.events("fallback_tried")} == {"info"}


@pytest.mark.usefixtures("server")
def test_a_token_other_than_the_servers_is_reported_from_outside(examine: Examine, environ: dict[str, str]) -> None:
    environ["PLIVO_AUTH_TOKEN"] = "another-made-up-token"

    checks = examine()

    assert "refuses our own signature" in checks["public URL by POST"]["said"]
    assert "does not accept PLIVO_AUTH_ID with PLIVO_AUTH_TOKEN" in checks["token"]["said"]
    assert "application" not in checks


@pytest.mark.usefixtures("stranger")
def test_something_else_that_answers_at_the_public_url_is_found_out(examine: Examine) -> None:
    checks = examine()

    assert "answers 200 without a type, no Plivo XML" in checks["public URL by GET"]["said"]
    assert checks["strangers"]["said"] == "an unsigned request gets 200"


def test_a_public_url_where_nothing_answers_is_a_sentence(examine: Examine) -> None:
    checks = examine()

    assert "cannot be reached (ConnectionError)" in checks["public URL by GET"]["said"]
    assert "from outside as well" in checks["public URL by GET"]["advice"]


@pytest.mark.usefixtures("server")
def test_the_address_of_ngrok_is_used_where_no_public_url_is_set(
    plivo_api: PlivoApi, examine: Examine, environ: dict[str, str]
) -> None:
    plivo_api.tunnels = [{"public_url": "https://127.0.0.1:1", "config": {"addr": "http://localhost:5000"}}]
    del environ["PUBLIC_URL"]

    checks = examine()

    assert "https://127.0.0.1:1 (from ngrok)" in checks["public URL"]["said"]
    assert checks["ngrok"]["said"] == "https://127.0.0.1:1 leads to port 5000"


@pytest.mark.parametrize(
    ("tunnels", "ok", "said"),
    [
        (["https://new.ngrok-free.app"], False, "is at https://new.ngrok-free.app now"),
        (["https://old.ngrok-free.app"], True, "leads to port 5000"),
        ([], None, "ngrok runs without an https tunnel"),
    ],
)
def test_an_address_of_ngrok_that_is_no_longer_ours_is_reported(
    plivo_api: PlivoApi, make_app: Callable[[], Flask], tunnels: list[str], ok: bool | None, said: str
) -> None:
    plivo_api.tunnels = [{"public_url": url, "config": {"addr": "http://localhost:5000"}} for url in tunnels]
    access = Access(api_url="", phlo_url="", ngrok_url=plivo_api.url, timeout=5)

    with make_app().app_context():
        check = check_ngrok("https://old.ngrok-free.app", access)

    assert (check.ok, said in check.said) == (ok, True)
    assert ("PUBLIC_URL=https://new.ngrok-free.app" in check.advice) == (ok is False)


def test_ngrok_is_not_asked_where_it_has_no_part(plivo_api: PlivoApi, examine: Examine) -> None:
    assert examine()["ngrok"]["ok"] is None
    assert not [asked for asked in plivo_api.asked if asked.path == "/api/tunnels"]


@pytest.mark.usefixtures("server")
def test_an_address_can_be_looked_at_before_it_is_set(examine: Examine, environ: dict[str, str]) -> None:
    url = environ.pop("PUBLIC_URL")

    checks = examine("--url", url)

    assert (
        checks["public URL"]["said"]
        == f"Plivo cannot reach {url} (--url): it leads to this machine or a private network"
    )
    assert checks["public URL by POST"]["ok"] is True


def test_an_application_wired_by_hand_shows_what_is_wrong_with_it(plivo_api: PlivoApi, examine: Examine) -> None:
    plivo_api.add_application("900", "dialstatus", answer_method="GET", answer_url=f"{NOWHERE}/dialstatus")
    plivo_api.applications["900"]["hangup_url"] = f"{NOWHERE}/dialstatus"
    plivo_api.add_application("901", "another")
    plivo_api.add_number(NUMBER, "901")

    checks = examine("--number", f"+{NUMBER}")

    assert checks["application"]["ok"] is True
    assert "answer_method is GET, not POST" in checks["application URLs"]["said"]
    assert "Plivo posts hangups to the answer URL" in checks["hangup URL"]["said"]
    assert checks["numbers"]["said"] == f"+{NUMBER} not on dialstatus"


def test_an_application_that_is_not_there_is_reported_with_the_command_that_makes_it(examine: Examine) -> None:
    check = examine()["application"]

    assert check["ok"] is False
    assert "flask plivo setup" in check["advice"]


def test_an_application_without_numbers_is_reported(plivo_api: PlivoApi, examine: Examine) -> None:
    plivo_api.add_application("900", "dialstatus")

    assert examine()["numbers"]["said"] == "there is no number on dialstatus"


def test_a_plivo_that_is_down_is_one_failed_check(plivo_api: PlivoApi, examine: Examine) -> None:
    plivo_api.trouble(503, times=99, path="/v1/", headers={"Retry-After": "0"})

    assert "fault of its own" in examine()["token"]["said"]


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


@pytest.mark.parametrize(
    ("theirs", "ok", "said"),
    [
        (timedelta(), True, "agrees with Plivo's"),
        (timedelta(seconds=90), False, "90 seconds behind Plivo's"),
        (timedelta(seconds=-31), False, "31 seconds ahead of Plivo's"),
    ],
)
def test_a_clock_that_is_wrong_is_reported(theirs: timedelta, ok: bool, said: str) -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)

    check = check_clock(now + theirs, now)

    assert (check.ok, check.said) == (ok, said)


@pytest.mark.parametrize(
    ("account", "configured", "ok", "said"),
    [
        ("UTC", "UTC", True, "PLIVO_TIMEZONE is UTC"),
        ("Asia/Kolkata", "UTC", False, "PLIVO_TIMEZONE is UTC, but the account is in Asia/Kolkata"),
        ("UTC", "America/Los_Angeles", False, "PLIVO_TIMEZONE is America/Los_Angeles, but the account is in UTC"),
        ("Asia/Kolkata", "Asia/Calcutta", True, "PLIVO_TIMEZONE is Asia/Calcutta, and so is the account"),
        ("Europe/London", "UTC", False, "but the account is in Europe/London"),
        ("Europe/Paris", "Africa/Lagos", False, "but the account is in Europe/Paris"),
        ("Moon/Tranquility", "UTC", None, "'Moon/Tranquility', which this machine does not know"),
        ("../../etc/passwd", "UTC", None, "which this machine does not know"),
        (None, "UTC", None, "the account has none"),
    ],
)
def test_the_time_zone_of_the_account_is_compared(
    plivo_api: PlivoApi,
    examine: Examine,
    environ: dict[str, str],
    account: str | None,
    configured: str,
    ok: bool | None,
    said: str,
) -> None:
    plivo_api.timezone, environ["PLIVO_TIMEZONE"] = account, configured

    check = examine()["time zone"]

    assert (check["ok"], said in check["said"]) == (ok, True), check
    assert (f"Set PLIVO_TIMEZONE={account}" in check["advice"]) == (ok is False)


def test_an_account_whose_time_zone_cannot_be_read_leaves_the_other_checks(
    plivo_api: PlivoApi, examine: Examine
) -> None:
    plivo_api.add_application("900", "dialstatus")
    plivo_api.hides_account = True

    checks = examine()

    assert checks["time zone"]["ok"] is None
    assert checks["application"]["ok"] is True


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
