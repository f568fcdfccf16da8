"""Run the Flask application under an ASGI server.

Webhooks run on the loop: they compute and wait for nothing. The receipts of one turn of the loop are handed to the
journal together, and their replies go out once they are on disk. Everything else runs on a bounded pool of threads, and
only once its request has arrived whole. Replies whose receipt must go to the spool have threads of their own.
"""

import asyncio
import io
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from app.context import EXTENSION, Services
from app.dial.callback_urls import PREFIX
from app.dial.deferred_response import DEFERS, DeferredResponse
from app.dial.request import BODY
from app.ops.logs import lines_together
from app.records.writing.entry import Entry
from app.server.connections import STATE, Connection
from app.server.environ import MAX_BODY, Environ, Receive, make_environ, read_body
from app.server.prefix import PathPrefix

log = logging.getLogger(__name__)

_PIECE = 64 * 1024  # Bytes of a long body that a thread makes at a time.
_LINGER = 2.0  # Seconds in which a client may go on sending a body that is refused.
_SPOOL_THREADS = 16

Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Reply:
    """A reply of the application, with as much of its body as there is; `rest` makes what is missing."""

    status: int = 500
    headers: Iterable[tuple[str, str]] = ()
    body: bytes = b""
    rest: Iterator[bytes] | None = None
    close: Callable[[], object] = field(default=lambda: None)

    def start_response(self, status: str, headers: Iterable[tuple[str, str]], _exc_info: Any = None) -> Any:
        """Take status and headers, as WSGI has it. Flask never asks for the function to write with."""
        self.status, self.headers = int(status[:3]), headers

    def next_piece(self, size: float = _PIECE) -> None:
        """Make the next piece of the body; close it at its end."""
        pieces, made = [], 0
        for piece in self.rest or ():
            pieces.append(piece)
            made += len(piece)
            if made >= size:
                break
        else:
            self.rest = None
            self.close()
        self.body = b"".join(pieces)


class Adapter:
    """The ASGI application of one worker, made within its running loop."""

    def __init__(self, app: Flask) -> None:
        services: Services = app.extensions[EXTENSION]
        self._app = app
        prefix = services.config.path_prefix
        self._prefix = PathPrefix(prefix, app) if prefix else None
        self._journal = services.journal
        self._loop = asyncio.get_running_loop()
        # Not the loop's default executor, whose threads would be waited for before the counts are written at exit.
        self._threads = ThreadPoolExecutor(services.config.threads, "request")
        self._spooling = ThreadPoolExecutor(_SPOOL_THREADS, "spool")
        self._entries: list[Entry] = []  # Of this turn of the loop.
        self._stored: asyncio.Future[None] = self._loop.create_future()
        self._sent: list[DeferredResponse] = []

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        connection: Connection = scope["state"][STATE]
        try:
            await self._answer(make_environ(scope), receive, send, connection)
        except HTTPException as error:
            await _start(send, Reply(error.code or 400, [("Content-Length", "0")]), closes=True)
            await send({"type": "http.response.body"})
        except Exception:  # Uvicorn answers 500, or closes where a reply has begun.
            if not connection.is_lost:
                log.exception("request_failed", extra={"path": scope["path"]})
        finally:
            connection.answered()

    async def _answer(self, environ: Environ, receive: Receive, send: Send, connection: Connection) -> None:
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
            reply = await self._loop.run_in_executor(self._threads, self._run, environ, _PIECE)
        await _start(send, reply, closes=is_refused or connection.closes_next)
        try:
            # No thread waits for the client: one makes a piece only when the last one is on its way.
            while (more := reply.rest is not None) and not connection.is_lost:
                await send({"type": "http.response.body", "body": reply.body, "more_body": True})
                await self._loop.run_in_executor(self._threads, reply.next_piece)
            await send({"type": "http.response.body", "body": reply.body, "more_body": more or is_refused})
        finally:
            if reply.rest is not None:
                await self._loop.run_in_executor(self._threads, reply.close)
        if is_refused:
            await _linger(receive)
            await send({"type": "http.response.body"})

    def _run(self, environ: Environ, size: float) -> Reply:
        """Run the application, and make the first piece of the body."""
        reply = Reply()
        body = self._app(environ, reply.start_response)
        reply.rest, reply.close = iter(body), getattr(body, "close", reply.close)
        reply.next_piece(size)
        return reply

    async def _run_on_loop(self, environ: Environ) -> Reply:
        environ[DEFERS] = True
        reply = Reply()
        body = self._app(environ, reply.start_response)
        if isinstance(body, DeferredResponse):
            await self._store(body)
            self._report(body)
            return Reply(body.status_code, body.headers.items(), body.get_data())
        reply.rest, reply.close = iter(body), getattr(body, "close", reply.close)
        reply.next_piece(math.inf)
        return reply

    # --- Receipts of the webhooks.

    async def _store(self, reply: DeferredResponse) -> None:
        """Return when the reply may go out: its receipt is in the store or on the spool."""
        if not self._entries:
            self._stored = self._loop.create_future()
            self._loop.call_soon(self._hand_over)  # After the other requests of this turn.
        self._entries.append(reply.entry)
        await self._stored
        if reply.entry.is_stored:
            reply.finish()
        else:
            await self._loop.run_in_executor(self._spooling, reply.finish)

    def _hand_over(self) -> None:
        entries, self._entries, stored = self._entries, [], self._stored

        def resolve() -> None:
            timer.cancel()
            if not stored.done():
                stored.set_result(None)

        def give_up() -> None:
            self._journal.abandon(entries)
            resolve()

        def notify() -> None:
            with suppress(RuntimeError):  # The loop has ended, and with it the connections.
                self._loop.call_soon_threadsafe(resolve)

        timer = self._loop.call_later(self._journal.timeout, give_up)
        self._journal.hand_over(entries, notify)

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


async def _linger(receive: Receive) -> None:
    """Read on for a moment: a connection that is closed on somebody who is sending loses the reply."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            while (await receive()).get("more_body"):
                pass


async def _start(send: Send, reply: Reply, *, closes: bool) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    if closes:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
