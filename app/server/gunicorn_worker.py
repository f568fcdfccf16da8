"""How a worker process takes in requests: it works on one only when all of it has arrived.

Gunicorn's worker gives a thread to every client that has sent a byte, and its one loop waits for clients to hang up:
a few dozen slow ones, or a few that never close, keep Plivo out. Here both wait on the loop, where they cost nothing.
Webhooks are answered on the loop (`gunicorn_loop.py`), all else by threads.
"""

import socket
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from app.server.arriving import MOST_BYTES
from app.server.balance import shares
from app.server.gunicorn_connection import Connection
from app.server.gunicorn_loop import Loop

_LIMITS = ("limit_request_line", "limit_request_fields", "limit_request_field_size")
_ARRIVAL = 10.0  # Seconds in which a request must have arrived.
_LINGER = 2.0  # Seconds for a client to take its answer and hang up.
_REST = 0.05  # Seconds for what is left of a request: it is here, or it was refused unread.
_GIVING_WAY = 0.001  # Seconds for another worker to take a connection.
_MOST_LINGERING = 200


class Worker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's worker with threads, which slow clients cannot keep busy."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alive: bool
        self.lingering: deque[Connection] = deque()
        self.loop = Loop(self)
        self.limits = {name: int(getattr(self.cfg, name)) for name in _LIMITS}
        self.gives_way_until = 0.0  # Monotonic seconds; 0 where it is not giving way.

    def run(self) -> None:
        """Work until told to stop, and on what was begun."""
        super().run()
        self.loop.tell()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what there is to do, then hand over what was asked meanwhile."""
        shares.tell(self.age, self.nr_conns)
        patience = min(timeout, self.loop.patience())
        if not self._accepting and self.gives_way_until:
            patience = min(patience, _GIVING_WAY)
        super().wait_for_and_dispatch_events(patience)
        self.loop.turn()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Listen for new connections or not; while giving way, not."""
        super().set_accept_enabled(enabled and time.monotonic() >= self.gives_way_until)

    def accept(self, listener: Any) -> None:
        """Take a connection in, and wait for its request on the loop."""
        if not self.gives_way_until and shares.is_ahead(self.nr_conns):
            self.gives_way_until = time.monotonic() + _GIVING_WAY
            self.set_accept_enabled(False)
            return
        self.gives_way_until = 0.0
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        if self.pending_conns and self.nr_conns >= self.worker_connections - self.cfg.threads:
            self._drop(self.pending_conns[0])  # Who has been slow for longest makes room.
        self.nr_conns += 1
        self._arrive(Connection(self.linger, self.limits, self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: Connection, client: Any) -> None:  # noqa: ARG002 - Gunicorn's own form.
        """Take up a kept-alive connection that says more."""
        if conn.is_gone:
            return
        if conn.is_answering:
            self.unwatch(conn)  # It says more before it has its answer, or hangs up: later.
            return
        arrived = conn.look()
        if arrived and conn.has_webhook:
            self.loop.answer(conn)
        elif arrived is not False or conn.seen:
            self._unkeep(conn)
            self.unwatch(conn)
            self._take_up(conn, arrived)

    def on_pending_socket_readable(self, conn: Connection, client: Any) -> None:  # noqa: ARG002
        """Look again at a connection whose request is not whole yet."""
        if conn not in self.pending_conns:
            return  # It was dropped a moment ago, when this was already to be called.
        arrived = conn.look()
        if arrived is not False:
            self.pending_conns.remove(conn)
            self.unwatch(conn)
            self._take_up(conn, arrived)

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """Note what became of a connection that a thread had."""
        super().finish_request(conn, fs)
        if self.keepalived_conns and self.keepalived_conns[-1] is conn:
            conn.watched, conn.is_kept, conn.looked_at = EVENT_READ, True, conn.timeout

    def must_close_after_this(self) -> bool:
        """Count a request, and tell whether its connection is not to be kept."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        return not self.alive or len(self.keepalived_conns) >= self.max_keepalived

    def watch(self, conn: Connection, events: int, then: Callable[[Any], None]) -> None:
        """Have `then` called when there is something to read, or room to write; who is watched for it stays so."""
        if conn.watched == events:
            return
        if conn.watched:
            self.poller.modify(conn.sock, events, then)
        else:
            self.poller.register(conn.sock, events, then)
        conn.watched = events

    def unwatch(self, conn: Connection) -> None:
        """Hear nothing more of a connection."""
        if conn.watched:
            self.poller.unregister(conn.sock)
            conn.watched = 0

    def keep(self, conn: Connection, events: int, then: Callable[[Any], None]) -> None:
        """Keep a connection for as long as gunicorn keeps any."""
        conn.set_timeout()
        self.watch(conn, events, then)
        if not conn.is_kept:
            conn.is_kept, conn.looked_at = True, conn.timeout
            self.keepalived_conns.append(conn)

    def let_go(self, conn: Connection, *, graceful: bool = False) -> None:
        """Close a connection; `graceful`: once the client has taken its answer."""
        self._unkeep(conn)
        self.unwatch(conn)
        conn.is_gone = True
        self.nr_conns -= 1
        conn.close(graceful)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close what was kept for long enough. What said something since is looked at again later."""
        now = time.monotonic()
        for _ in range(len(self.keepalived_conns)):
            conn = self.keepalived_conns[0]
            if conn.looked_at > now and not force:
                break
            if force or (conn.timeout <= now and not conn.is_answering):
                self.let_go(conn)
            else:
                conn.looked_at = max(conn.timeout, now + 1)
                self.keepalived_conns.rotate(-1)

    def murder_pending(self) -> None:
        """Close what takes too long to arrive, or to hang up."""
        now = time.monotonic()
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            self._drop(self.pending_conns[0])
        while self.lingering and self.lingering[0].timeout <= now:
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
        self._take_up(conn, conn.look())

    def _take_up(self, conn: Connection, arrived: bool | None) -> None:
        """Go on with a connection that is in nobody's hands."""
        if arrived and conn.has_webhook:
            self.loop.answer(conn)
        elif arrived:
            self.loop.tell()  # Whoever asks for the counts finds all that was answered before.
            conn.data_ready = True
            self.enqueue_req(conn)
        elif arrived is None:
            self.let_go(conn)
        else:
            conn.timeout = time.monotonic() + _ARRIVAL
            self.pending_conns.append(conn)
            self.watch(conn, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _unkeep(self, conn: Connection) -> None:
        if conn.is_kept:
            self.keepalived_conns.remove(conn)
            conn.is_kept = False

    def _drop(self, conn: Connection) -> None:
        self.pending_conns.remove(conn)
        self.let_go(conn)

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
        for conn in (*self.keepalived_conns, *self.pending_conns):
            conn.timeout = min(conn.timeout, deadline)
            conn.looked_at = min(conn.looked_at, deadline)
