"""Stopping and restarting a real server while Plivo talks to it."""

import os
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import DEADLINE, Server, children, until

Start = Callable[..., Server]
PLAN = '[routes.main.steps.desk]\nring = ["+14155550123"]\n'


class Caller(threading.Thread):
    """Reports one dial after the other until told to stop, and remembers what became of each."""

    def __init__(self, server: Server, *, keeps_connection: bool = False) -> None:
        super().__init__()
        self._server = server
        self._keeps_connection = keeps_connection
        self._done = threading.Event()
        self.kept: list[str] = []
        self.failed: list[str] = []

    def run(self) -> None:
        """Report."""
        connection = self._server.connect() if self._keeps_connection else None
        while not self._done.is_set():
            call_uuid = new_uuid()
            try:
                reply = self._server.plivo(
                    "POST", "/dialstatus/action/", dial_report(call_uuid, "busy"), connection=connection
                )
            except (OSError, HTTPException) as error:
                self.failed.append(repr(error))
                if connection:
                    connection.close()
            else:
                if reply.status == 200:
                    self.kept.append(call_uuid)
                else:
                    self.failed.append(str(reply))
        if connection:
            connection.close()

    def finish(self) -> None:
        """Stop reporting."""
        self._done.set()
        self.join(DEADLINE)


@contextmanager
def load(server: Server, *, callers: int = 4, keeps_connection: bool = False) -> Iterator[list[Caller]]:
    """Have several callers report at once; when this ends they have finished."""
    working = [Caller(server, keeps_connection=keeps_connection) for _ in range(callers)]
    for caller in working:
        caller.start()
    try:
        until(lambda: all(len(caller.kept) > 2 for caller in working))
        yield working
    finally:
        for caller in working:
            caller.finish()


def reload(server: Server) -> None:
    """Ask for new workers and wait until the old ones are gone."""
    assert server.process
    before = server.workers()
    os.kill(server.process.pid, signal.SIGHUP)
    until(lambda: len(server.workers() - before) == len(before))
    until(lambda: not before & server.workers())


def assert_kept(callers: list[Caller], server: Server, instance: Path) -> None:
    """See that everything answered is in the store after a restart, which brings in what was only spooled."""
    answered = {call_uuid for caller in callers for call_uuid in caller.kept}
    server.start()
    until(lambda: answered <= kept_calls(instance))
    assert not server.events("receipt_lost")


def kept_calls(instance: Path) -> set[str]:
    """Return every call in the store."""
    connection = sqlite3.connect(instance / "dialstatus.db")
    found = {row[0] for row in connection.execute("SELECT call_uuid FROM calls JOIN dials USING (call_key)")}
    connection.close()
    return found


def test_a_request_in_work_is_finished_before_the_server_ends(start_server: Start, tmp_path: Path) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=1, VERIFY_SIGNATURES="off")
    call_uuid = new_uuid()
    body = urlencode(dial_report(call_uuid, "busy")).encode()
    head = (
        "POST /dialstatus/action/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as plivo:
        plivo.sendall(head.encode())
        assert plivo.recv(1000).startswith(b"HTTP/1.1 100")  # It has begun to work on the request.
        assert server.process
        server.process.terminate()
        until(lambda: server.events("Handling signal: term"))
        plivo.sendall(body)
        with plivo.makefile("rb") as rest:
            reply = rest.read()
    assert reply.startswith(b"HTTP/1.1 200")
    assert b"<Response>" in reply
    assert server.stop() == 0
    assert kept_calls(tmp_path) == {call_uuid}


def test_the_last_answer_before_the_server_ends_is_logged(start_server: Start, tmp_path: Path) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=1, VERIFY_SIGNATURES="off")
    for _ in range(5):
        calls = [new_uuid(), new_uuid()]
        if is_answered_while_it_ends(server, *map(webhook, calls)):
            break
        server.start()  # It had two seconds for what was on its way, and this machine took longer.
    else:
        pytest.fail("the server ended before the rest of the request had come, each time")
    assert [line["call_uuid"] for line in server.events("dial_ended")][-2:] == calls


def webhook(call_uuid: str) -> bytes:
    """Write a report, unsigned."""
    body = urlencode(dial_report(call_uuid, "busy"))
    head = "POST /dialstatus/action/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def is_answered_while_it_ends(server: Server, first: bytes, second: bytes) -> bool:
    """Report twice on one connection, the second time in two parts around the order to stop."""
    told = len(server.events("Handling signal: term"))
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as plivo:
        plivo.sendall(first)
        assert plivo.recv(4096).startswith(b"HTTP/1.1 200")
        plivo.sendall(second[:-10])
        assert server.process
        server.process.terminate()
        until(lambda: len(server.events("Handling signal: term")) > told)
        try:
            plivo.sendall(second[-10:])
            with plivo.makefile("rb") as rest:
                answer = rest.read()
        except OSError:
            answer = b""
    assert server.stop() == 0
    return answer.startswith(b"HTTP/1.1 200")


def test_a_stop_under_load_loses_nothing_that_was_answered(start_server: Start, tmp_path: Path) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=2)
    with load(server) as callers:
        assert server.stop() == 0
    assert_kept(callers, server, tmp_path)


def test_a_request_that_never_ends_does_not_hold_up_the_stop(start_server: Start) -> None:
    server = start_server(WORKERS=1)
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as stuck:
        stuck.sendall(
            b"POST /dialstatus/ring/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 50\r\n\r\n"
        )
        assert stuck.recv(1000).startswith(b"HTTP/1.1 100")
        assert server.stop() == 0


@pytest.mark.parametrize("keeps_connection", [False, True])
def test_workers_are_replaced_without_one_failed_request(
    start_server: Start, tmp_path: Path, *, keeps_connection: bool
) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=2)
    with load(server, keeps_connection=keeps_connection) as callers:
        for _ in range(3):
            reload(server)
    assert [failure for caller in callers for failure in caller.failed] == []
    server.stop()
    assert_kept(callers, server, tmp_path)


def test_a_reload_with_settings_that_are_refused_changes_nothing(start_server: Start, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=1, DIAL_PLAN=plan)
    plan.write_text("this is no plan")
    with load(server) as callers:
        reload(server)
    until(lambda: server.events("settings_refused"))
    assert [failure for caller in callers for failure in caller.failed] == []
    assert "+14155550123" in server.plivo("POST", "/dialstatus/", inbound(new_uuid())).body


def test_a_reload_reads_the_settings_anew(start_server: Start, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=1, DIAL_PLAN=plan)
    plan.write_text(PLAN.replace("0123", "0124"))
    assert "+14155550123" in server.plivo("POST", "/dialstatus/", inbound(new_uuid())).body
    reload(server)
    assert "+14155550124" in server.plivo("POST", "/dialstatus/", inbound(new_uuid())).body


def test_new_code_takes_over_without_one_failed_request(start_server: Start, tmp_path: Path) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=2)
    assert server.process
    old = server.process.pid
    with load(server) as callers:
        before = server.workers()
        os.kill(old, signal.SIGUSR2)
        (new,) = until(lambda: server.workers() - before)
        until(lambda: len(children(new)) == 2)
        os.kill(old, signal.SIGTERM)
        server.process.wait(DEADLINE)
        already = sum(len(caller.kept) for caller in callers)
        until(lambda: sum(len(caller.kept) for caller in callers) > already + 10)
    os.kill(new, signal.SIGTERM)
    assert server.reader
    server.reader.join(DEADLINE)  # Nobody holds the server's output any more.
    assert not server.reader.is_alive()
    assert [failure for caller in callers for failure in caller.failed] == []
    assert_kept(callers, server, tmp_path)


def test_a_worker_that_is_killed_is_replaced_and_nothing_answered_is_lost(start_server: Start, tmp_path: Path) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=2)
    with load(server) as callers:
        for _ in range(3):
            before = server.workers()
            os.kill(next(iter(before)), signal.SIGKILL)
            until(lambda before=before: len(server.workers()) == 2 and server.workers() != before)
    server.stop()
    assert_kept(callers, server, tmp_path)
