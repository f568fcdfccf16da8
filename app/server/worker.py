"""Gunicorn's worker process, with uvicorn as its HTTP server and limits on what clients may take of it."""

import asyncio
import logging
import math
import os
import resource
import socket
import time
from contextlib import suppress
from functools import partial
from typing import Any

import uvicorn
import uvloop
from gunicorn.workers.base import Worker
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.server.adapter import CONNECTION, Adapter

log = logging.getLogger(__name__)

_ARRIVAL = 10.0  # Seconds in which a request must have arrived whole.
_WRITE = 10.0  # Seconds in which a client must take some of what is sent to it.
_MAX_HEAD = 64 * 1024  # Bytes of a request before its body.
_DRAIN = 1.4  # Seconds in which kept-alive connections are told that the next reply is the last one.
_OWN_FILES = 200  # Open files that a worker needs besides its connections.


class Server(uvicorn.Server):
    """A server that holds at most `limit` connections and stops without failing a request on one that is kept alive."""

    limit, is_draining = math.inf, False

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.open: set[Connection] = set()

    def make_room(self) -> None:
        """Close connections above the limit: the longest idle one first, then the one longest without a request."""
        # Refusing the newest would keep callers out for as long as a crowd connects and says nothing.
        while len(self.open) > self.limit and (waiting := [one for one in self.open if one.waits_since]):
            min(waiting, key=lambda one: (not one.is_idle, one.waits_since)).abort()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, say `Connection: close` on every reply for a while, then finish what is in work."""
        self.is_draining = True
        for server in self.servers:
            server.close()
        until = time.monotonic() + _DRAIN
        while self.open and time.monotonic() < until:
            await asyncio.sleep(0.02)
        for connection in [one for one in self.open if one.waits_since]:
            connection.abort()
        await super().shutdown(sockets)


class Connection(HttpToolsProtocol):
    """Uvicorn's connection under these limits. It uses asyncio's and httptools' callbacks, and no other part of it."""

    is_idle = _is_half_closed = False
    _unanswered = _unsent = 0  # Requests whose head has come and whose reply has not gone; bytes that a client left.
    _head: int | None = None  # Bytes so far of a head that is not complete.

    def __init__(self, server: Server, *, app_state: dict[str, Any], **arguments: Any) -> None:
        super().__init__(app_state={**app_state, CONNECTION: self}, **arguments)
        self._owner = server
        # When it began to wait for a request, a reading of `time.monotonic`; 0 while it waits for none.
        self.waits_since = self._unsent_since = time.monotonic()

    @property
    def closes_next(self) -> bool:
        """Return whether the next reply is the last one on this connection."""
        return self._unanswered == 1 and (self._is_half_closed or self._owner.is_draining)

    def is_overdue(self, now: float) -> bool:
        """Return whether the client has taken too long to send a request, or to take any of what is unsent."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent or not unsent:
            self._unsent, self._unsent_since = unsent, now
        patience = self._owner.config.timeout_keep_alive if self.is_idle else _ARRIVAL
        return 0 < self.waits_since < now - patience or self._unsent_since < now - _WRITE

    def answered(self) -> None:
        """Note that a request has been dealt with."""
        self._unanswered -= 1
        if not (self._unanswered or self.waits_since):
            self.is_idle, self.waits_since = True, time.monotonic()

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        self._owner.open.discard(self)
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn has it.
        """Take in the connection; at the limit another one makes room."""
        super().connection_made(transport)
        self._owner.open.add(self)
        self._owner.make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._owner.open.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come; count what belongs to a head."""
        if self._head is not None:
            self._head += len(data)
            if self._head > _MAX_HEAD:
                self.send_400_response("The request head is too large.")
                return
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's own signature.
        """Keep the way back open for the replies to requests that have arrived whole."""
        self._is_half_closed = self._unanswered > 0 and not self.waits_since
        return self._is_half_closed

    def on_message_begin(self) -> None:
        """Begin to count the head of a request."""
        self._head = 0
        if self.is_idle or not self.waits_since:
            self.is_idle, self.waits_since = False, time.monotonic()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Have the application called for the request."""
        self._head = None
        super().on_headers_complete()
        self._unanswered += 1

    def on_message_complete(self) -> None:
        """Note that the request has arrived whole."""
        super().on_message_complete()
        self.waits_since = 0.0


class AsgiWorker(Worker):  # type: ignore[misc]  # Gunicorn has no types.
    """A process that gunicorn's master starts, watches and replaces."""

    # Stop at the next tick, as for SIGTERM, which uvicorn handles while it serves and raises again at its end.
    handle_quit = Worker.handle_exit

    def run(self) -> None:
        """Serve until told to stop."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # The adapter logs what fails.
        uvloop.run(self._serve())

    async def _serve(self) -> None:
        config = uvicorn.Config(
            Adapter(self.wsgi),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=self.cfg.keepalive,
            timeout_graceful_shutdown=max(1, self.cfg.graceful_timeout - 3),
            timeout_notify=0,  # Each second.
            limit_max_requests=self.max_requests,
        )
        server = Server(config)
        config.http = partial(Connection, server)  # type: ignore[assignment]  # It is called like the class.
        config.callback_notify = partial(self._tick, server)
        await server.serve([listener.sock for listener in self.sockets])

    async def _tick(self, server: Server) -> None:
        """Notify the master that this worker is alive, end with the master, and drop clients that are too slow."""
        self.notify()
        server.should_exit |= not self.alive or self.ppid != os.getppid()
        server.limit = _connection_limit(self.cfg.worker_connections)  # An operator may lower it at any time.
        for connection in [one for one in server.open if one.is_overdue(time.monotonic())]:
            connection.abort()
        server.make_room()


def _connection_limit(wanted: int) -> int:
    """Return how many connections this process may hold; raise its limit of open files as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS names no limit that it would grant.
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if soft != hard:
            log.info("file_limit_raised", extra={"files_before": soft, "files": hard})
        soft = hard
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - min(_OWN_FILES, soft // 2))
