"""How a worker process takes in requests: a thread works on one only when all of it has arrived.

Gunicorn's worker gives a thread to every client that has sent a byte, and its one loop waits for clients to hang up:
a few dozen slow ones, or a few that never close, keep Plivo out. Here both wait on the loop, where they cost nothing.
"""

import socket
import time
from collections import deque
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from app.ops.arriving import MOST_BYTES, awaits_consent, is_whole

_ARRIVAL = 10.0  # Seconds in which a request must have arrived.
_LINGER = 2.0  # Seconds for a client to take its answer and hang up.
_USUAL_BYTES = 8192  # No webhook is longer.
_REST = 0.05  # Seconds for what is left of a request: it is here, or it was refused unread.
_MOST_LINGERING = 200
_CONSENT = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(TConn):  # type: ignore[misc]  # Gunicorn comes without types.
    """A connection, and how much of its next request has been seen."""

    def __init__(self, worker: "Worker", *args: Any) -> None:
        super().__init__(*args)
        self.worker = worker
        self.seen = 0
        self.told = False

    def close(self, graceful: bool = False) -> None:
        """Close; where an answer may still be on its way, on the loop and not here."""
        if not (graceful and self.worker.linger(self)):
            super().close()

    def look(self) -> bool | None:
        """Tell whether the next request has arrived whole; None when it never will."""
        try:
            seen = self.sock.recv(_USUAL_BYTES, socket.MSG_PEEK)
            if len(seen) == _USUAL_BYTES:
                seen = self.sock.recv(MOST_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return None
        if is_whole(seen):
            self._await(1)
            self.seen = 0
            return True
        if len(seen) == self.seen or len(seen) >= MOST_BYTES:
            return None  # It has ended in the middle, or will have no end.
        if not self.told and awaits_consent(seen):
            self.told = True
            self.sock.send(_CONSENT)
        self.seen = len(seen)
        self._await(self.seen + 1)
        return False

    def _await(self, count: int) -> None:
        """Have the kernel wake us only when so many bytes are there."""
        if count != 1 or self.seen:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's worker with threads, which slow clients cannot keep busy."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lingering: deque[Connection] = deque()

    def accept(self, listener: Any) -> None:
        """Take a connection in, and wait for its request on the loop."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        if self.pending_conns and self.nr_conns >= self.worker_connections - self.cfg.threads:
            self._drop(self.pending_conns[0])  # Who has been slow for longest makes room.
        self.nr_conns += 1
        self._arrive(Connection(self, self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: Connection, client: Any) -> None:
        """Take up a kept-alive connection that says more."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._arrive(conn)

    def on_pending_socket_readable(self, conn: Connection, client: Any) -> None:
        """Look again at a connection whose request is not whole yet."""
        if conn not in self.pending_conns:
            return  # It was dropped a moment ago, when this was already to be called.
        arrived = _looked(conn)
        if arrived:
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            self._work(conn)
        elif arrived is None:
            self._drop(conn)

    def murder_pending(self) -> None:
        """Close what takes too long to arrive, or to hang up."""
        super().murder_pending()
        while self.lingering and self.lingering[0].timeout <= time.monotonic():
            self._hang_up(self.lingering[0])

    def linger(self, conn: Connection) -> bool:
        """Say that no more will come, and wait for the client to hang up; False when it is gone already."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError, KeyError):
            return False
        conn.seen, conn.timeout = 0, time.monotonic() + _LINGER
        self.lingering.append(conn)
        if len(self.lingering) > _MOST_LINGERING:
            self._hang_up(self.lingering[0])
        return True

    def _arrive(self, conn: Connection) -> None:
        arrived = _looked(conn)
        if arrived:
            self._work(conn)
        elif arrived is None:
            self.nr_conns -= 1
            conn.close()
        else:
            conn.timeout = time.monotonic() + _ARRIVAL
            self.pending_conns.append(conn)
            self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _work(self, conn: Connection) -> None:
        conn.data_ready = True
        self.enqueue_req(conn)

    def _drop(self, conn: Connection) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)
        self.nr_conns -= 1
        conn.close()

    def _drain(self, conn: Connection, client: socket.socket) -> None:
        if conn not in self.lingering:
            return
        try:
            read = len(client.recv(65536))
        except BlockingIOError:
            return
        except OSError:
            read = 0
        conn.seen += read
        if not read or conn.seen > MOST_BYTES:
            self._hang_up(conn)

    def _hang_up(self, conn: Connection) -> None:
        self.lingering.remove(conn)
        self.poller.unregister(conn.sock)
        conn.close()

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer a request. Who has been asked for the body is not asked again."""
        if conn.told:
            req._expected_100_continue = conn.told = False
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Keep a connection of which nothing is left unread: a thread must not wait for the rest."""
        finished = keepalive and conn.parser.finish_body(deadline=time.monotonic() + _REST)
        return bool(finished) and not conn.parser.unreader.buf.getvalue()

    def _cap_keepalive(self, deadline: float) -> None:
        """Close what says nothing by then, also requests that have not arrived."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)


def _looked(conn: Connection) -> bool | None:
    try:
        return conn.look()
    except OSError:
        return None
