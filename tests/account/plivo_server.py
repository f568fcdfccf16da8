"""The HTTP server of the Plivo account in `plivo_api.py`."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from tests.account.plivo_api import Answer, Asked, PlivoApi, RefusalError, Trouble
from tests.account.plivo_objects import AUTH_ID


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # Head and body leave in one packet: nobody waits for a delayed acknowledgement.

    @property
    def api(self) -> PlivoApi:
        return cast("_Server", self.server).api

    def _serve(self) -> None:
        asked = self._read()
        with self.api.lock:
            self.api.asked.append(asked)
        trouble = self.api.next_trouble(asked)
        if trouble and not trouble.done_first:
            self._fail(trouble)
            return
        status, body = self._answer(asked)
        if trouble:
            self._fail(trouble)
        else:
            self._send(status, None if body is None else json.dumps(body).encode())

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815  # The standard library chose these names.

    def _read(self) -> Asked:
        url = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return Asked(
            method=self.command,
            path=url.path,
            query=dict(parse_qsl(url.query)),
            body=json.loads(content) if content else {},
        )

    def _answer(self, asked: Asked) -> Answer:
        try:
            if not asked.path.startswith("/api/"):
                self._authenticate()
            with self.api.lock:
                return self.api.answer(asked)
        except RefusalError as refusal:
            return refusal.status, {"api_id": str(uuid4()), "error": refusal.error}

    def _authenticate(self) -> None:
        expected = {base64.b64encode(f"{AUTH_ID}:{token}".encode()).decode() for token in self.api.tokens}
        if self.headers.get("Authorization", "").removeprefix("Basic ") not in expected:
            raise RefusalError(401, "authentication failed for " + self.headers.get("Authorization", ""))

    def _fail(self, trouble: Trouble) -> None:
        if trouble.before:
            trouble.before()
        if not trouble.status:
            self.close_connection = True
            return
        body = trouble.body if trouble.body is not None else json.dumps({"error": "trouble"}).encode()
        self._send(trouble.status, body, trouble.headers)

    def _send(self, status: int, body: bytes | None, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Keep the console of the tests quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: PlivoApi

    def handle_error(self, *_: object) -> None:
        """A client that gave up waiting is part of some tests."""


@contextmanager
def running() -> Iterator[PlivoApi]:
    """Serve an empty account on a free port of loopback."""
    api = PlivoApi()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.api = api
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
