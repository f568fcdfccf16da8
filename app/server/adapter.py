"""Run the Flask application under an ASGI server.

Webhooks run on the loop: they compute and wait for nothing. The receipts of one turn of the loop are handed to the
journal together, and their replies go out once they are on disk. Everything else runs on a bounded pool of threads, and
only once its request has arrived whole. Replies whose receipt must go to the spool have threads of their own.
"""

import asyncio
import io
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from flask import Flask

from app.context import EXTENSION, Services
from app.dial.callback_urls import PREFIX
from app.dial.deferred_response import DEFERS, DeferredResponse
from app.dial.request import BODY
from app.ops.logs import lines_together
from app.server.connections import STATE, Connection
from app.server.prefix import PathPrefix

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024
_PIECE = 64 * 1024  # Bytes of a long body that a thread makes at a time.
_LINGER = 2.0  # Seconds in which a client may go on sending a body that is refused.
_SPOOL_THREADS = 16

Environ = dict[str, Any]
Headers = list[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class BadRequest(Exception):
    """A request breaks a rule of HTTP that the parser does not check. `args` hold the status."""


@dataclass(slots=True)
class Reply:
    """A reply of the application, with as much of its body as there is; `rest` makes what is missing."""

    status: int = 500
    headers: Iterable[tuple[str, str]] = ()
    body: bytes = b""
    rest: Iterator[bytes] | None = None
    close: Callable[[], object] = field(default=lambda: None)

    def start_response(self, status: str, headers: Iterable[tuple[str, str]], _exc_info: Any = None) -> Any:
        """Take status and headers, as WSGI has it."""
        self.status, self.headers = int(status[:3]), headers
        return _refuse_write


class Adapter:
    """The ASGI application of one worker, made within its running loop."""

    def __init__(self, app: Flask) -> None:
        services: Services = app.extensions[EXTENSION]
        self._app = app
        prefix = services.config.path_prefix
        self._prefix = PathPrefix(prefix, app) if prefix else None
        self._journal = services.journal
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(services.config.threads, "request")
        self._spooling = ThreadPoolExecutor(_SPOOL_THREADS, "spool")
        self._waiting: list[tuple[DeferredResponse, asyncio.Future[None]]] = []
        self._sent: list[DeferredResponse] = []

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        connection: Connection = scope["state"][STATE]
        try:
            await self._answer(scope, receive, send, connection)
        except BadRequest as error:
            await _send(send, Reply(error.args[0], [("Content-Length", "0")]), closes=True)
        except Exception:  # Uvicorn answers 500, or closes where a reply has begun.
            if not connection.is_lost:
                log.exception("request_failed", extra={"path": scope["path"]})
        finally:
            connection.answered()

    async def _answer(self, scope: dict[str, Any], receive: Receive, send: Send, connection: Connection) -> None:
        environ = make_environ(scope)
        if self._prefix is not None:
            self._prefix.apply(environ)
        body = await read_body(environ, receive)
        if body is None:
            return  # The client has gone.
        environ["wsgi.input"] = io.BytesIO(body)
        is_refused = int(environ.get("CONTENT_LENGTH") or 0) > MAX_BODY
        if not is_refused:
            environ[BODY] = body
        path = environ["PATH_INFO"]
        if path.startswith(PREFIX) or path == "/healthz":
            reply = await self._run_on_loop(environ)
        else:
            context = copy_context()
            reply = await self._loop.run_in_executor(self._threads, context.run, self._run, environ)
        await _send(send, reply, closes=is_refused or connection.closes_next, more=is_refused or reply.rest is not None)
        if reply.rest is not None:
            await self._send_rest(context, reply, send, connection)
        elif is_refused:
            await _linger(receive)
            await send({"type": "http.response.body"})

    def _run(self, environ: Environ) -> Reply:
        """Run the application, and make the first piece of the body."""
        reply = Reply()
        body = self._app(environ, reply.start_response)
        reply.rest = iter(body)
        reply.close = getattr(body, "close", reply.close)
        return next_piece(reply)

    async def _run_on_loop(self, environ: Environ) -> Reply:
        environ[DEFERS] = True
        reply = Reply()
        body = self._app(environ, reply.start_response)
        if not isinstance(body, DeferredResponse):
            reply.body = b"".join(body)
            getattr(body, "close", reply.close)()
            return reply
        await self._store(body)
        self._report(body)
        content = body.get_data()
        return Reply(body.status_code, body.headers.items(), content)

    async def _send_rest(self, context: Any, reply: Reply, send: Send, connection: Connection) -> None:
        """Send a long body. No thread waits for the client: one makes a piece only when the last one is on its way."""
        try:
            while reply.rest is not None and not connection.is_lost:
                await self._loop.run_in_executor(self._threads, context.run, next_piece, reply)
                await send({"type": "http.response.body", "body": reply.body, "more_body": reply.rest is not None})
        finally:
            if reply.rest is not None:
                await self._loop.run_in_executor(self._threads, context.run, reply.close)

    # --- Receipts of the webhooks.

    async def _store(self, reply: DeferredResponse) -> None:
        """Return when the reply may go out: its receipt is in the store or on the spool."""
        future = self._loop.create_future()
        if not self._waiting:
            self._loop.call_soon(self._hand_over)  # After the other requests of this turn.
        self._waiting.append((reply, future))
        await future
        if reply.entry.is_stored:
            reply.finish()
        else:
            await self._loop.run_in_executor(self._spooling, reply.finish)

    def _hand_over(self) -> None:
        batch, self._waiting = self._waiting, []
        timer = self._loop.call_later(self._journal.timeout, self._give_up, batch)

        def notify() -> None:
            with suppress(RuntimeError):  # The loop has ended, and with it the connections.
                self._loop.call_soon_threadsafe(_resolve, batch, timer)

        self._journal.hand_over([reply.entry for reply, _ in batch], notify)

    def _give_up(self, batch: list[tuple[DeferredResponse, asyncio.Future[None]]]) -> None:
        self._journal.abandon([reply.entry for reply, _ in batch])
        _resolve(batch)

    def _report(self, reply: DeferredResponse) -> None:
        """Log and count a reply in the loop's next turn: the replies of this turn go out first."""
        if not self._sent:
            self._loop.call_soon(self._report_all)
        self._sent.append(reply)

    def _report_all(self) -> None:
        sent, self._sent = self._sent, []
        with lines_together():
            for reply in sent:
                reply.notify_listeners()


def _resolve(
    batch: list[tuple[DeferredResponse, asyncio.Future[None]]], timer: asyncio.TimerHandle | None = None
) -> None:
    if timer is not None:
        timer.cancel()
    for _, future in batch:
        if not future.done():
            future.set_result(None)


def next_piece(reply: Reply) -> Reply:
    """Make the next piece of a body, and close it at its end."""
    pieces, size = [], 0
    for piece in reply.rest or ():
        pieces.append(piece)
        size += len(piece)
        if size >= _PIECE:
            break
    else:
        reply.rest = None
        reply.close()
    reply.body = b"".join(pieces)
    return reply


async def read_body(environ: Environ, receive: Receive) -> bytes | None:
    """Return the body; nothing of one over the limit, whose `CONTENT_LENGTH` is then over it. None: the client left."""
    if int(environ.get("CONTENT_LENGTH") or 0) > MAX_BODY:
        return b""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message["body"]
        more = message["more_body"]
        if len(body) > MAX_BODY:
            environ["CONTENT_LENGTH"] = str(len(body))
            return b""
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    return body


async def _linger(receive: Receive) -> None:
    """Read on for a moment: a connection that is closed on somebody who is sending loses the reply."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            while (await receive()).get("more_body"):
                pass


async def _send(send: Send, reply: Reply, *, closes: bool, more: bool = False) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    if closes:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": more})


def make_environ(scope: dict[str, Any]) -> Environ:
    """Return the WSGI environ of a request, without its body. Raise `BadRequest`."""
    raw_path, query = cast(bytes, scope["raw_path"]), cast(bytes, scope["query_string"])
    path = (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode("latin-1")
    server, client = scope["server"], scope["client"] or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query.decode("latin-1"),
        # Werkzeug decodes the path; what was signed is the target as it came.
        "RAW_URI": (raw_path + b"?" + query if query else raw_path).decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = _environ_key(name)
        if key is None:
            continue
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    if environ.pop("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise BadRequest(501)
    if "," in environ.get("HTTP_HOST", "" if scope["http_version"] == "1.0" else ","):
        raise BadRequest(400)
    return environ


@lru_cache(maxsize=256)
def _environ_key(name: bytes) -> str | None:
    """Return WSGI's name of a header field; None for a name with `_`, which could be mistaken for another."""
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


def _refuse_write(_data: bytes) -> object:
    raise NotImplementedError("the application returns its body as an iterable")
