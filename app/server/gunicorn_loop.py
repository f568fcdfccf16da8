"""Webhooks answered on the worker's loop itself, without a thread of their own.

A request that goes to a thread and back, and waits there for its commit, is handed over some ten times: each wakes a
thread, and only one of them runs at a time. What Plivo sends is small and here whole, and what takes long (the store)
happens on the journal's thread. So the loop runs the application for every webhook that has arrived, hands all their
receipts over at once, and gives the replies when they are on disk. It never waits: not for a client, not for the store.

Whatever is not a webhook (reports may take long), and a reply whose receipt the store did not take (the spool waits for
a disk), goes to a thread.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, Protocol

from gunicorn.http.wsgi import Response as GunicornResponse
from gunicorn.http.wsgi import create

from app.dial.deferred_response import FINISHES, Unfinished
from app.ops.logs import lines_together
from app.records.writing.entry import Entry
from app.records.writing.journal import Journal
from app.server.gunicorn_connection import Connection
from app.server.plain_http import PlainReply


class Answer(GunicornResponse):  # type: ignore[misc]  # Gunicorn comes without types.
    """A response whose bytes are collected, to be sent in one piece without waiting for the client."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.headers_sent: bool
        self.pieces: list[bytes] = []

    def send_headers(self) -> None:
        """Collect the head."""
        if not self.headers_sent:
            self.headers_sent = True
            lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
            self.pieces.append("".join(lines).encode("latin-1"))

    def collect(self, body: Iterable[bytes]) -> bytes:
        """Give the whole response."""
        for piece in body:
            self.write(piece)
        self.close()
        return b"".join(self.pieces)

    def _emit_body(self, data: bytes) -> None:
        self.pieces.append(b"%X\r\n%s\r\n" % (len(data), data) if self.chunked else data)

    def close(self) -> None:
        """Collect what ends the body."""
        self.send_headers()
        if self.chunked:
            self.pieces.append(b"0\r\n\r\n")


class Reply(Protocol):
    """A reply on its way out, gunicorn's or a plain one."""

    @property
    def start_response(self) -> Any: ...
    def force_close(self) -> None: ...
    def should_close(self) -> bool: ...
    def collect(self, body: Iterable[bytes]) -> bytes: ...


class Worker(Protocol):
    """What the loop's part needs of the worker."""

    alive: bool
    method_queue: Any
    tpool: Any
    wsgi: Any

    def must_close_after_this(self) -> bool: ...
    def keep(self, conn: Connection, events: int, then: Callable[[Any], None]) -> None: ...
    def let_go(self, conn: Connection, *, graceful: bool = False) -> None: ...
    def on_client_socket_readable(self, conn: Connection, client: Any) -> None: ...
    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None: ...


@dataclass(slots=True, eq=False)
class _Asked:
    """A request whose answer waits for the store."""

    conn: Connection
    answer: Reply
    unfinished: Unfinished


@dataclass(slots=True, eq=False)
class _Handed:
    """What was handed over together, and until when it is waited for (monotonic seconds)."""

    asked: Sequence[_Asked]
    journal: Journal
    deadline: float
    is_done: bool = False

    def entries(self) -> list[Entry]:
        return [one.unfinished.reply.entry for one in self.asked]


class Loop:
    """The part of a worker that answers webhooks."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._asked: list[_Asked] = []
        self._handed: deque[_Handed] = deque()
        # Replies that have yet to be told of, to the log and the counts: this turn's, and those of the one before.
        self._finished: list[Unfinished] = []
        self._untold: list[Unfinished] = []

    def answer(self, conn: Connection) -> None:
        """Run the application for the webhook that has arrived whole."""
        request = None
        try:
            answer: Reply
            environ = conn.take()
            if environ is not None:
                answer = PlainReply(environ)
            else:
                request = next(conn.begun())
                answer, environ = create(request, conn.sock, conn.client, conn.server, conn.cfg, response_class=Answer)
            environ[FINISHES] = True
            if self._worker.must_close_after_this():
                answer.force_close()
            body = self._worker.wsgi(environ, answer.start_response)
            if isinstance(body, Unfinished):
                conn.is_answering = True
                self._asked.append(_Asked(conn, answer, body))
            else:
                self._write(conn, answer, body)
                self._send(conn)
        except StopIteration:
            self._worker.let_go(conn)  # There was no request, only the end of the connection.
        except Exception as error:
            self._worker.handle_error(request, conn.sock, conn.client, error)
            self._worker.let_go(conn)

    def patience(self) -> float:
        """Tell for how many seconds nothing is to be done here unless something happens."""
        if self._untold:
            return 0.0
        return max(0.0, self._handed[0].deadline - time.monotonic()) if self._handed else 1.0

    def turn(self) -> None:
        """Hand over what has been asked since the last turn, and give up what has been waited for too long."""
        if self._asked:
            self._hand_over()
        while self._handed and (self._handed[0].is_done or self._handed[0].deadline <= time.monotonic()):
            handed = self._handed.popleft()
            if not handed.is_done:
                handed.journal.abandon(handed.entries())
                self._finish(handed)
        # Of this turn's replies only in the next one: whoever asks anew at once is handed over first, and what is
        # logged and counted then fills the time in which the journal waits for its turn or for the disk.
        untold, self._untold, self._finished = self._untold, self._finished, []
        _tell(untold)

    def tell(self) -> None:
        """Tell of every reply that was given."""
        untold, self._untold, self._finished = [*self._untold, *self._finished], [], []
        _tell(untold)

    def _hand_over(self) -> None:
        asked, self._asked = self._asked, []
        journal = asked[0].unfinished.reply.journal
        handed = _Handed(asked, journal, time.monotonic() + journal.timeout)
        self._handed.append(handed)
        journal.hand_over(handed.entries(), partial(self._worker.method_queue.defer, self._finish, handed))

    def _finish(self, handed: _Handed) -> None:
        if handed.is_done:
            return  # It was given up a moment ago.
        handed.is_done = True
        kept = [one for one in handed.asked if one.unfinished.reply.entry.is_kept]
        for one in kept:
            one.unfinished.reply.finish()
        # A client that is sent its reply may take the processor, and what the loop works with out of its caches: so
        # first all replies are written, then all are sent.
        for conn in [one.conn for one in kept if self._write_reply(one)]:
            self._send(conn)
        self._finished += [one.unfinished for one in kept]
        for one in handed.asked:
            if not one.unfinished.reply.entry.is_kept:
                self._worker.tpool.submit(self._finish_on_thread, one)

    def _finish_on_thread(self, one: _Asked) -> None:
        try:
            one.unfinished.reply.finish()
        finally:
            self._worker.method_queue.defer(self._reply, one)
        one.unfinished.reply.tell()

    def _reply(self, one: _Asked) -> None:
        if self._write_reply(one):
            self._send(one.conn)

    def _write_reply(self, one: _Asked) -> bool:
        """Write a reply that has been finished; False where that fails, and its connection is closed."""
        conn, answer = one.conn, one.answer
        conn.is_answering = False
        try:
            if not self._worker.alive:
                answer.force_close()
            self._write(conn, answer, one.unfinished)
        except Exception as error:
            self._worker.handle_error(None, conn.sock, conn.client, error)
            self._worker.let_go(conn)
            return False
        return True

    def _write(self, conn: Connection, answer: Reply, body: Iterable[bytes]) -> None:
        conn.unsent = answer.collect(body)
        closing = getattr(body, "close", None)
        if closing is not None:
            closing()
        # What was not read of a request would be taken for the next one.
        conn.closes = answer.should_close() or not (isinstance(answer, PlainReply) or conn.is_finished())

    def _send(self, conn: Connection, _client: object = None) -> None:
        try:
            sent = conn.sock.send(conn.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._worker.let_go(conn)
            return
        conn.unsent = conn.unsent[sent:]
        if conn.unsent:
            self._worker.keep(conn, EVENT_WRITE, partial(self._send, conn))
        elif conn.closes:
            self._worker.let_go(conn, graceful=True)
        else:
            self._worker.keep(conn, EVENT_READ, partial(self._worker.on_client_socket_readable, conn))


def _tell(replies: Sequence[Unfinished]) -> None:
    if replies:
        with lines_together():
            for unfinished in replies:
                unfinished.reply.tell()
