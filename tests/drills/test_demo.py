"""`make demo` opens on two weeks of calls that show what the pages can do, and on no warning."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ROOT, free_port, until

NEEDED = ("Makefile", "app", "config.py", "docs", "gunicorn.conf.py", "pyproject.toml", "settings", "wsgi.py")

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the demo in a copy of the checkout; yield the link that it prints."""
    checkout, port = tmp_path_factory.mktemp("demo"), free_port()
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout / name)
    output = checkout / "output"
    with output.open("w") as log:
        demo = subprocess.Popen(
            ["make", "--no-print-directory", "--old-file=.venv/run", f"BIN={Path(sys.executable).parent}", "demo"],
            cwd=checkout,
            env={**os.environ, "PORT": str(port)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    yield until(lambda: re.findall(r"http\S+/login\?token=\S+", output.read_text()), seconds=120)[0]
    os.killpg(demo.pid, signal.SIGINT)
    assert demo.wait(30) in {0, 130, -signal.SIGINT}
    assert "Traceback" not in output.read_text()


@pytest.fixture(scope="module")
def calls(link: str) -> list[dict[str, Any]]:
    """Return the newest calls, once the one in progress has begun."""

    def read() -> list[dict[str, Any]] | None:
        address, token = link.split("/login?token=")
        asked = urllib.request.Request(
            f"{address}/api/v1/calls?limit=500", headers={"Authorization": f"Bearer {token}"}
        )
        found: list[dict[str, Any]] = json.load(urllib.request.urlopen(asked, timeout=10))["calls"]
        return found if any(call["outcome"] == "in_progress" for call in found) else None

    found: list[dict[str, Any]] = until(read)
    return found


def test_the_calls_have_names_messages_several_outcomes_and_one_goes_on(calls: list[dict[str, Any]]) -> None:
    assert len(calls) == 500
    assert calls[0]["outcome"] == "in_progress"
    assert any(call["caller_name"] and not call["caller_name"].startswith("+") for call in calls)
    assert any(call["message"] for call in calls)
    assert len({call["outcome"] for call in calls}) > 8
    assert len({call["started_at"][:10] for call in calls}) > 10


def test_the_dashboard_warns_of_nothing(link: str) -> None:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    page = browser.open(link, timeout=10).read().decode()

    assert 'class="alert' not in page
