"""Start this server and its peers, each as people run it, and end them. Only processes started here are ended."""

import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from benchmarks.webhooks import HOST, PUBLIC_URL, SECRET_KEY, TOKEN

ROOT = Path(__file__).resolve().parents[1]
_DEADLINE = 60.0
# The settings of gunicorn that affect speed; a peer under "the same settings" gets these.
_KNOBS = {
    "worker_class": "--worker-class",
    "workers": "--workers",
    "threads": "--threads",
    "keepalive": "--keep-alive",
    "http_parser": "--http-parser",
    "worker_connections": "--worker-connections",
    "backlog": "--backlog",
}


@dataclass(slots=True)
class Server:
    """A server process with its workers. `start_seconds` is from its start to its first reply."""

    name: str
    command: list[str]
    scratch: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    output: IO[bytes] | None = None
    start_seconds: float = 0.0

    def start(self) -> "Server":
        """Start it and wait for its first reply."""
        self.port = _free_port()
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.output = (self.scratch / f"{self.name}.log").open("ab")
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [word.format(port=self.port) for word in self.command],
            cwd=self.scratch,  # gunicorn would find our own gunicorn.conf.py in its directory.
            env={**environment(self.scratch), "PORT": str(self.port), **self.settings},
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        while not _answers(self.port):
            if self.process.poll() is not None or time.perf_counter() - started > _DEADLINE:
                self.stop()
                raise RuntimeError(f"{self.name} did not start:\n{Path(self.output.name).read_text()[-2000:]}")
            time.sleep(0.005)
        self.start_seconds = time.perf_counter() - started
        return self

    def stop(self) -> None:
        """End it and its workers."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        if self.output is not None:
            self.output.close()

    def worker_megabytes(self, kind: str = "Pss") -> float:
        """Return the memory in MB of its largest worker: its proportional share (`Pss`) or its own (`Private_Dirty`)."""
        if self.process is None:
            return 0.0
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return max((_megabytes(int(child), kind) for child in children), default=0.0)

    def megabytes(self) -> float:
        """Return the memory in MB of all its processes, shared pages counted once."""
        if self.process is None:
            return 0.0
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sum(_megabytes(int(pid), "Pss") for pid in [str(self.process.pid), *children])

    def processor_seconds(self) -> float:
        """Return the processor time of its processes so far, in seconds."""
        if self.process is None:
            return 0.0
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sum(_processor_seconds(int(pid)) for pid in [str(self.process.pid), *children])


def gunicorn_knobs(scratch: Path) -> dict[str, str]:
    """Return the settings in `gunicorn.conf.py` that a peer under the same settings gets."""
    os.environ.update(environment(scratch))
    settings = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    # The usual worker for Flask. Our own worker answers webhooks on its loop, which is part of the comparison.
    settings["worker_class"] = "gthread"
    knobs = {flag: str(settings[name]) for name, flag in _KNOBS.items() if name in settings}
    return {"-c": str(ROOT / "benchmarks" / "peers" / "hooks.py"), **knobs}


def gunicorn(application: str, knobs: dict[str, str]) -> list[str]:
    """Return the command for a peer under gunicorn."""
    flags = [word for pair in knobs.items() for word in pair]
    return [sys.executable, "-m", "gunicorn", "--no-control-socket", "-b", "127.0.0.1:{port}", *flags, application]


def uvicorn(application: str, workers: str) -> list[str]:
    """Return the command for a peer under uvicorn."""
    quiet = ["--log-level", "warning", "--no-access-log"]
    return [sys.executable, "-m", "uvicorn", "--port", "{port}", "--workers", workers, *quiet, application]


def granian(application: str, workers: str) -> list[str]:
    """Return the command for a peer under Granian, as WSGI."""
    return [
        str(Path(sys.executable).with_name("granian")),
        "--interface",
        "wsgi",
        "--port",
        "{port}",
        "--workers",
        workers,
        "--log-level",
        "warning",
        application,
    ]


def ours() -> list[str]:
    """Return the command for this server."""
    return [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "wsgi:app"]


# By name: from the settings of our own gunicorn to the peer's command.
PEERS: dict[str, Callable[[dict[str, str]], list[str]]] = {
    "bare": lambda knobs: gunicorn("benchmarks.peers.bare:app", knobs),
    "bare, our server": lambda knobs: gunicorn(
        "benchmarks.peers.bare_on_ours:app", {**knobs, "--worker-class": "app.server.worker.AsgiWorker"}
    ),
    "bare, Granian": lambda knobs: granian("benchmarks.peers.bare:app", knobs["--workers"]),
    "sample": lambda knobs: gunicorn("benchmarks.peers.sample:app", knobs),
    "sample, plain": lambda _knobs: gunicorn("benchmarks.peers.sample:app", {"--workers": "2"}),
    "afternoon, Flask": lambda knobs: gunicorn("benchmarks.peers.afternoon_flask:app", knobs),
    "afternoon, FastAPI": lambda knobs: uvicorn("benchmarks.peers.afternoon_fastapi:app", knobs["--workers"]),
}


def is_installed(name: str) -> bool:
    """Return whether the libraries of a peer are installed."""
    library = {"bare, Granian": "granian", "afternoon, FastAPI": "fastapi"}.get(name)
    return library is None or find_spec(library) is not None


def environment(scratch: Path) -> dict[str, str]:
    """Return the settings that every server gets; this one and its peers read the same names."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(ROOT),
        "INSTANCE_DIR": str(scratch / "instance"),
        "PLIVO_AUTH_TOKEN": TOKEN,
        "PUBLIC_URL": PUBLIC_URL,
        "SECRET_KEY": SECRET_KEY,
        "REPORTS_TOKEN": "a-made-up-reports-token",
        "DIAL_TO": "+14155550123",
        "LOG_FORMAT": "json",
    }


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
            probe.sendall(f"GET /dialstatus/fallback/ HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            return probe.recv(64).startswith(b"HTTP/1.1 ")
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _megabytes(pid: int, kind: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{kind}:"))


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
