"""Record what a serving process writes and syncs, and when it acknowledges what."""

import fcntl
import itertools
import pickle
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path

import psutil
import pytest

from app.records.store.sqlite import lock_path
from tests.drills.power_cut.disk import Disk, timeline
from tests.drills.power_cut.trace import CALLS, COMMAND, Step, read_trace
from tests.drills.reporters import webhooks
from tests.server.calls import new_uuid
from tests.support.server import REPORTS_TOKEN, ROOT, TOKEN, Server, until

INSTANCE = "/instance"
_CALLERS = 6


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What happened to the files below `root`, and which requests were acknowledged when.

    `database` is the path of the database below `root`, in INSTANCE_DIR or in a directory of its own.
    """

    root: str
    database: str
    steps: list[Step]

    def write(self, path: Path) -> Path:
        """Write it to a file."""
        path.write_bytes(pickle.dumps(self))
        return path

    @staticmethod
    def read(path: Path) -> "Recording":
        """Read it from a file that `write` made."""
        found: Recording = pickle.loads(path.read_bytes())
        return found

    def without_syncs(self, name: str) -> "Recording":
        """Return the same with a disk that does not sync the files of that name, such as a log of SQLite."""
        ignored = [step for step in self.steps if step.name in {"fsync", "fdatasync"} and Path(step.path).name == name]
        assert ignored, f"{name} was never synced"
        return replace(self, steps=[step for step in self.steps if step not in ignored])

    def disk(self) -> Disk:
        """Return the disk before the first step."""
        above = str(Path(self.root, self.database).parent)
        return Disk(self.root, *([] if above.endswith(INSTANCE) else [above]))

    def assert_complete(self) -> None:
        """Raise AssertionError unless the steps lead to the files that are there."""
        disk = self.disk()
        for step in timeline(self.steps):
            disk.take(step)
        real = {str(path): path for path in [Path(self.root), *Path(self.root).rglob("*")]}
        assert set(disk.names) == set(real)
        for name, path in real.items():
            assert path.is_dir() or disk.content(name) == path.read_bytes(), f"{name} differs"


def record(scratch: Path, calls: int, *, is_apart: bool, program: Path = ROOT) -> Recording:
    """Serve calls, with the store held up for a while and all processes killed once, and return what was recorded.

    The database is `is_apart` from INSTANCE_DIR, or in it: there, SQLite syncs names that are not its own.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is needed to record what the server writes: apt-get install strace")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode:
        pytest.skip("strace may not trace here: a container needs the capability SYS_PTRACE")
    root = scratch / "machine"
    database = root / "data" / "dialstatus.db" if is_apart else root / "instance" / "dialstatus.db"
    (root / "data" if is_apart else root).mkdir(parents=True)
    traces: list[Path] = []
    server = Server(
        {
            "INSTANCE_DIR": f"{root}{INSTANCE}",
            "DATABASE_URL": f"sqlite:///{database}",
            "PLIVO_AUTH_TOKEN": TOKEN,
            "REPORTS_TOKEN": REPORTS_TOKEN,
            "DIAL_TO": "+14155550123",
            "WORKERS": "2",
            "STORE_TIMEOUT": "0.8",
            "LOG_LEVEL": "ERROR",
        },
        root=program,
    )
    try:
        _start(server, scratch, traces)
        _send(server, calls // 2)
        with _held_up(database):
            _send(server, calls // 8)
        _send(server, calls // 8)
        until(lambda: "\ndialstatus_spool_receipts 0\n" in _metrics(server))
        with ThreadPoolExecutor() as sending:
            sent = sending.submit(_send, server, calls)
            until(lambda: sent.running())
            server.kill()
        _await_tracers(traces)
        _start(server, scratch, traces)
        _send(server, calls // 4)
        server.stop()
        _await_tracers(traces)
    finally:
        if server.process and server.process.poll() is None:
            server.kill()
    lines = itertools.chain.from_iterable(path.read_text().splitlines() for path in traces)
    recording = Recording(root=str(root), database=str(database.relative_to(root)), steps=read_trace(lines, str(root)))
    recording.assert_complete()
    return recording


def _start(server: Server, scratch: Path, traces: list[Path]) -> None:
    traces.append(scratch / f"trace{len(traces)}")
    server.wrapper = (*COMMAND, "-e", f"trace={CALLS}", "-o", str(traces[-1]))
    server.start()


def _await_tracers(traces: list[Path]) -> None:
    until(
        lambda: not [one for one in psutil.process_iter(["cmdline"]) if str(traces[-1]) in (one.info["cmdline"] or ())]
    )


def _metrics(server: Server) -> str:
    return server.request("GET", "/metrics", headers={"Authorization": f"Bearer {REPORTS_TOKEN}"}).body


def _send(server: Server, calls: int) -> None:
    with ThreadPoolExecutor(_CALLERS) as callers:
        list(callers.map(lambda _: _send_call(server), range(calls)))


def _send_call(server: Server) -> None:
    call_uuid = new_uuid()
    with suppress(OSError, HTTPException):  # The server was killed.
        for kind, target, fields in webhooks(call_uuid):
            reply = server.plivo("POST", target, fields, request_id=f"cut-{call_uuid}-{kind}")
            assert reply.status in {200, 503}, reply


@contextmanager
def _held_up(database: Path) -> Iterator[None]:
    """Hold the lock that writers queue at, so that receipts are spooled."""
    with lock_path(database, "turn").open("rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
