"""Webhooks on the worker's loop: one connection after another, whatever the clients do with theirs."""

import json
import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.ops.collector import total
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import DEADLINE, REPORTS_TOKEN, Server, until

Start = Callable[..., Server]


def webhook(path: str, fields: dict[str, str], *more: str) -> bytes:
    """Write a webhook as Plivo sends it, unsigned."""
    body = urlencode(fields)
    head = (f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/x-www-form-urlencoded", *more)
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", body]).encode()


def report(call_uuid: str, *more: str) -> bytes:
    """Write a report on a dial."""
    return webhook("/dialstatus/action/", dial_report(call_uuid, "busy"), *more)


def connect(server: Server) -> socket.socket:
    """Open a connection."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)


def read_answer(client: socket.socket) -> tuple[bytes, bytes]:
    """Read one answer: its head and its body."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += (more := client.recv(4096))
        assert more, f"the connection ended after {got!r}"
    head, _, body = got.partition(b"\r\n\r\n")
    [length] = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < length:
        body += client.recv(65536)
    return head, body


def calls_of(instance: Path) -> set[str]:
    """Return the calls in the store."""
    with closing(sqlite3.connect(instance / "dialstatus.db")) as connection:
        return {row[0] for row in connection.execute("SELECT call_uuid FROM calls")}


@pytest.fixture
def server(start_server: Start, tmp_path: Path) -> Server:
    """Start a server of one worker that checks no signatures."""
    return start_server(INSTANCE_DIR=tmp_path, WORKERS=1, THREADS=2, VERIFY_SIGNATURES="off")


def test_webhooks_and_reports_take_turns_on_one_connection(server: Server, tmp_path: Path) -> None:
    asked = (
        f"GET /api/v1/dials HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {REPORTS_TOKEN}\r\n\r\n".encode(),
        b"HEAD /dialstatus/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /dialstatus/nothing/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /dialstatus/fallback HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"DELETE /dialstatus/ring/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    )
    calls = [new_uuid() for _ in asked]
    statuses = []
    with connect(server) as client:
        for call_uuid, other in zip(calls, asked, strict=True):
            client.sendall(report(call_uuid))
            statuses.append(read_answer(client)[0].split()[1])
            client.sendall(other)
            if other.startswith(b"HEAD"):
                assert client.recv(4096).endswith(b"\r\n\r\n")
            else:
                statuses.append(read_answer(client)[0].split()[1])

    assert statuses == [b"200", b"200", b"200", b"200", b"404", b"200", b"200", b"200", b"405"]
    assert calls_of(tmp_path) == set(calls)


@pytest.mark.parametrize("unusual", ["X-Twice: 1\r\nX-Twice: 2", "Connection: close", "X-Plain: yes"])
def test_a_connection_is_closed_after_its_reply_only_on_request(server: Server, unusual: str) -> None:
    with connect(server) as client:
        client.sendall(report(new_uuid(), unusual))
        head, body = read_answer(client)
        ends = b"connection: close" in head.lower()
        if ends:
            assert client.recv(100) == b""
        else:
            client.sendall(report(new_uuid()))
            assert read_answer(client)[1] == body

    assert head.startswith(b"HTTP/1.1 200 OK")
    assert ends == unusual.endswith("close")


def test_a_second_request_before_the_first_answer_harms_nobody(server: Server, tmp_path: Path) -> None:
    first, second, other = new_uuid(), new_uuid(), new_uuid()
    with connect(server) as hasty, connect(server) as patient:
        hasty.sendall(report(first) + report(second))
        assert read_answer(hasty)[0].startswith(b"HTTP/1.1 200")
        patient.sendall(report(other))
        assert read_answer(patient)[0].startswith(b"HTTP/1.1 200")

    assert {first, other} <= calls_of(tmp_path) <= {first, second, other}


def test_what_a_client_reported_before_it_hung_up_is_kept(server: Server, tmp_path: Path) -> None:
    gone, other = new_uuid(), new_uuid()
    with closing(sqlite3.connect(tmp_path / "dialstatus.db", isolation_level=None)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        with connect(server) as client, connect(server) as patient:
            client.sendall(report(gone) + b"x")  # And the beginning of something more.
            client.close()
            patient.sendall(report(other))
            locking.execute("ROLLBACK")
            assert read_answer(patient)[0].startswith(b"HTTP/1.1 200")

    until(lambda: calls_of(tmp_path) == {gone, other})


def test_a_client_that_takes_its_answer_slowly_keeps_nobody_waiting(start_server: Start, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    ring = ", ".join(f'"+1415555{number:04}"' for number in range(100, 3100))
    plan.write_text(f"[routes.main.steps.all]\nring = [{ring}]\n")
    server = start_server(WORKERS=1, VERIFY_SIGNATURES="off", DIAL_PLAN=plan)
    with connect(server) as quick:
        quick.sendall(webhook("/dialstatus/", inbound(new_uuid())))
        whole = read_answer(quick)[1]
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            slow.settimeout(DEADLINE)
            slow.connect(("127.0.0.1", server.port))
            for _ in range(30):
                slow.sendall(webhook("/dialstatus/", inbound(new_uuid())))
                quick.sendall(webhook("/dialstatus/", inbound(new_uuid())))
                assert len(read_answer(quick)[1]) == len(whole)
                assert len(read_answer(slow)[1]) == len(whole)

    assert len(whole) > 80_000


def test_many_at_once_are_all_answered(server: Server, tmp_path: Path) -> None:
    calls = [[new_uuid() for _ in range(20)] for _ in range(40)]
    ready = threading.Barrier(len(calls))
    refused: list[bytes] = []

    def talk(mine: list[str]) -> None:
        with connect(server) as client:
            ready.wait(DEADLINE)
            for call_uuid in mine:
                client.sendall(report(call_uuid))
                head, _ = read_answer(client)
                if not head.startswith(b"HTTP/1.1 200"):
                    refused.append(head)

    threads = [threading.Thread(target=talk, args=(mine,)) for mine in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)

    assert refused == []
    assert calls_of(tmp_path) == {call_uuid for mine in calls for call_uuid in mine}


def reported_at_once(server: Server, count: int) -> set[str]:
    """Report so many dials at the same time, and return the calls once all are answered."""
    calls = [new_uuid() for _ in range(count)]
    clients = [connect(server) for _ in calls]
    for client, call_uuid in zip(clients, calls, strict=True):
        client.sendall(report(call_uuid))
    for client in clients:
        assert read_answer(client)[0].startswith(b"HTTP/1.1 200")
        client.close()
    return set(calls)


def test_a_server_that_is_stopped_has_logged_and_counted_every_answer(server: Server, tmp_path: Path) -> None:
    calls = reported_at_once(server, 40)

    assert server.stop() == 0

    assert sorted(line["call_uuid"] for line in server.events("dial_ended")) == sorted(calls)
    [counted] = (tmp_path / "metrics").glob("*.json")
    [answered] = [value for key, value in json.loads(counted.read_text()) if key[:2] == ["receipts_total", "action"]]
    assert answered == 40


def test_the_counts_hold_every_reply_sent_before_they_are_read(server: Server) -> None:
    for number in range(1, 6):
        reported_at_once(server, 8)

        assert total(server, "dialstatus_receipts_total", kind="action", status="200") == 8 * number
