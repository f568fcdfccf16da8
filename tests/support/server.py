"""A real server process, and Plivo's side of the conversation with it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html import unescape
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil

from app.voice.signature import make_nonce, sign_v3

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-made-up-auth-token"
REPORTS_TOKEN = "a-made-up-reports-token"
COVERAGE_VARIABLES = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
DEADLINE = 60  # Seconds; a server that has not started by then is broken.

Fields = Mapping[str, str] | Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Reply:
    """One reply."""

    status: int
    content_type: str
    body: str

    def json(self) -> Any:
        """Return the body, parsed as JSON."""
        return json.loads(self.body)

    def attribute(self, name: str) -> str:
        """Return the first attribute of that name in the XML, unescaped."""
        found = re.search(rf'\b{name}="([^"]*)"', self.body)
        assert found, f"no {name} in {self.body}"
        return unescape(found[1])


@dataclass
class Server:
    """gunicorn on a free port, with settings of its own and nothing of this process's environment."""

    settings: dict[str, str]
    process: subprocess.Popen[str] | None = None
    lines: list[str] = field(default_factory=list)
    port: int = 0
    reader: threading.Thread | None = None
    wrapper: Sequence[str] = ()  # A command that runs the server, such as a tracer.
    root: Path = ROOT

    def start(self) -> "Server":
        """Start it and wait until it answers."""
        self.port = self.port or free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.root),
            "HOME": os.environ.get("HOME", "/"),
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            **coverage_of_processes(),
            **self.settings,
        }
        self.process = subprocess.Popen(
            [*self.wrapper, str(Path(sys.executable).with_name("gunicorn")), "-c", "gunicorn.conf.py", "wsgi:app"],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()
        self._await_answer()
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process.stdout as lines:
            for line in lines:
                self.lines.append(line.rstrip("\n"))

    def _await_answer(self) -> None:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            assert self.process
            assert self.process.poll() is None, "the server ended:\n" + "\n".join(self.lines)
            try:
                if self.request("GET", "/healthz").status == 200:
                    break
            except OSError:
                time.sleep(0.02)
        else:
            raise AssertionError("the server did not answer:\n" + "\n".join(self.lines))
        if "WORKERS" in self.settings:  # The first worker answers before the last one has started.
            until(lambda: len(self.workers()) == int(self.settings["WORKERS"]))

    def workers(self) -> set[int]:
        """Return the process ids of its workers."""
        assert self.process
        return children(self.process.pid)

    def stop(self) -> int:
        """Ask it to stop, wait, and return its exit code."""
        assert self.process
        self.process.terminate()
        return self._ended()

    def kill(self) -> None:
        """Kill the master and every worker at once, as a power cut would."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self._ended()

    def kill_master(self) -> None:
        """Kill the master alone, and wait until its orphaned workers have ended too."""
        assert self.process
        self.process.kill()
        self._ended()

    def _ended(self) -> int:
        assert self.process
        assert self.reader
        code = self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        return code

    @property
    def url(self) -> str:
        """Return the URL it listens on."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)

    def request(
        self,
        method: str,
        target: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        connection: http.client.HTTPConnection | None = None,
    ) -> Reply:
        """Send one request unchanged and return the reply."""
        mine = connection or self.connect()
        try:
            mine.request(method, target, body=body, headers=dict(headers or {}))
            answer = mine.getresponse()
            content = answer.read().decode("utf-8", "replace")
        finally:
            if connection is None:
                mine.close()
        return Reply(answer.status, answer.headers.get("Content-Type", ""), content)

    def plivo(
        self,
        method: str,
        target: str,
        fields: Fields = (),
        *,
        token: str | None = TOKEN,
        request_id: str | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> Reply:
        """Send a request as Plivo does: fields in body or query by method, signed unless `token` is None."""
        pairs = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
        parts = urlsplit(target)
        query = "&".join(part for part in (urlencode(pairs) if method == "GET" else "", parts.query) if part)
        path = parts.path + (f"?{query}" if query else "")
        headers, body = {"X-Request-ID": request_id} if request_id else {}, None
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(pairs)
        if token is not None:
            nonce = make_nonce()
            headers["X-Plivo-Signature-V3-Nonce"] = nonce
            headers["X-Plivo-Signature-V3"] = sign_v3(
                method=method,
                url=self.url + path,
                params=pairs if method == "POST" else [],
                nonce=nonce,
                token=token,
            )
        return self.request(method, path, body, headers, connection=connection)

    def api(self, path: str, *, token: str = REPORTS_TOKEN) -> Reply:
        """Return a reply of the API."""
        return self.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event so far."""
        entries = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [entry for entry in entries if entry.get("event") == name]


def children(process: int) -> set[int]:
    """Return the process ids of a process's children."""
    return {child.pid for child in psutil.Process(process).children()}


def _own_ports() -> Iterator[int]:
    """Yield the ports reserved for this worker of the test run, over and over."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 20_000 + 1000 * (worker % 12)  # The system assigns ports from 32768 to clients.
    start = os.getpid() * 97 % 1000  # A second run at the same time starts elsewhere.
    return cycle([first + (start + number) % 1000 for number in range(1000)])


_ports = _own_ports()


def free_port() -> int:
    """Return a port that nothing listens on and no other worker is given."""
    for port in islice(_ports, 1000):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As servers do: a socket may linger there.
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("every port is taken")


def coverage_of_processes() -> dict[str, str]:
    """Return the variables that make a started process measure its coverage, if this one does."""
    return {name: os.environ[name] for name in COVERAGE_VARIABLES if name in os.environ}


def until(claim: Any, *, seconds: float = DEADLINE) -> Any:
    """Wait until a claim is true and return its value; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := claim()):
        assert time.monotonic() < deadline, "the claim never became true"
        time.sleep(0.02)
    return value
