"""The same application under other WSGI servers: everything works, in one process or in several."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.ops.collector import total
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import DEADLINE, REPORTS_TOKEN, ROOT, TOKEN, Server, coverage_of_processes, free_port, until

GUNICORN = ("gunicorn", "--bind", "127.0.0.1:{port}")
COMMANDS = {
    "gthread": (*GUNICORN, "--worker-class", "gthread", "wsgi:app"),
    "sync": (*GUNICORN, "--worker-class", "sync", "--threads", "1", "wsgi:app"),
    "gthread without our settings": (*GUNICORN, "--config", "/dev/null", "--threads", "4", "wsgi:app"),
    "waitress": ("waitress-serve", "--listen", "127.0.0.1:{port}", "wsgi:app"),
    "flask": ("flask", "--app", "wsgi", "run", "--port", "{port}"),
}


@contextmanager
def served_by(command: tuple[str, ...], instance: Path) -> Iterator[Server]:
    """Run a command and yield its server once it answers; it must end by itself when it is told to."""
    server = Server({}, port=free_port())
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name(command[0])), *(word.format(port=server.port) for word in command[1:])],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PORT": str(server.port),
            "INSTANCE_DIR": str(instance),
            "PLIVO_AUTH_TOKEN": TOKEN,
            "REPORTS_TOKEN": REPORTS_TOKEN,
            "DIAL_TO": "+14155550123",
            "STORE_TIMEOUT": "5",
            **coverage_of_processes(),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(lambda: is_up(server))
        yield server
        process.send_signal(signal.SIGINT)
        process.wait(DEADLINE)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)


def is_up(server: Server) -> bool:
    """Return whether the server answers."""
    try:
        return server.request("GET", "/healthz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_application_serves_fully(command: tuple[str, ...], tmp_path: Path) -> None:
    with served_by(command, tmp_path) as server:
        call_uuid = new_uuid()

        assert "<Dial" in server.plivo("POST", "/dialstatus/", inbound(call_uuid)).body
        report = server.plivo("POST", "/dialstatus/action/?dial=a-dial", dial_report(call_uuid, "busy"))
        repeated = server.plivo("POST", "/dialstatus/action/?dial=a-dial", dial_report(call_uuid, "busy"))
        stranger = server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid), token="another-made-up-token")

        assert (report.status, repeated.body, stranger.status) == (200, report.body, 403)
        assert server.request("POST", "/dialstatus/action/", b"x" * 70_000).status in {403, 413}
        assert server.api(f"/calls/{call_uuid}").json()["dials"][-1]["dial_status"] == "busy"
        # Another worker's counts reach its file within a second.
        until(lambda: total(server, "dialstatus_receipts_total", kind="action", status="200") == 2)
    assert [path.name for path in (tmp_path / "metrics").glob("*.json")]


def test_the_background_jobs_run_under_each_server(tmp_path: Path) -> None:
    with served_by(COMMANDS["waitress"], tmp_path) as server:
        server.plivo("POST", "/dialstatus/", inbound(new_uuid()))
        until(lambda: total(server, "dialstatus_receipts_total", kind="answer") == 1)

        assert until(lambda: list((tmp_path / "spool").glob("reserve")))
