"""Run the Flask application under an ASGI server.

Webhooks run on the loop: they compute and wait for nothing. The receipts of one turn of the loop are handed to the
journal together, and their replies go out once they are on disk. Everything else runs on a bounded pool of threads, and
only once its request has arrived whole. Replies whose receipt must go to the spool have threads of their own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from flask import Flask
from werkzeug.exceptions import HTTPException

from app.context import EXTENSION, Services
from app.dial.callback_urls import PREFIX
from app.dial.deferred_response import DEFERS, DeferredResponse
from app.ops.logs import lines_together
from app.server.connections import STATE, Connection
from app.server.environ import Environ, Receive, read_request

log = logging.getLogger(__name__)

_PIECE = 64 * 1024  # Bytes of a long body that a thread makes at a time.
_LINGER = 2.0  # Seconds in which a client may go on sending a body that is refused.

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
        # Not the loop's default executor, whose threads would be waited for before the counts are written at exit.
        self._threads = ThreadPoolExecutor(services.config.threads, "request")
        self._waiting: list[DeferredResponse] = []  # Of this turn of the loop.
        self._stored: asyncio.Future[None] = self._loop.create_future()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        connection: Connection = scope["state"][STATE]
        try:
            await self._answer(await read_request(scope, receive), send, connection)
        except HTTPException as error:
            await _start(send, str(error.code), [("Content-Length", "0")], closes=True)
            with suppress(TimeoutError):  # A connection that is closed on somebody who is sending loses the reply.
                async with asyncio.timeout(_LINGER):
                    while (await receive()).get("more_body"):
                        pass
            await send({"type": "http.response.body"})
        except Exception:  # Uvicorn answers 500, or closes where a reply has begun.
            if not connection.transport.is_closing():
                log.exception("request_failed", extra={"path": scope["path"]})
        finally:
            connection.answered()

    async def _answer(self, environ: Environ, send: Send, connection: Connection) -> None:
        if not environ["PATH_INFO"].startswith(self._on_loop):
            await self._answer_from_thread(environ, send, connection)
            return
        environ[DEFERS] = True
        reply, *started = self._run(environ)
        if isinstance(reply, DeferredResponse):
            await self._store(reply)
            await _start(send, reply.status, reply.headers.items(), closes=connection.closes_next)
            body = reply.get_data()
        else:
            await _start(send, *started, closes=connection.closes_next)
            body = b"".join(_pieces(reply))
        await send({"type": "http.response.body", "body": body})

    async def _answer_from_thread(self, environ: Environ, send: Send, connection: Connection) -> None:
        """Answer from a thread, which makes a piece of the body only when the last one is on its way."""
        pieces, piece, *started = await self._loop.run_in_executor(self._threads, self._begin, environ)
        await _start(send, *started, closes=connection.closes_next)
        while piece is not None and not connection.transport.is_closing():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await self._loop.run_in_executor(self._threads, next, pieces, None)
        await self._loop.run_in_executor(self._threads, pieces.close)
        await send({"type": "http.response.body"})

    def _begin(self, environ: Environ) -> list[Any]:
        body, *started = self._run(environ)
        pieces = _pieces(body)
        return [pieces, next(pieces), *started]

    def _run(self, environ: Environ) -> list[Any]:
        """Return what the application replies: the body, and status and headers where the body is no deferred one."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
            started.extend((status, headers))  # Flask never asks for the function to write with.

        return [self._app(environ, start_response), *started]

    # --- Receipts of the webhooks.

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
            reply.notify_listeners()

    def _hand_over(self) -> None:
        replies, self._waiting, stored = self._waiting, [], self._stored
        entries = [reply.entry for reply in replies]

        def resolve() -> None:
            timer.cancel()
            if not stored.done():
                stored.set_result(None)
                # Logged and counted in the turn after next: the replies of this batch go out first.
                self._loop.call_soon(self._loop.call_soon, _report, replies)

        def give_up() -> None:
            self._journal.abandon(entries)
            resolve()

        def notify() -> None:
            with suppress(RuntimeError):  # The loop has ended, and with it the connections.
                self._loop.call_soon_threadsafe(resolve)

        timer = self._loop.call_later(self._journal.timeout, give_up)
        self._journal.hand_over(entries, notify)


def _report(replies: Iterable[DeferredResponse]) -> None:
    with lines_together():
        for reply in replies:
            if reply.entry.is_stored and reply.finished_at:
                reply.notify_listeners()


def _pieces(body: Iterable[bytes]) -> Generator[bytes]:
    """Yield a body in pieces of 64 KiB or more, and close it."""
    piece = b""
    try:
        for part in body:
            piece += part
            if len(piece) >= _PIECE:
                yield piece
                piece = b""
        yield piece
    finally:
        getattr(body, "close", bool)()


async def _start(send: Send, status: str, headers: Iterable[tuple[str, str]], *, closes: bool) -> None:
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    if closes:
        encoded.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": int(status[:3]), "headers": encoded})
