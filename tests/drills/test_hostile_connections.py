"""Connections that are held and not used, replies that nobody takes, and a process out of file descriptors."""

import resource
import socket
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.drills.hostile import BEGINNINGS, PATIENCE, Caller, workers
from tests.drills.steady import SteadyLoad
from tests.ops.collector import total
from tests.server.calls import dial_report, new_uuid
from tests.support.server import DEADLINE, Server, until

Start = Callable[..., Server]
BIG = b"GET /bootstrap/css/bootstrap.min.css HTTP/1.1\r\nHost: x\r\n\r\n"
SMALL = b"GET /dialstatus/none/ HTTP/1.1\r\nHost: x\r\n\r\n"


def connect(server: Server, *, receive_buffer: int = 0) -> socket.socket:
    """Open a connection."""
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(PATIENCE)
    client.connect(("127.0.0.1", server.port))
    return client


@contextmanager
def held(server: Server, count: int, sent: bytes, *, receive_buffer: int = 0) -> Iterator[None]:
    """Hold connections on which so much was sent and nothing is read."""
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(connect(server, receive_buffer=receive_buffer))
            with suppress(OSError):  # The server may refuse it.
                client.sendall(sent)
        yield


def connections(server: Server) -> int:
    """Return how many connections the workers hold."""
    found = [each for pid in server.workers() for each in psutil.Process(pid).net_connections("tcp")]
    return sum(each.status in {"ESTABLISHED", "CLOSE_WAIT"} and each.laddr.port == server.port for each in found)


def call(server: Server, calls: int = 20) -> None:
    """Have Plivo call so many times; every call is answered."""
    caller = Caller(server)
    caller.start()
    until(lambda: len(caller.answered) + len(caller.refused) >= calls)
    caller.stop()
    assert not caller.refused


def slow_clients_are_gone(server: Server, count: int) -> list[float]:
    """Hold so many silent or slow connections; return how long each webhook took until they were gone."""
    with ExitStack() as stack:
        clients = []
        for number in range(count):
            client = stack.enter_context(connect(server))
            client.sendall(BEGINNINGS[number % len(BEGINNINGS)] if number % 2 else b"")
            client.setblocking(False)
            clients.append(client)
        load = SteadyLoad(server, connections=4)
        load.start()
        began = time.monotonic()
        while connections(server) > count // 10:
            assert time.monotonic() - began < 20, f"{connections(server)} of {count} connections are still open"
            for client in clients:
                with suppress(OSError):
                    client.send(b"x")
            time.sleep(0.5)
        load.finish()
    assert load.failed == []
    return load.seconds


def test_slow_and_silent_clients_are_gone_soon_and_callers_do_not_notice(start_server: Start) -> None:
    server = start_server(WORKERS=2, VERIFY_SIGNATURES="off", LOG_LEVEL="ERROR")

    assert slow_clients_are_gone(server, 300)


@pytest.mark.drill
def test_a_crowd_of_slow_and_silent_clients_is_gone_soon(
    start_server: Start, record_property: Callable[[str, object], None]
) -> None:
    server = start_server(WORKERS=2, VERIFY_SIGNATURES="off", LOG_LEVEL="ERROR")

    seconds = slow_clients_are_gone(server, 1500)

    p99 = statistics.quantiles(seconds, n=100)[98]
    record_property("figure", f"1,500 slow clients: {len(seconds)} webhooks, 99th percentile {p99 * 1000:.1f} ms")
    assert p99 < 0.05


def test_clients_that_never_read_their_replies_hold_no_thread_and_are_cut_off(start_server: Start) -> None:
    server = start_server(WORKERS=1, THREADS=2)

    with held(server, 64, BIG * 40, receive_buffer=2048):
        for path in ("/healthz", "/readyz", "/login", "/bootstrap/css/bootstrap.min.css"):
            assert server.request("GET", path).status == 200
        call(server)
        assert connections(server) > 60
        until(lambda: connections(server) < 5)

    assert [line for line in server.lines if "Traceback" in line] == []


def test_clients_that_never_read_keep_no_caller_waiting_while_the_store_is_away(
    start_server: Start, tmp_path: Path
) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=1, THREADS=2, STORE_TIMEOUT="0.2")
    with (
        closing(sqlite3.connect(tmp_path / "dialstatus.db", isolation_level=None)) as locking,
        held(server, 64, BIG * 40, receive_buffer=2048),
    ):
        locking.execute("BEGIN IMMEDIATE")
        replies = [server.plivo("POST", "/dialstatus/action/", dial_report(new_uuid(), "busy")) for _ in range(10)]
        assert {reply.status for reply in replies} == {200}
        assert server.request("GET", "/healthz").status == 200
        locking.execute("ROLLBACK")

    until(lambda: total(server, "dialstatus_spool_receipts") == 0)


def test_out_of_file_descriptors_no_worker_dies(start_server: Start) -> None:
    server = start_server(WORKERS=2)
    before = workers(server).keys()
    for pid in before:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (100, 100))

    with held(server, 300, SMALL):
        time.sleep(1)
        assert workers(server).keys() == before
    call(server)

    assert workers(server).keys() == before
    assert [line for line in server.lines if "Traceback" in line] == []


def test_the_files_of_a_worker_are_as_many_as_the_system_allows_and_connections_stay_below(
    start_server: Start,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        server = start_server(WORKERS=1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    [worker] = server.workers()

    assert resource.prlimit(worker, resource.RLIMIT_NOFILE) == (hard, hard)
    assert [(line["files_before"], line["files"]) for line in server.events("file_limit_raised")] == [(256, hard)]


def test_idle_connections_make_room_and_a_caller_never_does(start_server: Start) -> None:
    server = start_server(WORKERS=1, VERIFY_SIGNATURES="off", GUNICORN_CMD_ARGS="--worker-connections 60")
    ended = threading.Event()
    silent: list[socket.socket] = []

    def churn() -> None:
        while not ended.wait(0.03):
            silent.append(connect(server))

    with held(server, 80, SMALL):
        assert connections(server) <= 60
        churning = threading.Thread(target=churn, daemon=True)
        churning.start()
        statuses = [answered_after_a_moment(server) for _ in range(20)]
        ended.set()
        churning.join(DEADLINE)
    for client in silent:
        client.close()

    assert statuses == [b"HTTP/1.1 404"] * 20


def test_a_caller_comes_in_beside_a_crowd_that_has_just_connected_and_says_nothing(start_server: Start) -> None:
    server = start_server(WORKERS=1, VERIFY_SIGNATURES="off", GUNICORN_CMD_ARGS="--worker-connections 60")

    with held(server, 80, b""):
        assert answered_after_a_moment(server) == b"HTTP/1.1 404"


def answered_after_a_moment(server: Server) -> bytes:
    """Connect, send a request 50 ms later, and return the beginning of the reply."""
    with connect(server) as client:
        time.sleep(0.05)
        client.sendall(SMALL)
        return client.recv(65536)[:12]
