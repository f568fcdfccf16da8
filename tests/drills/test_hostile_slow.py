"""Clients that open connections and never finish their requests: Plivo's calls are answered meanwhile."""

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.drills.hostile import BEGINNINGS, PATIENCE, Caller, workers
from tests.support.server import Server, until

CALLS = 40
PAUSE = 0.5  # Seconds between two bytes of a slow client.


@contextmanager
def slow_clients(server: Server, count: int) -> Iterator[None]:
    """Keep so many connections open, each in the middle of a request and with a byte more now and then."""
    ended = threading.Event()
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE))
            for _ in range(count)
        ]
        for connection, beginning in zip(connections, itertools.cycle(BEGINNINGS), strict=False):
            connection.sendall(beginning)
        dripping = threading.Thread(target=_drip, args=(connections, ended), daemon=True)
        dripping.start()
        yield
        ended.set()
        dripping.join(PATIENCE)


def _drip(connections: list[socket.socket], ended: threading.Event) -> None:
    while not ended.wait(PAUSE):
        for connection in connections:
            with suppress(OSError):  # The server may have had enough of one.
                connection.send(b"x")


@pytest.fixture
def server(start_server: Callable[..., Server], sqlite_url: str) -> Server:
    """Start a server with the usual number of threads."""
    server = start_server(DATABASE_URL=sqlite_url, VERIFY_SIGNATURES="observe", WORKERS=2, THREADS=32)
    until(lambda: len(workers(server)) == 2)
    return server


def survive(server: Server, count: int) -> None:
    """Let Plivo call while so many slow clients are connected, and again when they are gone."""
    before = workers(server).keys()
    with slow_clients(server, count):
        during = Caller(server)
        during.start()
        until(lambda: len(during.answered) + len(during.refused) >= CALLS)
        during.stop()
    after = Caller(server)
    after.start()
    until(lambda: len(after.answered) + len(after.refused) >= CALLS)
    after.stop()

    assert not during.refused + after.refused
    assert workers(server).keys() == before
    assert not [line for line in server.lines if "Traceback" in line or "WORKER TIMEOUT" in line]


def test_plivo_is_answered_beside_a_few_slow_clients(server: Server) -> None:
    survive(server, 24)


def test_plivo_is_answered_beside_many_slow_clients(server: Server) -> None:
    survive(server, 400)


@pytest.mark.drill
def test_plivo_is_answered_beside_a_crowd_of_slow_clients(server: Server) -> None:
    survive(server, 900)


def test_plivo_is_answered_beside_clients_that_take_an_answer_and_never_hang_up(server: Server) -> None:
    before = workers(server).keys()
    with ExitStack() as stack:
        for _ in range(60):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE))
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        caller = Caller(server)
        caller.start()
        until(lambda: len(caller.answered) + len(caller.refused) >= CALLS)
        caller.stop()

    assert not caller.refused
    assert workers(server).keys() == before
