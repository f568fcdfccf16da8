"""Broken, ambiguous and oversized HTTP: refused or answered, never a 5xx, no second request, no dead worker."""

import gzip
import socket
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from tests.drills.hostile import (
    CHUNKED,
    FORM,
    HEAD,
    PATIENCE,
    SMUGGLED,
    Caller,
    Fuzzer,
    chunks,
    exchange,
    statuses,
    workers,
)
from tests.server.calls import dial_report, new_uuid
from tests.support.server import REPORTS_TOKEN, Server, until

# How much a warm worker's resident memory may grow over a whole round. A leak of a kilobyte for each request of the
# long round would exceed it.
MOST_GROWTH = 40 * 2**20  # bytes
FUZZERS = 4

Record = Callable[[str, object], None]

AMBIGUOUS = {
    "length and chunks": b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    "the same length twice": b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
    "a list of lengths": b"Content-Length: 5, 5\r\n\r\nabcde",
    "a length with a sign": b"Content-Length: +5\r\n\r\nabcde",
    "a negative length": b"Content-Length: -5\r\n\r\nabcde",
    "a hexadecimal length": b"Content-Length: 0x5\r\n\r\nabcde",
    "a length beyond all numbers": b"Content-Length: 99999999999999999999999\r\n\r\nabcde",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding after chunked": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a control character before the coding": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a bare line feed": b"A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"A: b\r\n Content-Length: 5\r\n\r\nabcde",
    "a folded coding": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a NUL": b"A: b\0c\r\nContent-Length: 5\r\n\r\nabcde",
    "a second host": b"Host: elsewhere\r\nContent-Length: 5\r\n\r\nabcde",
    "a negative chunk": CHUNKED + b"\r\n-5\r\nabcde\r\n0\r\n\r\n",
    "a hexadecimal chunk": CHUNKED + b"\r\n0x5\r\nabcde\r\n0\r\n\r\n",
    "a line feed in a chunk's extension": CHUNKED + b"\r\n5;a=b\nxx\r\nabcde\r\n0\r\n\r\n",
    "a chunk that is no number": CHUNKED + b"\r\nzz\r\nabcde\r\n0\r\n\r\n",
    "a chunk without its end": CHUNKED + b"\r\n5\r\nabcdeX\r\n0\r\n\r\n",
    "a chunk cut short": CHUNKED + b"\r\n50\r\nabcde",
}
OVERSIZED = {
    "a long line": (b"GET /dialstatus/?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {414, 400}),
    "a line without end": (b"A" * 2_000_000, {431, 414, 400}),
    "a long field": (HEAD + b"A: " + b"b" * 20_000 + b"\r\n\r\n", {431, 400}),
    "many fields": (HEAD + b"".join(b"A%d: b\r\n" % number for number in range(500)) + b"\r\n", {431, 400}),
    "fields without end": (HEAD + b"a: b\r\n" * 200_000, {431, 400}),
    "a long body": (HEAD + FORM + b"Content-Length: 200000\r\n\r\n" + b"a" * 200_000, {413}),
    "a long body in chunks": (HEAD + FORM + CHUNKED + b"\r\n" + b"".join(chunks(b"a" * 200_000)), {413}),
    "many parameters": (HEAD + FORM + b"Content-Length: 20000\r\n\r\n" + b"a=b&" * 5000, {400}),
    "many parameters in the query": (b"GET /dialstatus/?" + b"a&" * 4000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
}


@pytest.fixture
def server(start_server: Callable[..., Server], sqlite_url: str) -> Server:
    """Return a server that does not check signatures, so that hostile requests reach the application."""
    server = start_server(DATABASE_URL=sqlite_url, VERIFY_SIGNATURES="observe", WORKERS=2)
    until(lambda: len(workers(server)) == 2)
    return server


def test_a_request_whose_end_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_heard(server: Server) -> None:
    for path in (b"/dialstatus/action/", b"/dialstatus/phlo/", b"/login"):
        for what, rest in AMBIGUOUS.items():
            answer = exchange(server, HEAD.replace(b"/dialstatus/action/", path) + FORM + rest + SMUGGLED)

            assert statuses(answer) in ([400], []), (what, path, answer)

    assert not [line for line in server.lines if "Traceback" in line]


def test_what_is_too_big_is_refused(server: Server) -> None:
    for what, (raw, expected) in OVERSIZED.items():
        answer = exchange(server, raw)

        # A server may also close on a client that is still sending; then the reply is lost.
        assert set(statuses(answer)) <= expected, (what, answer)

    assert not [line for line in server.lines if "Traceback" in line]


def test_a_body_of_exactly_what_is_allowed_is_kept_whole_and_one_byte_more_is_refused(server: Server) -> None:
    call_uuid = new_uuid()
    fields = urlencode(dial_report(call_uuid)).encode() + b"&Filler="
    for length, expected in ((64 * 1024, 200), (64 * 1024 + 1, 413)):
        body = fields + b"x" * (length - len(fields))

        answer = exchange(server, HEAD + FORM + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % length + body)

        assert statuses(answer) == [expected]
    [receipt] = server.api(f"/calls/{call_uuid}").json()["receipts"]
    assert len(receipt["params"]["Filler"]) == 64 * 1024 - len(fields)


def test_a_long_body_in_chunks_is_never_cut_short_and_kept(server: Server) -> None:
    call_uuid = new_uuid()
    body = urlencode(dial_report(call_uuid)).encode() + b"&Filler=" + b"x" * 100_000

    answer = exchange(server, HEAD + FORM + CHUNKED + b"Connection: close\r\n\r\n" + b"".join(chunks(body)))

    assert set(statuses(answer)) <= {413}
    assert server.api(f"/calls/{call_uuid}").status == 404


def test_a_compressed_body_is_never_opened(server: Server) -> None:
    before = workers(server)
    bomb = gzip.compress(b"CallUUID=" + b"a" * 50_000_000)[: 60 * 1024]

    for _ in range(20):
        head = HEAD + FORM + b"Content-Encoding: gzip\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(bomb)
        [status] = statuses(exchange(server, head + bomb))
        assert status < 500

    after = workers(server)
    assert after.keys() == before.keys()
    assert all(after[pid] - before[pid] < MOST_GROWTH for pid in before)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [("/dialstatus/", b"CallUUID=1", 200), ("/login", f"token={REPORTS_TOKEN}".encode(), 303)],
)
def test_a_body_that_comes_after_its_head_is_read_whole(server: Server, path: str, body: bytes, expected: int) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n".encode() + FORM
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body))
        # The server asks for the body when it begins to read, so every byte arrives while a reader waits.
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body[:5])
        connection.sendall(body[5:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert statuses(answer) == [expected]


def test_thousands_of_hostile_requests_break_nothing(server: Server, record_property: Record) -> None:
    survive(server, record_property, warm_up=400, requests=2_000)


@pytest.mark.drill
def test_a_hundred_thousand_hostile_requests_break_nothing(server: Server, record_property: Record) -> None:
    survive(server, record_property, warm_up=5_000, requests=100_000)


def survive(server: Server, record: Record, *, warm_up: int, requests: int) -> None:
    """Send hostile requests while Plivo calls; check afterwards that the server is intact."""
    caller = Caller(server)
    caller.start()
    bombard(server, warm_up, seed=1)
    before = workers(server)
    counts = bombard(server, requests, seed=2)
    after = workers(server)
    caller.stop()

    growth = {pid: (after[pid] - before[pid]) // 1024 for pid in before}
    said = f"statuses {dict(sorted(counts.items()))}, calls answered {len(caller.answered)}, KiB grown {growth}"
    record("figure", f"{requests} hostile requests: {said}")
    assert after.keys() == before.keys(), "a worker died"
    assert all(kilobytes * 1024 < MOST_GROWTH for kilobytes in growth.values()), growth
    assert not caller.refused
    assert len(caller.answered) > requests // 1000
    assert counts[200] > requests // 100, "hardly anything reached the application"
    assert server.api(f"/calls/{caller.answered[-1]}").status == 200
    faults = ("Traceback", "control_failed", "batch_failed", "receipt_spooled", "notice_not_kept", "thread_died")
    assert not [line for line in server.lines if any(fault in line for fault in faults)]


def bombard(server: Server, requests: int, *, seed: int) -> Counter[int]:
    """Send hostile requests from several threads, with no 5xx in reply; return the count of each status."""
    fuzzers = [Fuzzer(server, requests // FUZZERS, seed * 1000 + number) for number in range(FUZZERS)]
    for fuzzer in fuzzers:
        fuzzer.start()
    for fuzzer in fuzzers:
        fuzzer.join()
        assert fuzzer.failure is None, fuzzer.failure
        assert not fuzzer.faults, fuzzer.faults[:3]
    return sum((fuzzer.counts for fuzzer in fuzzers), Counter())
