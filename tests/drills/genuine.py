"""Plivo at a steady rate: whole calls, signed, each begun on time whatever became of those before it."""

import http.client
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from urllib.parse import urlsplit

from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import DEADLINE, Reply, Server

PAUSE = 0.05  # Seconds between connecting and sending: a distant client's request comes that late.
_THREADS = 100


class GenuineCalls(threading.Thread):
    """Begins `rate` calls a second; every request comes on a connection of its own.

    `seconds` holds how long each control reply took, connecting included and the pause left out. `acknowledged` holds
    call UUID and kind of every request answered 200. A notice answered 503 is `postponed`: Plivo tries it again.
    """

    def __init__(self, server: Server, *, rate: float) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._rate = rate
        self._over = threading.Event()
        self.seconds: list[float] = []
        self.acknowledged: list[tuple[str, str]] = []
        self.postponed: list[str] = []
        self.failed: list[str] = []

    @property
    def p99(self) -> float:
        """Return the 99th percentile of `seconds`."""
        return statistics.quantiles(self.seconds, n=100)[98]

    def run(self) -> None:
        """Call until told to finish."""
        calls: list[Future[None]] = []
        began = time.monotonic()
        with ThreadPoolExecutor(_THREADS) as threads:
            for number in count():
                if self._over.wait(max(0, began + number / self._rate - time.monotonic())):
                    break
                calls.append(threads.submit(self._call))
        for call in calls:
            call.result()

    def finish(self) -> None:
        """Begin no more calls, and wait for the last reply."""
        self._over.set()
        self.join(2 * DEADLINE)
        assert not self.is_alive(), "a reply never came"

    def _call(self) -> None:
        """Play a call whose dial finds the callee busy."""
        call_uuid = new_uuid()
        reply = self._control("answer", call_uuid, "/dialstatus/", inbound(call_uuid))
        if reply is None:
            return
        parts = urlsplit(reply.attribute("action"))
        self._control("action", call_uuid, f"{parts.path}?{parts.query}", dial_report(call_uuid, "busy"))
        ended = inbound(call_uuid, Event="Hangup", CallStatus="completed")
        notice, _ = self._send("/dialstatus/hangup/", ended)
        if isinstance(notice, Reply) and notice.status == 503:
            self.postponed.append(call_uuid)
        else:
            self._judge("hangup", call_uuid, notice)

    def _control(self, kind: str, call_uuid: str, target: str, fields: dict[str, str]) -> Reply | None:
        reply, seconds = self._send(target, fields)
        self.seconds.append(seconds)
        return reply if self._judge(kind, call_uuid, reply) and isinstance(reply, Reply) else None

    def _judge(self, kind: str, call_uuid: str, reply: Reply | Exception) -> bool:
        fine = isinstance(reply, Reply) and reply.status == 200 and (kind == "hangup" or "<Response" in reply.body)
        if fine:
            self.acknowledged.append((call_uuid, kind))
        else:
            self.failed.append(f"{kind} of {call_uuid}: {reply!r}")
        return fine

    def _send(self, target: str, fields: dict[str, str]) -> tuple[Reply | Exception, float]:
        """Return the reply, or why there is none, and how many seconds that took."""
        with closing(self._server.connect()) as connection:
            began = time.perf_counter()
            try:
                connection.connect()
                time.sleep(PAUSE)
                reply = self._server.plivo("POST", target, fields, connection=connection)
            except (OSError, http.client.HTTPException) as error:
                return error, time.perf_counter() - began - PAUSE
            return reply, time.perf_counter() - began - PAUSE


@contextmanager
def calling(server: Server, *, rate: float) -> Iterator[GenuineCalls]:
    """Have Plivo call; when this ends the last reply has come."""
    calls = GenuineCalls(server, rate=rate)
    calls.start()
    try:
        yield calls
    finally:
        calls.finish()
