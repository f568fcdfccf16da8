"""A worker's server and its connections: how many there may be, how long a client may take, and how a stop drains."""

import asyncio
import math
import socket
import time
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ARRIVAL = 10.0  # Seconds in which a request must have arrived whole.
WRITE = 10.0  # Seconds in which a client must take some of what is sent to it.
MAX_HEAD = 64 * 1024  # Bytes of a request before its body.
STATE = "connection"  # The key of the connection in the `state` of an ASGI scope.
_DRAIN = 1.4  # Seconds in which kept-alive connections are told that the next reply is the last one.


class Server(uvicorn.Server):
    """A server that holds at most `limit` connections and stops without failing a request on one that is kept alive."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.open: set[Connection] = set()
        self.is_draining = False
        self.limit: float = math.inf

    def make_room(self) -> None:
        """Close connections above the limit: the longest idle one first, then the one longest without a request.

        Refusing the newest would keep callers out for as long as a crowd connects and says nothing.
        """
        while len(self.open) > self.limit and (waiting := [one for one in self.open if one.is_waiting]):
            min(waiting, key=lambda one: (not one.is_idle, one.waits_since)).abort()

    def sweep(self) -> None:
        """Abort every connection that has used up its time, and those above the limit."""
        for connection in [one for one in self.open if one.is_overdue(time.monotonic())]:
            connection.abort()
        self.make_room()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, say `Connection: close` on every reply for a while, then finish what is in work."""
        self.is_draining = True
        for server in self.servers:
            server.close()
        until = time.monotonic() + _DRAIN
        while self.open and time.monotonic() < until:
            await asyncio.sleep(0.02)
        for connection in [one for one in self.open if one.is_waiting]:
            connection.abort()
        await super().shutdown(sockets)


class Connection(HttpToolsProtocol):
    """Uvicorn's connection under these limits. It uses asyncio's and httptools' callbacks, and no other part of it."""

    def __init__(self, server: Server, *, app_state: dict[str, Any], **arguments: Any) -> None:
        super().__init__(app_state={**app_state, STATE: self}, **arguments)
        self._owner = server
        self._unanswered = 0  # Requests whose head has come and whose reply has not gone.
        self._head: int | None = None  # Bytes so far of a head that is not complete.
        self._is_half_closed = self.is_idle = False
        # When it began to wait for a request, a reading of `time.monotonic`; infinite while one is in work.
        self.waits_since = time.monotonic()
        self._unsent, self._unsent_since = 0, 0.0

    @property
    def is_waiting(self) -> bool:
        """Return whether the client is to send a request or the rest of one."""
        return self.waits_since < math.inf

    @property
    def closes_next(self) -> bool:
        """Return whether the next reply is the last one on this connection."""
        return self._unanswered == 1 and (self._is_half_closed or self._owner.is_draining)

    def is_overdue(self, now: float) -> bool:
        """Return whether the client has taken too long to send a request, or to take any of what is unsent.

        Uvicorn ends idle connections itself.
        """
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent or not unsent:
            self._unsent, self._unsent_since = unsent, now
        return now - self._unsent_since > WRITE or (not self.is_idle and now - self.waits_since > ARRIVAL)

    def answered(self) -> None:
        """Note that a request has been dealt with."""
        self._unanswered -= 1
        if not (self._unanswered or self.is_waiting):
            self.is_idle, self.waits_since = True, time.monotonic()

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        self._owner.open.discard(self)
        self.transport.abort()

    def _expect_request(self) -> None:
        if self.is_idle or not self.is_waiting:
            self.is_idle, self.waits_since = False, time.monotonic()

    # --- The callbacks of asyncio and of httptools.

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
        if self.is_idle:
            self._expect_request()
        if self._head is not None:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self.send_400_response("The request head is too large.")
                return
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's own signature.
        """Keep the way back open for the replies to requests that have arrived whole."""
        self._is_half_closed = bool(self._unanswered) and not self.is_waiting
        return self._is_half_closed

    def on_message_begin(self) -> None:
        """Begin to count the head of a request."""
        self._head = 0
        self._expect_request()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Have the application called for the request."""
        self._head = None
        super().on_headers_complete()
        self._unanswered += 1

    def on_message_complete(self) -> None:
        """Note that the request has arrived whole."""
        super().on_message_complete()
        self.waits_since = math.inf
