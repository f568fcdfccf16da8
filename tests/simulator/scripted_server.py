"""Small servers for the simulator to call: they log every request and send the replies of a test."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, kw_only=True)
class ReceivedRequest:
    """One request as received."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: str

    @property
    def path(self) -> str:
        """Return the path without the query."""
        return urlsplit(self.target).path

    @property
    def params(self) -> dict[str, str]:
        """Return the parameters: from the body of a POST, from the query of a GET."""
        encoded = self.body if self.method == "POST" else urlsplit(self.target).query
        return dict(parse_qsl(encoded, keep_blank_values=True))


@dataclass(frozen=True, kw_only=True)
class ScriptedReply:
    """One reply; `hangs` sends half the body and then stalls, `closes` closes the connection without a reply."""

    status: int = 200
    body: str = "<Response/>"
    content_type: str = "application/xml"
    hangs: bool = False
    closes: bool = False
    location: str | None = None


@dataclass
class ScriptedServer:
    """A server on a free port. `replies` maps a path to one reply, or to a list: one for each request in turn."""

    replies: dict[str, ScriptedReply | list[ScriptedReply]] = field(default_factory=dict)
    received: list[ReceivedRequest] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def do_POST(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                """Ignore clients that hang up."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Log a request and send its reply."""
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length).decode()
        if len(body) < length:
            return
        received = ReceivedRequest(
            method=handler.command, target=handler.path, headers=dict(handler.headers.items()), body=body
        )
        self.received.append(received)
        reply = self.replies.get(received.path, ScriptedReply())
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        self._send(handler, reply)

    def _send(self, handler: BaseHTTPRequestHandler, reply: ScriptedReply) -> None:
        if reply.closes:
            handler.close_connection = True
            return
        body = reply.body.encode()
        handler.send_response(reply.status)
        handler.send_header("Content-Type", reply.content_type)
        handler.send_header("Content-Length", str(len(body)))
        if reply.location:
            handler.send_header("Location", reply.location)
        handler.end_headers()
        if reply.hangs:
            handler.wfile.write(body[: len(body) // 2])
            handler.wfile.flush()
            self.over.wait(30)
        else:
            handler.wfile.write(body)

    def requests_to(self, path: str) -> list[ReceivedRequest]:
        """Return the requests to a path, in order."""
        return [received for received in self.received if received.path == path]


def dial_xml(
    server: ScriptedServer, *, attributes: str = "", targets: str = "<Number>+14155550123</Number>", timeout: int = 30
) -> str:
    """Return a document with one Dial, all its URLs on this server."""
    return (
        f'<Response><Dial action="{server.url}/action/" callbackUrl="{server.url}/callback/" method="POST" '
        f'timeout="{timeout}" {attributes}>{targets}</Dial></Response>'
    )
