"""Behind nginx, HAProxy and Caddy: nothing is smuggled, replies stay with their requests, signatures hold."""

import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest

from tests.drills.hostile import FORM, HEAD
from tests.drills.proxies import PACKAGES, PUBLIC, Client, Way, proxying, signature
from tests.drills.test_hostile_wire import AMBIGUOUS
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.database import rows
from tests.support.server import DEADLINE, REPORTS_TOKEN, Server, until

Start = Callable[..., Server]
RunProxy = Callable[[Way], AbstractContextManager[int]]
MARK = "of-the-proxy-"
CLIENTS, ROUNDS = 8, 40

# Shapes on which a proxy and the server behind it may disagree; each is followed by a request that is smuggled then.
SHAPES = AMBIGUOUS | {
    "a well-formed request": b"Content-Length: 0\r\n\r\n",
    "a length that ends before the body": b"Content-Length: 1\r\n\r\na",
    "a padded length": b"Content-Length: 0000000005\r\n\r\nabcde",
    "a length after a tab": b"Content-Length:\t5\r\n\r\nabcde",
    "a space before the colon of the length": b"Content-Length : 5\r\n\r\nabcde",
    "a space before a field": b" Content-Length: 5\r\n\r\nabcde",
    "a line feed alone after the head": b"Content-Length: 5\r\n\nabcde",
    "line feeds alone": b"Content-Length: 5\n\nabcde",
    "a carriage return alone": b"A: b\rContent-Length: 5\r\n\r\nabcde",
    "a chunk with an extension": b'Transfer-Encoding: chunked\r\n\r\n5;a="b\r\nabcde\r\n0\r\n\r\n',
    "a chunk with a long size": b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 20 + b"5\r\nabcde\r\n0\r\n\r\n",
    "a chunk after a space": b"Transfer-Encoding: chunked\r\n\r\n 5\r\nabcde\r\n0\r\n\r\n",
    "chunks with line feeds alone": b"Transfer-Encoding: chunked\r\n\r\n5\nabcde\n0\n\n",
    "chunks with a trailer": b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nContent-Length: 9\r\n\r\n",
    "capitals": b"transfer-ENCODING: CHUNKED\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a coding in quotes": b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "the coding twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an underscore": b"Content_Length: 5\r\nTransfer_Encoding: chunked\r\n\r\nabcde",
    "a length that the connection field names": b"Connection: Content-Length\r\nContent-Length: 5\r\n\r\nabcde",
    "an upgrade": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
}


@pytest.fixture(params=PACKAGES)
def run_proxy(request: pytest.FixtureRequest, tmp_path: Path) -> RunProxy:
    """Return what runs one of the proxies."""
    return lambda way: proxying(request.param, way, tmp_path / "proxy")


def receipts(server: Server) -> list[tuple[str, str]]:
    """Return call UUID and request ID of every receipt."""
    instance = Path(server.settings["INSTANCE_DIR"])
    sql = "SELECT call_uuid, request_id FROM receipts JOIN calls USING (call_key)"
    return [(row[0], row[1]) for row in rows(f"sqlite:///{instance / 'dialstatus.db'}", instance / "scratch", sql)]


def send_raw(port: int, raw: bytes) -> None:
    """Send bytes as they are, and read until the connection is closed or nothing more comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection, suppress(OSError):
        connection.sendall(raw)
        while connection.recv(65536):
            pass


def test_no_shape_smuggles_a_request_past_a_proxy(start_server: Start, run_proxy: RunProxy) -> None:
    server = start_server(VERIFY_SIGNATURES="off", WORKERS=1)
    seen = {}
    with run_proxy(Way(upstream=server.port, mark=MARK)) as port:
        client = Client(port)
        for number, (what, rest) in enumerate(SHAPES.items()):
            hidden = f"GET /dialstatus/hangup/?Event=Hangup&CallUUID=hidden-{number} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            seen[f"hidden-{number}"] = what
            send_raw(port, HEAD + FORM + rest + f"{hidden}X-Request-ID: smuggled\r\nConnection: close\r\n\r\n".encode())
            for _ in range(3):
                assert client.send("GET", "/healthz") == server.request("GET", "/healthz"), what

    # Every request of which the proxy knew carries its mark.
    heard = {seen[call_uuid]: name for call_uuid, name in receipts(server) if call_uuid in seen}
    assert {what: name for what, name in heard.items() if not name.startswith(MARK)} == {}
    assert "a well-formed request" in heard
    assert [line for line in server.lines if "Traceback" in line] == []


def test_replies_stay_with_their_requests_on_connections_that_are_used_again(
    start_server: Start, run_proxy: RunProxy
) -> None:
    server = start_server(PUBLIC_URL=PUBLIC, WORKERS=2)
    sent: dict[str, str] = {}
    mixed_up: list[object] = []

    def call(client: Client) -> None:
        with closing(client.connect()) as connection:
            for _ in range(ROUNDS):
                call_uuid, name = new_uuid(), f"request-{new_uuid()}"
                fields = inbound(call_uuid)
                headers = {**signature(f"{PUBLIC}/dialstatus/", fields), "X-Request-ID": name}
                reply, got = client.send_on(connection, "POST", "/dialstatus/", urlencode(fields), headers)
                headers = {"Authorization": f"Bearer {REPORTS_TOKEN}", "X-Request-ID": f"{name}-b"}
                found, got_then = client.send_on(connection, "GET", f"/api/v1/calls/{call_uuid}", None, headers)
                if (reply.status, got, got_then) != (200, name, f"{name}-b") or call_uuid not in found.body:
                    mixed_up.append((call_uuid, name, reply, got, found, got_then))
                sent[call_uuid] = name

    with run_proxy(Way(upstream=server.port)) as port:
        threads = [threading.Thread(target=call, args=(Client(port),)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        opened = [each for each in psutil.net_connections("tcp") if each.raddr and each.raddr.port == server.port]

    assert mixed_up == []
    assert dict(receipts(server)) == sent
    assert len(sent) == CLIENTS * ROUNDS
    assert len(opened) < len(sent) / 4, "the proxy opened a connection for each request"


@pytest.mark.parametrize("passes_host", [True, False], ids=["host passed", "host replaced"])
@pytest.mark.parametrize("strips", [True, False], ids=["path removed", "path kept"])
def test_signatures_hold_below_a_path(
    start_server: Start, run_proxy: RunProxy, *, strips: bool, passes_host: bool
) -> None:
    public = f"{PUBLIC}/voice"
    server = start_server(PUBLIC_URL=public, WORKERS=1)
    call_uuid = new_uuid()
    with run_proxy(Way(upstream=server.port, prefix="/voice", strips=strips, passes_host=passes_host)) as port:
        client = Client(port)
        answer = client.plivo("/voice/dialstatus/", inbound(call_uuid))
        action = answer.attribute("action")
        ended = client.plivo(action.removeprefix(PUBLIC).partition("#")[0], dial_report(call_uuid, "busy"))
        elsewhere = client.plivo("/voice/dialstatus/", inbound(new_uuid()), signed_for=f"{PUBLIC}/other/dialstatus/")
        login = client.send("GET", "/voice/login")

    assert action.startswith(f"{public}/dialstatus/action/")
    assert [answer.status, ended.status, elsewhere.status, login.status] == [200, 200, 403, 200]
    assert 'href="/voice/' in login.body
    assert server.api(f"/calls/{call_uuid}").json()["dials"][-1]["outcome"] == "busy"


@pytest.mark.parametrize("passes_host", [True, False], ids=["host passed", "host replaced"])
def test_signatures_hold_with_a_public_url(start_server: Start, run_proxy: RunProxy, *, passes_host: bool) -> None:
    server = start_server(PUBLIC_URL=PUBLIC, WORKERS=1)
    with run_proxy(Way(upstream=server.port, passes_host=passes_host)) as port:
        reply = Client(port).plivo("/dialstatus/?a=%41&b=c%20d+e&c=", inbound(new_uuid()))

    assert reply.status == 200
    assert reply.attribute("action").startswith(f"{PUBLIC}/dialstatus/action/")


def test_signatures_hold_without_a_public_url_behind_one_trusted_proxy(
    start_server: Start, run_proxy: RunProxy
) -> None:
    server = start_server(TRUSTED_PROXIES=1, WORKERS=1)
    with run_proxy(Way(upstream=server.port)) as port:
        reply = Client(port).plivo("/dialstatus/", inbound(new_uuid()))

    assert reply.status == 200
    assert reply.attribute("action").startswith(f"{PUBLIC}/dialstatus/action/")


def test_a_host_that_is_not_ours_is_refused_without_a_public_url_or_a_trusted_proxy(
    start_server: Start, run_proxy: RunProxy
) -> None:
    server = start_server(WORKERS=1)
    with run_proxy(Way(upstream=server.port)) as port:
        reply = Client(port).plivo("/dialstatus/", inbound(new_uuid()))

    assert reply.status == 403
    [refusal] = until(lambda: server.events("signature_refused"))
    assert "PUBLIC_URL" in refusal["reason"]


def test_an_absolute_target_is_verified_or_refused(start_server: Start, run_proxy: RunProxy) -> None:
    server = start_server(PUBLIC_URL=PUBLIC, WORKERS=1)
    fields = inbound(new_uuid())
    with run_proxy(Way(upstream=server.port)) as port:
        client = Client(port)
        own, foreign = (
            client.send("POST", url, urlencode(fields), signature(url, fields))
            for url in (f"{PUBLIC}/dialstatus/", "http://elsewhere/dialstatus/")
        )

    assert own.status in {200, 400}
    assert foreign.status in {400, 403, 404}
