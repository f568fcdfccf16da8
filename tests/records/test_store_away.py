"""The store is stopped, silent, locked or gone: callers learn of it in time, and it is found again by itself."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from app.records.model.receipt import StoreUnavailable
from app.records.store import migrate
from app.records.store.store import Store
from app.records.writing.journal import Journal
from tests.records.reading import scalar
from tests.records.test_journal import busy_report
from tests.support.postgresql import Postgresql
from tests.support.server import until

TIMEOUT = 0.8
# A bound and not a measure: the machine that runs the tests may stand still for a while itself.
SLACK = 4.0


@pytest.fixture
def own_postgresql(postgresql: str) -> Iterator[Postgresql]:
    """Run a PostgreSQL server that a test may mistreat."""
    assert postgresql  # The user that runs it exists.
    server = Postgresql().make().start()
    yield server
    server.remove()


@pytest.fixture
def remote(
    own_postgresql: Postgresql, open_store: Callable[..., Store], open_journal: Callable[[Store], Journal]
) -> Journal:
    """Return a journal that has written to that server."""
    store = open_store(own_postgresql.url, timeout=TIMEOUT)
    migrate.upgrade(store)
    journal = open_journal(store)
    until_kept(journal, 0)
    return journal


def until_kept(journal: Journal, number: int) -> None:
    until(lambda: is_kept(journal, number))


def is_kept(journal: Journal, number: int) -> bool:
    try:
        journal.append(busy_report(number))
    except StoreUnavailable:
        return False
    return True


def seconds_until_refused(journal: Journal, number: int) -> float:
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        journal.append(busy_report(number))
    return time.monotonic() - started


def refused_from_many_threads(journal: Journal) -> float:
    """Report from many threads at once; give the longest wait of all."""
    gate = threading.Barrier(16)

    def report(number: int) -> float:
        gate.wait()
        return max(seconds_until_refused(journal, 100 + 3 * number + turn) for turn in range(3))

    with ThreadPoolExecutor(16) as pool:
        return max(pool.map(report, range(16)))


def test_a_stopped_postgresql_is_told_at_once_and_found_again(remote: Journal, own_postgresql: Postgresql) -> None:
    own_postgresql.stop()

    assert refused_from_many_threads(remote) < TIMEOUT + SLACK
    assert remote.is_away

    own_postgresql.start()
    until_kept(remote, 1)


def test_a_silent_postgresql_holds_nobody_longer_than_the_timeout(remote: Journal, own_postgresql: Postgresql) -> None:
    own_postgresql.pause()

    assert refused_from_many_threads(remote) < TIMEOUT + SLACK
    assert remote.is_away

    own_postgresql.resume()
    until_kept(remote, 1)


def test_a_postgresql_that_is_silent_from_the_start_holds_nobody_either(
    own_postgresql: Postgresql, open_store: Callable[..., Store], open_journal: Callable[[Store], Journal]
) -> None:
    journal = open_journal(open_store(own_postgresql.url, timeout=TIMEOUT))
    own_postgresql.pause()

    assert refused_from_many_threads(journal) < TIMEOUT + SLACK

    own_postgresql.resume()


def test_connections_that_were_cut_are_opened_again(remote: Journal, own_postgresql: Postgresql) -> None:
    own_postgresql.stop()
    own_postgresql.start()

    until_kept(remote, 1)
    until_kept(remote, 2)


def test_a_row_locked_by_somebody_else_holds_nobody_longer_than_the_timeout(
    remote: Journal, own_postgresql: Postgresql, open_store: Callable[..., Store]
) -> None:
    other = open_store(own_postgresql.url)
    with other.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("LOCK TABLE receipts")

        assert refused_from_many_threads(remote) < TIMEOUT + SLACK

        connection.exec_driver_sql("ROLLBACK")
    until_kept(remote, 1)


@pytest.fixture
def local(sqlite_url: str, open_store: Callable[..., Store], open_journal: Callable[[Store], Journal]) -> Journal:
    """Return a journal on a SQLite file."""
    store = open_store(sqlite_url, timeout=TIMEOUT)
    migrate.upgrade(store)
    return open_journal(store)


def test_a_locked_sqlite_holds_nobody_longer_than_the_timeout(local: Journal, sqlite_url: str) -> None:
    until_kept(local, 0)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        assert refused_from_many_threads(local) < TIMEOUT + SLACK
        assert local.is_away

        other.execute("ROLLBACK")
    until_kept(local, 1)


def test_a_store_without_tables_is_away(
    sqlite_url: str, open_store: Callable[..., Store], open_journal: Callable[[Store], Journal]
) -> None:
    store = open_store(sqlite_url, timeout=TIMEOUT)
    journal = open_journal(store)

    assert not is_kept(journal, 0)

    migrate.upgrade(store)
    until_kept(journal, 0)
    assert scalar(store, "SELECT count(*) FROM receipts") == 1


def test_while_the_store_is_away_only_the_journal_tries_it(remote: Journal, own_postgresql: Postgresql) -> None:
    own_postgresql.stop()
    seconds_until_refused(remote, 1)

    waited = [seconds_until_refused(remote, number) for number in range(2, 500)]

    assert sum(waited) < TIMEOUT + SLACK  # Each of them waiting for the timeout would take minutes.


def test_a_store_that_takes_no_receipts_is_not_reported_back(
    store: Store, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.append(busy_report(0))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE receipts RENAME TO receipts_gone")
    for number in range(1, 20):
        assert not is_kept(journal, number)
        time.sleep(0.05)
    assert "store_back" not in caplog.messages

    with store.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE receipts_gone RENAME TO receipts")
    until_kept(journal, 20)
    assert caplog.messages.count("store_back") == 1


def test_a_store_that_keeps_failing_is_reported_back_once(
    store: Store, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    if not store.is_sqlite:
        pytest.skip("the trigger is written for SQLite")
    journal.append(busy_report(0))
    with store.engine.connect() as connection:  # The check's own write succeeds, a batch fails: as on a full disk.
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON receipts BEGIN SELECT json_extract('{', '$'); END"
        )
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        is_kept(journal, 1)
        time.sleep(0.02)
    reported = caplog.messages.count("store_back")
    with store.engine.connect() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")
    until_kept(journal, 1)

    assert reported == 1
    assert caplog.messages.count("store_back") == 2


def test_a_read_only_postgresql_is_not_reported_back(
    own_postgresql: Postgresql, remote: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    set_read_only = "ALTER DATABASE postgres SET default_transaction_read_only = {}"
    with psycopg.connect(own_postgresql.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(set_read_only.format("on"))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        for number in range(1, 20):
            assert not is_kept(remote, number)
            time.sleep(0.05)
        assert "store_back" not in caplog.messages
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(set_read_only.format("off"))
    until_kept(remote, 20)
