"""The open connections of a worker: how many there may be, and how long a client may take."""

import asyncio
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ARRIVAL = 10.0  # Seconds in which a request must have arrived whole.
WRITE = 10.0  # Seconds in which a client must take some of what is sent to it.
MAX_HEAD = 64 * 1024  # Bytes of a request before its body.
STATE = "connection"  # The key of the connection in the `state` of an ASGI scope.


class Connections:
    """What each connection of a worker waits for and since when (monotonic seconds); the oldest first."""

    def __init__(self, *, limit: int, keepalive: float) -> None:
        self.arriving: dict[Connection, float] = {}
        self.idle: dict[Connection, float] = {}
        self.stalled: dict[Connection, float] = {}  # The client does not take what is sent.
        self.open: set[Connection] = set()
        self.is_draining = False
        self.limit = limit
        # Uvicorn closes an idle connection after `keepalive` seconds; what is unsent may still hold it.
        self._patience = ((self.arriving, ARRIVAL), (self.stalled, WRITE), (self.idle, keepalive + WRITE))

    def admit(self, connection: "Connection") -> None:
        """Take in a connection. At the limit the longest idle one makes room, or the one longest without a request.

        Refusing the newest would keep callers out for as long as a crowd connects and says nothing.
        """
        self.open.add(connection)
        self.arriving[connection] = time.monotonic()
        self._make_room()

    def _make_room(self) -> None:
        while len(self.open) > self.limit and (waiting := self.idle or self.arriving):
            next(iter(waiting)).abort()

    def forget(self, connection: "Connection") -> None:
        """Stop watching a connection."""
        for group, _ in self._patience:
            group.pop(connection, None)

    def sweep(self) -> None:
        """Abort every connection that has used up its time, and those above the limit."""
        self._make_room()
        now = time.monotonic()
        for group, patience in self._patience:
            while group and now - group[oldest := next(iter(group))] > patience:
                oldest.abort()

    def close_waiting(self) -> None:
        """Close every connection without a whole request."""
        for connection in [*self.idle, *self.arriving]:
            connection.abort()


class Connection(HttpToolsProtocol):
    """Uvicorn's connection under these limits. It uses asyncio's and httptools' callbacks, and no other part of it."""

    def __init__(self, connections: Connections, *, app_state: dict[str, Any], **arguments: Any) -> None:
        super().__init__(app_state={**app_state, STATE: self}, **arguments)
        self._all = connections
        self._unanswered = 0  # Requests whose head has come and whose reply has not gone.
        self._head: int | None = None  # Bytes so far of a head that is not complete.
        self._is_half_closed = False
        self.is_lost = False

    @property
    def closes_next(self) -> bool:
        """Return whether the next reply is the last one on this connection."""
        return self._unanswered == 1 and (self._is_half_closed or self._all.is_draining)

    def answered(self) -> None:
        """Note that a request has been dealt with."""
        self._unanswered -= 1
        self._settle()

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        self._all.forget(self)
        self._all.open.discard(self)
        self.transport.abort()

    def _settle(self) -> None:
        if not (self._unanswered or self in self._all.arriving or self.is_lost):
            group = self._all.stalled if self.transport.is_closing() else self._all.idle
            group[self] = time.monotonic()

    # --- asyncio's callbacks.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn has it.
        """Take in the connection, or refuse it."""
        super().connection_made(transport)
        self._all.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.is_lost = True
        self._all.open.discard(self)
        self._all.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come; count what belongs to a head."""
        if self._all.idle.pop(self, None):
            self._all.arriving[self] = time.monotonic()
        if self._head is not None:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self.send_400_response("The request head is too large.")
                return
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's own signature.
        """Keep the way back open for the replies to requests that have arrived whole."""
        self._is_half_closed = bool(self._unanswered) and self not in self._all.arriving
        return self._is_half_closed

    def pause_writing(self) -> None:
        """Note that the client does not take what is sent."""
        self._all.stalled[self] = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client has taken most of what was sent."""
        self._all.stalled.pop(self, None)
        self._settle()
        super().resume_writing()

    # --- httptools' callbacks.

    def on_message_begin(self) -> None:
        """Begin to count the head of a request."""
        self._head = 0
        self._all.arriving.setdefault(self, time.monotonic())
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Have the application called for the request."""
        self._head = None
        super().on_headers_complete()
        self._unanswered += 1

    def on_message_complete(self) -> None:
        """Note that the request has arrived whole."""
        super().on_message_complete()
        self._all.arriving.pop(self, None)
        self._settle()
