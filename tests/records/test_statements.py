"""What a transaction costs: how many statements and commits, however many receipts are in it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.records.model.ids import now
from app.records.model.receipt import Receipt
from app.records.store import migrate
from app.records.store.store import Store, Writer
from app.records.writing.batch import Batch
from tests.records.reading import rows
from tests.records.scenarios import ALICE, Call


@pytest.fixture
def store(sqlite_url: str, open_store: Callable[..., Store]) -> Store:
    """Return an empty store: SQLite tells which statements it runs."""
    store = open_store(sqlite_url)
    migrate.upgrade(store)
    return store


@contextmanager
def connected(store: Store) -> Iterator[Writer]:
    """Open a writer and let go of it."""
    writer = store.connect_writer(in_turn=True)
    yield writer
    writer.close()


def statements(store: Store, receipts: list[Receipt]) -> list[str]:
    """Write a batch as the journal does; give the first words of every statement that ran."""
    ran: list[str] = []
    with connected(store) as writer:
        writer.cursor.connection.set_trace_callback(ran.append)  # type: ignore[attr-defined]
        writer.begin([])
        batch = Batch(writer.cursor, store.statements)
        batch.look_up(receipts)
        batch.add(receipts)
        batch.finish()
        writer.commit()
    return [name_of(statement) for statement in ran]


def name_of(statement: str) -> str:
    """Shorten a statement to what it does and to which table."""
    found = re.match(r"(SELECT).*? FROM (\w+)|(INSERT) INTO (\w+)|(UPDATE) (\w+)|(\w+)", statement)
    assert found
    return " ".join(word for word in found.groups() if word)


def lately_answered() -> list[Receipt]:
    """Return a call whose hour is not over, so that nothing of it is counted yet."""
    call = Call(at=now()).answer(ALICE).leg("answer", "alice", ALICE).leg("connected", "alice", ALICE)
    call.leg_ends("alice", ALICE, 4000, "NORMAL_CLEARING", seconds=11)
    return call.action("completed", "NORMAL_CLEARING", rang=True, name="alice").hangup(4000, "Callee").receipts


READS = ["SELECT calls", "SELECT dials"]


@pytest.mark.parametrize("number", [1, 8, 64])
def test_first_reports_of_many_calls_read_twice_and_write_each_row_once(store: Store, number: int) -> None:
    calls = [Call(at=now()).action("busy", "USER_BUSY", rang=True) for _ in range(number)]

    ran = statements(store, [call.receipts[0] for call in calls])

    assert ran == [
        "BEGIN",
        *READS,
        *["INSERT receipts"] * number,
        *["INSERT calls"] * number,
        *["INSERT dials"] * number,
        "COMMIT",
    ]


def test_all_receipts_of_one_call_change_each_row_once(store: Store) -> None:
    receipts = lately_answered()
    statements(store, receipts[:1])

    ran = statements(store, receipts[1:])

    assert ran == [
        "BEGIN",
        "SELECT calls",
        "SELECT dials",
        "SELECT legs",
        *["SELECT receipts"] * 5,
        *["INSERT receipts"] * 5,
        "UPDATE calls",
        "UPDATE dials",
        "INSERT legs",
        "SELECT followups",
        "COMMIT",
    ]


def test_copies_change_nothing_but_their_count(store: Store) -> None:
    receipts = lately_answered()
    statements(store, receipts)

    ran = statements(store, receipts * 2)

    assert ran == [
        "BEGIN",
        "SELECT calls",
        "SELECT dials",
        "SELECT legs",
        *["SELECT receipts"] * 6,
        *["UPDATE receipts"] * 6,
        "COMMIT",
    ]


def test_every_lookup_walks_an_index(store: Store) -> None:
    sql = store.statements
    statements(store, Call().answer(ALICE).receipts)

    for query in (sql.calls_by_uuid, sql.dials_of_calls, sql.legs_of_calls, sql.calls_of_dials, sql.known_receipt):
        plan = " ".join(row[3] for row in rows(store, "EXPLAIN QUERY PLAN " + query.replace("?", "'[1]'")))
        assert re.search(r"SEARCH (calls|dials|legs|receipts) USING", plan), plan
