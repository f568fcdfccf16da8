"""A route that is closed or opened by hand, on every node that shares the store."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.server.calls import inbound, new_uuid
from tests.support.database import rows
from tests.support.server import REPORTS_TOKEN, ROOT, Server, until

PLAN = """
[routes.main]
[routes.main.steps.desk]
ring = ["+14155550111", "+14155550112"]
"""
SEEN_WITHIN = 2.0  # Seconds, as promised; a test also waits for a busy machine.


def flask(server: Server, *arguments: str) -> str:
    """Run a command with the settings of a server; return what it prints."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **server.settings}
    command = [str(Path(sys.executable).with_name("flask")), "--app", "wsgi", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answer(server: Server) -> str:
    """Return what a new call gets."""
    return server.plivo("POST", "/dialstatus/", inbound(new_uuid())).body


def log_in(server: Server) -> str:
    """Return the cookie of a session."""
    with closing(server.connect()) as connection:
        connection.request("GET", f"/login?token={REPORTS_TOKEN}")
        return re.split("[;,]", connection.getresponse().headers["Set-Cookie"])[0]


@pytest.fixture
def nodes(start_server: Callable[..., Server], database_url: str, tmp_path: Path) -> tuple[Server, Server]:
    """Start two servers, each of two workers, on one database."""
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    settings = {"DATABASE_URL": database_url, "DIAL_PLAN": plan, "SECRET_KEY": "a-made-up-secret-key-of-two-nodes"}
    first, second = start_server(**settings), start_server(**settings)
    answer(first)  # Without any call the dashboard shows the first steps alone.
    return first, second


def test_a_switch_is_seen_by_every_worker_of_every_node(nodes: tuple[Server, Server]) -> None:
    first, second = nodes
    assert "+14155550111" in answer(first)

    printed = flask(first, "plan", "close", "main", "--say", "We are back at three.")

    assert printed == "main: closed by hand until further notice\n  callers hear “We are back at three.”\n"
    for node in nodes:
        until(lambda node=node: "We are back at three." in answer(node), seconds=20)
    time.sleep(SEEN_WITHIN)
    assert all("We are back at three." in answer(node) for node in nodes for _ in range(10))

    flask(second, "plan", "open", "main")

    time.sleep(SEEN_WITHIN)
    for node in nodes:
        until(lambda node=node: "+14155550111" in answer(node), seconds=20)


def test_a_switch_outlives_a_restart_and_is_in_the_audit_log(
    nodes: tuple[Server, Server], database_url: str, tmp_path: Path
) -> None:
    first, second = nodes
    flask(first, "plan", "close", "main")
    first.stop()
    second.stop()

    first.start()

    assert "nobody can take your call" in answer(first)
    assert rows(database_url, tmp_path, "SELECT actor, action, subject, detail FROM audit_log") == [
        ("cli", "route.closed", "switch:main", '{"open": false}')
    ]


def test_the_page_closes_a_route_until_a_time(nodes: tuple[Server, Server]) -> None:
    first, second = nodes
    session = log_in(first)
    page = first.request("GET", "/", headers={"Cookie": session}).body
    assert "<strong>main</strong> is always open" in page
    [csrf, *_] = re.findall(r'name="csrf" value="([^"]+)"', page)
    form = {"csrf": csrf, "route": "main", "change": "close", "until": "23:59", "say": "Closed <today> & tomorrow."}
    headers = {"Cookie": session, "Content-Type": "application/x-www-form-urlencoded"}

    changed = first.request("POST", "/switch", urlencode(form), headers)

    assert changed.status == 303
    page = first.request("GET", "/", headers={"Cookie": session}).body
    assert re.search(r"main is closed by hand until \w{3} \d\d \w{3} 23:59 \(UTC\)", page)
    assert "Closed &lt;today&gt; &amp; tomorrow." in page
    until(lambda: "Closed &lt;today&gt; &amp; tomorrow." in answer(second), seconds=20)
    refused = first.request("POST", "/switch", urlencode({**form, "csrf": "guessed"}), headers)
    assert refused.status == 400
    assert first.request("POST", "/switch", urlencode(form)).status == 401


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"until": "soon"}, "is no time; write 15:00"), ({"say": "\x07"}, "say"), ({"route": "other"}, "no such route")],
)
def test_the_page_refuses_what_it_cannot_do(nodes: tuple[Server, Server], change: dict[str, str], problem: str) -> None:
    first, _ = nodes
    session = log_in(first)
    [csrf, *_] = re.findall(r'name="csrf" value="([^"]+)"', first.request("GET", "/", headers={"Cookie": session}).body)
    form = {"csrf": csrf, "route": "main", "change": "close", **change}
    headers = {"Cookie": session, "Content-Type": "application/x-www-form-urlencoded"}

    refused = first.request("POST", "/switch", urlencode(form), headers)

    assert refused.status in {400, 404}
    assert problem in refused.body
    assert "+14155550111" in answer(first)


def test_the_page_takes_a_phone_out_and_puts_it_back_in(
    nodes: tuple[Server, Server], database_url: str, tmp_path: Path
) -> None:
    first, second = nodes
    session = log_in(first)
    headers = {"Cookie": session, "Content-Type": "application/x-www-form-urlencoded"}

    def page() -> str:
        return first.request("GET", "/", headers={"Cookie": session}).body

    def change(**fields: str) -> int:
        [csrf, *_] = re.findall(r'name="csrf" value="([^"]+)"', page())
        form = {"csrf": csrf, "target": "+14155550111", **fields}
        return first.request("POST", "/switch/phone", urlencode(form), headers).status

    assert change(change="out") == 303
    assert "1 is taken out" in page()
    assert "is out, by admin" in page()
    until(lambda: "+14155550111" not in answer(second), seconds=20)
    assert change(change="in") == 303
    assert "is out, by admin" not in page()
    until(lambda: "+14155550111" in answer(second), seconds=20)

    assert rows(database_url, tmp_path, "SELECT actor, action, subject FROM audit_log ORDER BY 2 DESC") == [
        ("admin", "target.out", "+14155550111"),
        ("admin", "target.in", "+14155550111"),
    ]
    assert change(change="out", target="+14155550199") == 404
    assert change(change="sideways") == 404
    assert change(change="out", csrf="guessed") == 400
    assert first.request("POST", "/switch/phone", urlencode({"target": "+14155550111", "change": "out"})).status == 401
