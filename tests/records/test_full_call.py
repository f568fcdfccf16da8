"""Calls with more dials, legs and recordings than any real call has."""

import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from app.records.maintenance.check import CheckReport, check
from app.records.model.ids import now
from app.records.model.receipt import Receipt
from app.records.model.state import MOST_OF_A_CALL
from app.records.store import migrate
from app.records.store.statements import Statements
from app.records.store.store import Store
from app.records.writing.batch import Batch
from app.records.writing.journal import Journal
from app.voice.events import Kind
from tests.records.reading import rows, scalar
from tests.records.scenarios import START, Call, receipt


def callback(dial: int, leg: int) -> Receipt:
    """Return a leg's hangup in a dial of one call."""
    params = {"CallUUID": "one-call", "DialAction": "hangup", "DialBLegUUID": f"leg-{leg}", "DialALegUUID": "one-call"}
    return receipt(Kind.CALLBACK, f"dial-{dial}", params, START + leg)


def recording(number: int) -> Receipt:
    """Return a recording of one call."""
    params = {"CallUUID": "one-call", "RecordingID": f"r{number}", "RecordUrl": "https://media.example.com/a.mp3"}
    return receipt(Kind.RECORDING, "dial-0", params, START + number)


def checked(store: Store) -> CheckReport:
    return check(store, zone=UTC, repair=False, step=lambda _: None)


FLOODS: dict[str, tuple[str, Callable[[int], Receipt]]] = {
    "dials": ("dials", lambda number: callback(number, number)),
    "legs": ("legs", lambda number: callback(0, number)),
    "recordings": ("recordings", recording),
}


@pytest.mark.parametrize(("table", "make"), FLOODS.values(), ids=FLOODS)
def test_a_full_call_keeps_receipts_and_nothing_more(
    store: Store, journal: Journal, table: str, make: Callable[[int], Receipt], caplog: pytest.LogCaptureFixture
) -> None:
    total, stored = MOST_OF_A_CALL + 50, []
    with caplog.at_level(logging.WARNING):
        stored = [
            journal.append_all([make(number) for number in range(first, first + 25)]) for first in range(0, total, 25)
        ]

    assert [one.deliveries for batch in stored for one in batch] == [1] * total
    assert scalar(store, "SELECT count(*) FROM receipts") == total
    assert scalar(store, f"SELECT count(*) FROM {table}") == MOST_OF_A_CALL
    assert checked(store).differing == ()


def test_a_full_call_is_logged_once(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    call_uuid = str(uuid.uuid4())
    with caplog.at_level(logging.WARNING):
        for first in range(0, 300, 100):
            journal.append_all([named(call_uuid, number) for number in range(first, first + 100)])

    assert [record.__dict__["call_uuid"] for record in caplog.records if record.message == "call_full"] == [call_uuid]


def named(call_uuid: str, number: int) -> Receipt:
    params = {"CallUUID": call_uuid, "DialAction": "hangup", "DialBLegUUID": f"leg-{number}"}
    return receipt(Kind.CALLBACK, f"{call_uuid}-{number}", params, START + number)


def test_a_full_call_still_ends(store: Store, journal: Journal) -> None:
    journal.append_all([callback(number, number) for number in range(MOST_OF_A_CALL + 5)])

    journal.append(Call(uuid="one-call").hangup(4000, "Caller").receipts[0])

    assert rows(store, "SELECT ended_by, hangup_code FROM calls") == [("webhook", 4000)]


class CountingCursor(sqlite3.Cursor):
    """Counts the rows that are read."""

    rows_read = 0

    def fetchall(self) -> list[Any]:
        found = super().fetchall()
        CountingCursor.rows_read += len(found)
        return found


@pytest.fixture
def connection(open_store: Callable[..., Store], sqlite_url: str) -> Iterator[sqlite3.Connection]:
    """Return a connection to an empty SQLite store."""
    store = open_store(sqlite_url)
    migrate.upgrade(store)
    connection = sqlite3.connect(Path(str(store.url.database)), isolation_level=None)
    yield connection
    connection.close()


def write(connection: sqlite3.Connection, receipts: list[Receipt]) -> int:
    """Write a batch and return how many rows it read."""
    CountingCursor.rows_read = 0
    cursor = connection.cursor(CountingCursor)
    cursor.execute("BEGIN")
    batch = Batch(cursor, Statements("?", lock_rows=False))
    batch.look_up(receipts)
    batch.add(receipts)
    batch.finish()
    cursor.execute("COMMIT")
    return CountingCursor.rows_read


def test_the_rows_that_a_receipt_reads_are_bounded(connection: sqlite3.Connection) -> None:
    for first in range(0, 1000, 100):
        write(connection, [callback(number, number) for number in range(first, first + 100)])

    read = [write(connection, [callback(1000 + number, 1000 + number)]) for number in range(5)]

    assert max(read) <= 2 * MOST_OF_A_CALL + 5


def test_only_calls_that_change_are_noted_for_the_rollups(connection: sqlite3.Connection) -> None:
    old = now() - 3 * 24 * 60 * 60 * 1000
    receipts = [callback(number, number)._replace(received_at=old) for number in range(20)]
    write(connection, receipts)
    before = connection.execute("SELECT count(*) FROM late_changes").fetchone()[0]

    write(connection, [callback(0, 99)])

    assert connection.execute("SELECT count(*) FROM late_changes").fetchone()[0] - before <= 1
