"""What is printed at start names the next step, and no secret that somebody chose."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.server.startup import welcome
from config import Config
from tests.support.server import ROOT, TOKEN, Server


def said(tmp_path: Path, **settings: str) -> str:
    """Return what is printed on a terminal with these settings."""
    return welcome(Config.load({"INSTANCE_DIR": str(tmp_path), **settings}), is_terminal=True)


def test_a_newcomer_is_told_every_url_the_number_and_the_link(tmp_path: Path) -> None:
    text = said(tmp_path)

    token = (tmp_path / "reports_token").read_text().strip()
    for part in (
        "answer URL    http://127.0.0.1:5000/dialstatus/",
        "hangup URL    http://127.0.0.1:5000/dialstatus/hangup/",
        "A call rings    +15551234567",
        "NOT checked",
        f"http://127.0.0.1:5000/login?token={token}",
        "curl http://127.0.0.1:5000/dialstatus/ ",
        "ngrok http 5000",
        "Note: DIAL_TO is +15551234567",
    ):
        assert part in text


def test_a_log_gets_the_place_of_the_token_instead(tmp_path: Path) -> None:
    text = welcome(Config.load({"INSTANCE_DIR": str(tmp_path)}), is_terminal=False)

    file = tmp_path / "reports_token"
    assert f"Dashboard       http://127.0.0.1:5000/login (the token is in {file})" in text
    assert f"Bearer $(cat {file})" in text
    assert file.read_text().strip() not in text
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_link_is_that_of_the_public_url(tmp_path: Path) -> None:
    text = said(tmp_path, PUBLIC_URL="https://calls.example.com/voice")

    assert "Dashboard       https://calls.example.com/voice/login?token=" in text
    assert " https://calls.example.com/voice/api/v1/calls" in text


def test_a_server_that_writes_to_a_log_keeps_the_token_out(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, REPORTS_TOKEN="")
    server.stop()

    token = (tmp_path / "reports_token").read_text().strip()
    assert any("Dialstatus is ready" in line for line in server.lines)
    assert not any(token in line for line in server.lines)


def test_a_token_that_was_chosen_is_not_printed(tmp_path: Path) -> None:
    said(tmp_path)  # A first start, before anybody chose, made one.
    text = said(tmp_path, REPORTS_TOKEN="a-token-of-my-own-choice", PLIVO_AUTH_TOKEN="the-auth-token-of-plivo")

    assert "a-token-of-my-own-choice" not in text
    assert "the-auth-token-of-plivo" not in text
    assert "Dashboard       http://127.0.0.1:5000/login\n" in text
    assert '"Authorization: Bearer $REPORTS_TOKEN"' in text  # In other quotes a shell would not fill it in.


def test_plivo_is_given_the_public_url_and_the_plan_is_named(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.touch()

    text = said(tmp_path, PUBLIC_URL="https://calls.example.com", DIAL_PLAN=str(plan))

    assert "answer URL    https://calls.example.com/dialstatus/#ct=2000&" in text
    assert "hangup URL    https://calls.example.com/dialstatus/hangup/#ct=5000&" in text
    assert "fallback URL  https://calls.example.com/dialstatus/fallback/#ct=2000&" in text
    assert f"A call rings    the plan {plan}" in text
    assert "ngrok" not in text


@pytest.mark.parametrize("public", ["", "https://calls.example.com"])
def test_what_there_is_to_try_passes_where_signatures_are_checked(
    start_server: Callable[..., Server], tmp_path: Path, public: str
) -> None:
    server = start_server(PLIVO_AUTH_TOKEN=TOKEN, PUBLIC_URL=public)
    text = said(tmp_path, PLIVO_AUTH_TOKEN=TOKEN, PUBLIC_URL=public, PORT=str(server.port))
    [line] = re.findall(r"\.venv/bin/flask (.*)", text)

    assert TOKEN not in line
    done = subprocess.run(
        [sys.executable, "-m", "flask", *shlex.split(line)],
        cwd=ROOT,
        env={**os.environ, **server.settings, "PORT": str(server.port)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_warning_that_asks_ends_with_its_question_mark(tmp_path: Path) -> None:
    text = said(tmp_path, PUBLIC_ULR="https://calls.example.com")

    assert text.endswith("did you mean PUBLIC_URL?")


@pytest.mark.parametrize(
    ("host", "link"),
    [("::1", "http://[::1]:5000/"), ("::", "http://127.0.0.1:5000/"), ("0.0.0.0", "http://127.0.0.1:5000/")],
)
def test_the_link_leads_to_the_address_that_is_listened_on(tmp_path: Path, host: str, link: str) -> None:
    assert f"Dashboard       {link}login" in said(tmp_path, HOST=host)
