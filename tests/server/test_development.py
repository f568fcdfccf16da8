"""What the README offers besides gunicorn: flask's own server for development."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.error import URLError

from tests.support.server import ROOT, free_port, until


def test_flask_run_serves_from_nothing(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "run", "--debug", "--no-reload", "--port", str(port)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "INSTANCE_DIR": str(tmp_path), "REPORTS_TOKEN": "a-made-up-reports-token"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert until(lambda: fetched(f"http://127.0.0.1:{port}/dialstatus/", b"CallUUID=c")).startswith(
            "<Response><Dial"
        )
        assert fetched(f"http://127.0.0.1:{port}/api/v1/calls/c")
    finally:
        process.terminate()
        process.wait(30)


def fetched(url: str, body: bytes | None = None) -> str:
    """Return what a URL replies; nothing while no server does."""
    asked = urllib.request.Request(url, body, {"Authorization": "Bearer a-made-up-reports-token"})
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            text: str = answer.read().decode()
            return text
    except URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            return ""
        raise
