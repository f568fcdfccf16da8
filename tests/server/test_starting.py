"""A server starts whatever its store does, and says what is missing."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.records.store import migrate
from app.records.store.store import Store
from config import Config
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.database import rows
from tests.support.server import DEADLINE, REPORTS_TOKEN, ROOT, TOKEN, Server, coverage_of_processes, free_port, until


def half_made(venv: Path) -> None:
    """Do what a first start does that was broken off before it had pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)


def broken(venv: Path) -> None:
    """Leave what is left where the Python that it was made with is gone."""
    half_made(venv)
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(venv / "no-python")


def test_without_its_tables_it_serves_callers_says_so_and_brings_the_reports_in_later(
    postgresql_url: str, tmp_path: Path
) -> None:
    server = Server(
        {
            "INSTANCE_DIR": str(tmp_path / "instance"),
            "DATABASE_URL": postgresql_url,
            "PLIVO_AUTH_TOKEN": TOKEN,
            "REPORTS_TOKEN": REPORTS_TOKEN,
            "LOG_FORMAT": "json",
            "DIAL_TO": "+14155550123",
        }
    ).start()
    try:
        [line] = until(lambda: server.events("store_not_ready"))
        assert "flask --app wsgi db upgrade" in line["reason"]
        call_uuid = new_uuid()

        answer = server.plivo("POST", "/dialstatus/", inbound(call_uuid))
        server.plivo("POST", "/dialstatus/action/?dial=a-dial", dial_report(call_uuid, "busy"))
        upgrade(postgresql_url, tmp_path)

        assert "<Number>+14155550123</Number>" in answer.body
        kept = "SELECT outcome FROM dials WHERE dial_id = 'a-dial'"
        until(lambda: rows(postgresql_url, tmp_path, kept) == [("busy",)])
    finally:
        server.stop()


def test_with_a_store_that_is_away_it_serves_callers(tmp_path: Path) -> None:
    nobody = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    server = Server(
        {
            "INSTANCE_DIR": str(tmp_path / "instance"),
            "DATABASE_URL": nobody,
            "PLIVO_AUTH_TOKEN": TOKEN,
            "LOG_FORMAT": "json",
            "DIAL_TO": "+14155550123",
        }
    ).start()
    try:
        assert "<Dial" in server.plivo("POST", "/dialstatus/", inbound(new_uuid())).body
        assert server.plivo("POST", "/dialstatus/hangup/", inbound(new_uuid())).status == 503
        until(lambda: server.events("receipt_spooled"))
    finally:
        server.stop()


def test_an_address_of_another_machine_is_told_in_a_sentence(tmp_path: Path) -> None:
    with starting(tmp_path, HOST="192.0.2.1", PORT="5000") as process:
        said = process.communicate(timeout=DEADLINE)[0].splitlines()

    assert process.returncode == 1
    assert (
        said[-1] == "HOST 192.0.2.1 and PORT 5000 cannot be listened on: Cannot assign requested address; write others"
    )


def test_a_port_that_another_server_is_leaving_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as leaving, starting(tmp_path, PORT=str(port)) as process:
        assert process.stdout
        assert any("Starting gunicorn" in line for line in process.stdout)
        leaving.close()
        assert any("Listening at" in line for line in process.stdout)
        process.terminate()
        process.communicate(timeout=DEADLINE)


def starting(instance: Path, **settings: str) -> subprocess.Popen[str]:
    """Start a server that may not come to serve."""
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("gunicorn")), "-c", "gunicorn.conf.py", "wsgi:app"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "INSTANCE_DIR": str(instance),
            "DIAL_TO": "+14155550123",
            "LOG_FORMAT": "json",
            **coverage_of_processes(),
            **settings,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("make", [half_made, broken], ids=["without pip", "without python"])
def test_an_environment_that_is_half_made_is_made_anew(tmp_path: Path, make: Callable[[Path], None]) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.txt").touch()
    make(tmp_path / ".venv")

    done = subprocess.run(
        ["make", f"PYTHON={sys.executable}", ".venv/run"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".venv" / "run").exists()
    assert subprocess.run([tmp_path / ".venv" / "bin" / "pip", "--version"], check=False).returncode == 0


def test_a_demo_leaves_a_server_alone_that_has_its_port_already(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = subprocess.run(
            ["make", "--no-print-directory", "--old-file=.venv/run", f"BIN={Path(sys.executable).parent}", "demo"],
            cwd=tmp_path,
            env={**os.environ, "PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == (
        f"Port {port} is taken by another server; write a free one, such as PORT={port + 1} make demo"
    )
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


def upgrade(database_url: str, scratch: Path) -> None:
    """Do what `flask db upgrade` does."""
    config = Config.load({"DATABASE_URL": database_url, "INSTANCE_DIR": str(scratch)})
    store = Store(config.database_url, timeout=5)
    migrate.upgrade(store)
    store.close()
