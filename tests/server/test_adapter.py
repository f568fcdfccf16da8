"""The adapter alone, on a loop of the test's own: a reply goes out only after its receipt is on disk."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask

from app import create_app
from app.context import EXTENSION, Services
from app.records.model.receipt import StoreUnavailable
from app.records.store import migrate
from app.records.writing.entry import Entry
from app.server.adapter import Adapter
from config import Config
from tests.server.calls import dial_report, new_uuid
from tests.server.test_wire import calls_of

TRANSPORT = SimpleNamespace(is_closing=lambda: False)
Messages = list[dict[str, Any]]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """Make an application on an empty database."""
    app = create_app(Config.load({"INSTANCE_DIR": str(tmp_path), "VERIFY_SIGNATURES": "off", "STORE_TIMEOUT": "0.5"}))
    services: Services = app.extensions[EXTENSION]
    migrate.upgrade(services.store)
    yield app
    services.drainer.stop()
    services.journal.close()
    services.spool.close()
    services.meter.stop()


def ask(adapter: Adapter, call_uuid: str, sent: Messages) -> Awaitable[None]:
    """Report a dial; what the adapter sends is added to `sent`."""
    body = urlencode(dial_report(call_uuid, "busy")).encode()
    headers = [
        (b"host", b"x"),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-length", str(len(body)).encode()),
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "http_version": "1.1",
        "path": "/dialstatus/action/",
        "raw_path": b"/dialstatus/action/",
        "query_string": b"",
        "headers": headers,
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 40000),
        "state": {"connection": SimpleNamespace(closes_next=False, answered=lambda: None, transport=TRANSPORT)},
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    return adapter(scope, receive, send)


def run(app: Flask, work: Callable[[Adapter], Awaitable[None]]) -> None:
    """Run a piece of work beside an adapter, on a thread of its own: a browser's loop may run in this one."""

    async def main() -> None:
        await work(Adapter(app))

    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(main())).result()


def test_the_receipts_of_one_turn_are_stored_before_any_of_their_replies(app: Flask, tmp_path: Path) -> None:
    calls = [new_uuid() for _ in range(20)]
    sent: Messages = []

    async def work(adapter: Adapter) -> None:
        await asyncio.gather(*(ask(adapter, call_uuid, sent) for call_uuid in calls))

    run(app, work)

    assert [message["status"] for message in sent if message["type"] == "http.response.start"] == [200] * 20
    assert calls_of(tmp_path) == set(calls)


def test_a_request_that_is_cancelled_while_it_waits_for_the_store_is_not_answered(app: Flask, tmp_path: Path) -> None:
    sent: Messages = []

    async def work(adapter: Adapter) -> None:
        asked = asyncio.ensure_future(ask(adapter, new_uuid(), sent))
        await asyncio.sleep(0.1)
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked

    with closing(sqlite3.connect(tmp_path / "dialstatus.db", isolation_level=None)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        run(app, work)
        locking.execute("ROLLBACK")

    assert sent == []


def test_a_loop_that_ends_before_the_store_answers_leaves_the_journal_at_work(app: Flask, tmp_path: Path) -> None:
    async def work(adapter: Adapter) -> None:
        asked = asyncio.ensure_future(ask(adapter, new_uuid(), []))
        await asyncio.sleep(0.1)
        asked.cancel()

    with closing(sqlite3.connect(tmp_path / "dialstatus.db", isolation_level=None)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        run(app, work)
        locking.execute("ROLLBACK")
    following = new_uuid()
    run(app, lambda adapter: ask(adapter, following, []))

    assert following in calls_of(tmp_path)


def test_a_report_after_the_journal_was_closed_is_stored_all_the_same(app: Flask, tmp_path: Path) -> None:
    call_uuid = new_uuid()
    sent: Messages = []
    app.extensions[EXTENSION].journal.close()

    run(app, lambda adapter: ask(adapter, call_uuid, sent))

    assert sent[0]["status"] == 200
    assert calls_of(tmp_path) == {call_uuid}


def test_while_the_store_is_away_a_report_is_answered_once_it_is_spooled(app: Flask, tmp_path: Path) -> None:
    sent: Messages = []
    with closing(sqlite3.connect(tmp_path / "dialstatus.db", isolation_level=None)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        run(app, lambda adapter: ask(adapter, new_uuid(), sent))
        assert app.extensions[EXTENSION].spool.size() == 1
        locking.execute("ROLLBACK")

    assert sent[0]["status"] == 200


def test_an_entry_that_the_journal_is_not_done_with_is_not_stored() -> None:
    entry = Entry(("a receipt",))  # type: ignore[arg-type]  # The entry does not look into it.

    with pytest.raises(StoreUnavailable):
        entry.result()
    assert not entry.is_stored
