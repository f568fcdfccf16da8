"""Run the Flask application under an ASGI server.

Webhooks run on the loop: the receipts of one turn go to the journal together, and their replies go out once they are on
disk. Everything else runs on threads once its request has arrived whole; what goes to the spool has threads of its own.
"""

import asyncio
import io
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from flask import Flask
from werkzeug import exceptions

from app.context import EXTENSION, Services
from app.dial.callback_urls import PREFIX
from app.dial.deferred_response import DEFERS, DeferredResponse
from app.dial.request import BODY
from app.ops.logs import lines_together
from app.voice.xml import EMPTY

log = logging.getLogger(__name__)

CONNECTION = "connection"  # The key in the `state` of an ASGI scope for the connection, one of `worker.py`.
MAX_BODY = 64 * 1024
MAX_LINE = 8190  # Bytes of the request target, and of a header field.
MAX_FIELDS = 100
_PIECE = 64 * 1024  # Bytes of a long body that a thread makes at a time.
_LINGER = 2.0  # Seconds in which a client may go on sending a body that is refused.
_REFUSED = [("Content-Length", str(len(EMPTY))), ("Content-Type", "application/xml")]
_FIXED = {"SCRIPT_NAME": "", "wsgi.version": (1, 0), "wsgi.errors": sys.stderr, "wsgi.multithread": True}

Environ = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Adapter:
    """The ASGI application of one worker, made within its running loop."""

    def __init__(self, app: Flask) -> None:
        services: Services = app.extensions[EXTENSION]
        self._app = app
        below = unquote(services.config.path_prefix or "", "latin-1")
        self._on_loop = (PREFIX, "/healthz", below + PREFIX, below + "/healthz")
        self._journal = services.journal
        self._loop = asyncio.get_running_loop()
        threads = ThreadPoolExecutor(services.config.threads)  # The loop would wait for its own before its end.
        self._in_thread = partial(self._loop.run_in_executor, threads)
        self._waiting: list[DeferredResponse] = []  # Of this turn of the loop.
        self._stored: asyncio.Future[None] = self._loop.create_future()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        connection = scope["state"][CONNECTION]
        try:
            await self._answer(await _read_request(scope, receive), send, connection)
        except exceptions.HTTPException as error:
            await _start(send, str(error.code), _REFUSED, closes=True)
            with suppress(TimeoutError):  # A connection that is closed on somebody who is sending loses the reply.
                async with asyncio.timeout(_LINGER):
                    while (await receive()).get("more_body"):
                        pass
            await send({"type": "http.response.body", "body": EMPTY.encode()})
        except Exception:  # Uvicorn answers 500, or closes where a reply has begun.
            if not connection.transport.is_closing():
                log.exception("request_failed", extra={"path": scope["path"]})
        finally:
            connection.answered()

    async def _answer(self, environ: Environ, send: Send, connection: Any) -> None:
        environ[DEFERS] = on_loop = environ["PATH_INFO"].startswith(self._on_loop)
        body, *started = self._run(environ) if on_loop else await self._in_thread(self._run, environ)
        if isinstance(body, DeferredResponse):
            await self._store(body)
            started = [body.status, body.headers.items()]
        pieces, more = iter(body), True
        try:
            await _start(send, *started, closes=connection.closes_next)
            # A thread makes a piece of the body only when the last one is on its way: none waits for the client.
            while more and not connection.transport.is_closing():
                piece = _take(pieces, body) if on_loop else await self._in_thread(_take, pieces, body)
                more = len(piece) >= _PIECE
                await send({"type": "http.response.body", "body": piece, "more_body": more})
        finally:
            if more:
                await self._in_thread(getattr(body, "close", bool))

    def _run(self, environ: Environ) -> list[Any]:
        """Return what the application replies: the body, and status and headers where the body is no deferred one."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
            started.extend((status, headers))  # Flask never asks for the function to write with.

        return [self._app(environ, start_response), *started]

    async def _store(self, reply: DeferredResponse) -> None:
        """Return when the reply may go out: its receipt is in the store or on the spool."""
        if not self._waiting:
            self._stored = self._loop.create_future()
            self._loop.call_soon(self._hand_over)  # After the other requests of this turn.
        self._waiting.append(reply)
        await self._stored
        if reply.entry.is_stored:
            reply.finish()
        else:
            await self._loop.run_in_executor(None, reply.finish)
            reply.report()

    def _hand_over(self) -> None:
        replies, self._waiting, stored = self._waiting, [], self._stored
        entries = [reply.entry for reply in replies]

        def resolve(*, is_done: bool = True) -> None:
            timer.cancel()
            if not is_done:
                self._journal.abandon(entries)
            if not stored.done():
                stored.set_result(None)
                # Logged and counted in the turn after next: the replies of this batch go out first.
                self._loop.call_soon(self._loop.call_soon, _report, replies)

        def notify() -> None:
            with suppress(RuntimeError):  # The loop has ended, and with it the connections.
                self._loop.call_soon_threadsafe(resolve)

        timer = self._loop.call_later(self._journal.timeout, partial(resolve, is_done=False))
        self._journal.hand_over(entries, notify)


def _report(replies: Iterable[DeferredResponse]) -> None:
    with lines_together():
        for reply in replies:
            if reply.entry.is_stored and reply.finished_at:
                reply.report()


def _take(pieces: Iterator[bytes], body: object) -> bytes:
    """Return the next 64 KiB of a body, or more; less at its end, where the body is closed."""
    taken = b""
    for piece in pieces:
        taken += piece
        if len(taken) >= _PIECE:
            return taken
    getattr(body, "close", bool)()
    return taken


async def _start(send: Send, status: str, headers: Iterable[tuple[str, str]], *, closes: bool) -> None:
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    if closes:
        encoded.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": int(status[:3]), "headers": encoded})


async def _read_request(scope: dict[str, Any], receive: Receive) -> Environ:
    """Return the environ of a request that has arrived whole. Raise 400, 413 or 501 where it breaks a limit."""
    environ = make_environ(scope)
    body, more, length = b"", True, int(environ.get("CONTENT_LENGTH") or 0)
    while more or length > MAX_BODY:
        if length > MAX_BODY:
            raise exceptions.RequestEntityTooLarge
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        body, more = body + message["body"], message["more_body"]
        length = max(length, len(body))
    environ["CONTENT_LENGTH"], environ["wsgi.input"], environ[BODY] = str(len(body)), io.BytesIO(body), body
    return environ


def make_environ(scope: dict[str, Any]) -> Environ:
    """Return the environ of a request without its body. Raise 400 or 501 where the head breaks a rule or a limit."""
    raw_path, query, headers = scope["raw_path"], scope["query_string"], scope["headers"]
    if len(headers) > MAX_FIELDS or len(raw_path) + len(query) >= MAX_LINE:
        raise exceptions.BadRequest
    environ: Environ = {
        **_FIXED,
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "RAW_URI": (raw_path + b"?" + query if query else raw_path).decode("latin-1"),  # As it came and was signed.
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "wsgi.url_scheme": scope["scheme"],
    }
    for name, value in headers:
        if len(name) + len(value) > MAX_LINE:
            raise exceptions.BadRequest
        if key := _environ_key(name):
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    if environ.pop("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise exceptions.NotImplemented
    if "," in environ.get("HTTP_HOST", "" if scope["http_version"] == "1.0" else ","):
        raise exceptions.BadRequest
    return environ


@lru_cache(maxsize=256)
def _environ_key(name: bytes) -> str | None:
    """Return WSGI's name of a header field; None for a name with `_`, which could be mistaken for another."""
    key = name.decode("latin-1").upper().replace("-", "_")
    return None if b"_" in name else key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
