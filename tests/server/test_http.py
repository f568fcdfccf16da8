"""HTTP on the wire: half-closed and pipelined connections, limits, and the request target byte for byte."""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest

from app.voice.signature import make_nonce, sign_v3
from tests.drills.hostile import exchange, statuses
from tests.server.calls import new_uuid
from tests.server.test_wire import calls_of, read_answer, report
from tests.support.server import DEADLINE, TOKEN, Server, until

Start = Callable[..., Server]
HOST = b"Host: 127.0.0.1\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture
def server(start_server: Start) -> Server:
    """Start a server of one worker with one thread that checks no signatures."""
    return start_server(WORKERS=1, THREADS=1, VERIFY_SIGNATURES="off")


def test_a_client_that_half_closes_after_its_requests_gets_every_reply(server: Server) -> None:
    answer = exchange(server, report(new_uuid()) + HEALTH + report(new_uuid()))

    assert statuses(answer) == [200, 200, 200]


def test_a_client_that_half_closes_in_a_request_is_let_go_and_nothing_is_kept(server: Server) -> None:
    call_uuid = new_uuid()

    assert exchange(server, report(call_uuid)[:-5]) == b""

    assert server.api(f"/calls/{call_uuid}").status == 404


def test_pipelined_requests_are_all_answered_in_their_order(server: Server) -> None:
    requests = [
        report(new_uuid()),
        HEALTH,
        b"GET /login HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /dialstatus/none/ HTTP/1.1\r\n" + HOST + b"\r\n",
    ] * 20
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as client:
        client.sendall(b"".join(requests))
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))

    assert statuses(answer) == [200, 200, 200, 404] * 20
    assert b"connection: close" in answer.lower().rpartition(b"http/1.1 ")[2]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", [400]),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [400]),
        (b"GET /healthz HTTP/1.0\r\n\r\n", [200]),
        (b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [501]),
        (b"GET /healthz?" + b"a" * 8200 + b" HTTP/1.1\r\n" + HOST + b"\r\n", [400]),
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 8200 + b"\r\n\r\n", [400]),
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: a\r\n" * 100 + b"\r\n", [400]),
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: a\r\n" * 99 + b"\r\n", [200]),
        (b"POST /dialstatus/ring/ HTTP/1.1\r\n" + HOST + b"Content-Length: 0000000002\r\n\r\na=", [200]),
    ],
)
def test_what_breaks_a_rule_or_a_limit_is_refused(server: Server, raw: bytes, expected: list[int]) -> None:
    assert statuses(exchange(server, raw)) == expected
    assert not [line for line in server.lines if "Traceback" in line]


@pytest.mark.parametrize("length", [b"65537", b"9999999999", b"0000065537"])
@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"], ids=["sent", "announced"])
def test_a_body_over_the_limit_is_refused_unread(server: Server, length: bytes, expect: bytes) -> None:
    head = b"POST /dialstatus/ HTTP/1.1\r\n" + HOST + expect + b"Content-Length: " + length + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as client:
        client.sendall(head)

        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")
        assert b"".join(iter(lambda: client.recv(65536), b"")).strip() in {b"", b"<Response/>"}


def test_the_reply_to_a_head_request_tells_the_length_of_the_body(server: Server) -> None:
    lengths = []
    for method in ("GET", "HEAD"):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
        connection.request(method, "/healthz")
        lengths.append(connection.getresponse().headers["Content-Length"])
        connection.close()

    assert lengths[0] == lengths[1] != "0"


@pytest.mark.parametrize(
    "target",
    [
        "/dialstatus/?CallUUID=a&x=%41%e4",
        "/dialstatus/?CallUUID={a}",
        "/dialstatus/?CallUUID=a&b=c;d|e^f`g",
        "/dialstat%75s/?CallUUID=a",
    ],
)
def test_the_target_reaches_the_signature_byte_for_byte(start_server: Start, target: str) -> None:
    server = start_server(WORKERS=1)
    nonce = make_nonce()
    signature = sign_v3(method="GET", url=server.url + target, params=[], nonce=nonce, token=TOKEN)
    headers = (f"X-Plivo-Signature-V3: {signature}\r\nX-Plivo-Signature-V3-Nonce: {nonce}\r\n\r\n").encode()
    host = f"Host: 127.0.0.1:{server.port}\r\n".encode()

    for sent in (target, f"{target}#fragment", f"http://127.0.0.1:{server.port}{target}"):
        answer = exchange(server, b"GET " + sent.encode() + b" HTTP/1.1\r\n" + host + headers)

        assert statuses(answer) == [200], sent


def test_strangers_who_fill_the_pool_keep_neither_health_checks_nor_callers_waiting(
    start_server: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    instance = tmp_path_factory.mktemp("instance")
    server = start_server(INSTANCE_DIR=instance, WORKERS=1, THREADS=1, VERIFY_SIGNATURES="off")
    beginning = b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
    with ExitStack() as stack:
        for number in range(100):
            stranger = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE))
            stranger.sendall(beginning + b"Content-Length: %010d\r\n\r\n" % (10 + number))
        call_uuid = new_uuid()
        with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as plivo:
            plivo.sendall(report(call_uuid))
            assert read_answer(plivo)[0].startswith(b"HTTP/1.1 200")
        for path in ("/healthz", "/login", "/readyz"):
            assert server.request("GET", path).status == 200

    until(lambda: call_uuid in calls_of(instance))
