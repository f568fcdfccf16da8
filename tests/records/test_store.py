"""Connections as they must be: durable, bounded, and to whichever server takes writes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from app.records.maintenance.backup import backup
from app.records.store import migrate
from app.records.store.readiness import prove_write
from app.records.store.store import Store
from app.records.writing.journal import Journal
from config import Config
from tests.records.reading import scalar
from tests.records.scenarios import Call
from tests.records.test_journal import busy_report
from tests.records.test_store_away import is_kept
from tests.support.postgresql import Postgresql
from tests.support.server import free_port, until

LOCKS = (
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
    "WHERE locktype = 'advisory' AND datname = current_database()"
)


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 800)]
)
def test_every_sqlite_connection_is_durable_and_checks_its_references(
    open_store: Callable[..., Store], sqlite_url: str, pragma: str, value: object
) -> None:
    store = open_store(sqlite_url, timeout=0.8)
    Path(str(store.url.database)).touch()
    writer = store.connect_writer()
    writer.cursor.execute(f"PRAGMA {pragma}")
    of_the_writer = writer.cursor.fetchone()
    writer.close()

    assert of_the_writer == (value,)
    assert scalar(store, f"PRAGMA {pragma}") == value


def test_a_postgresql_transaction_is_bounded_and_leaves_no_setting_behind(
    open_store: Callable[..., Store], postgresql_url: str
) -> None:
    writer = open_store(postgresql_url, timeout=0.8).connect_writer()
    writer.begin(["a-call"])
    found = {name: shown(writer, name) for name in ("lock_timeout", "statement_timeout")}
    idle = shown(writer, "idle_in_transaction_session_timeout")
    writer.cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
    locks = writer.cursor.fetchone()
    writer.rollback()
    after = shown(writer, "statement_timeout")
    writer.close()

    assert found == {"lock_timeout": "800ms", "statement_timeout": "800ms"}
    assert (idle, locks, after) == ("5s", (1,), "0")


def test_locks_of_several_calls_are_always_taken_in_one_order(
    open_store: Callable[..., Store], postgresql_url: str
) -> None:
    store, calls = open_store(postgresql_url, timeout=0.5), ["a-call", "b-call", "c-call"]
    taken_before = []
    for held in calls:
        holder, waiter = store.connect_writer(), store.connect_writer()
        holder.begin([held])
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(waiter.begin, calls)
            until(lambda: scalar(store, f"{LOCKS} AND NOT granted") == 1)
            taken_before.append(scalar(store, f"{LOCKS} AND granted") - 1)
            with pytest.raises(psycopg.OperationalError):
                waiting.result()
        for writer in (holder, waiter):
            writer.close()
        until(lambda: scalar(store, LOCKS) == 0)

    assert sorted(taken_before) == [0, 1, 2]


def test_tables_that_were_empty_when_postgresql_made_its_plans_are_not_read_whole(
    open_store: Callable[..., Store], postgresql_url: str
) -> None:
    store = open_store(postgresql_url, timeout=5)
    migrate.upgrade(store)
    journal = Journal(store)

    for _ in range(20):  # A plan is kept from the fifth time on.
        journal.append_all([Call().action("busy", "USER_BUSY", rang=True).receipts[0] for _ in range(16)])
    journal.close()

    read = "SELECT sum({}) FROM pg_stat_user_tables WHERE relname IN ('calls', 'dials', 'legs', 'receipts')"
    until(lambda: scalar(store, read.format("n_tup_ins")) >= 3 * 20 * 16)  # More where a key was taken.
    assert scalar(store, read.format("seq_tup_read")) == 0


def shown(writer: object, name: str) -> object:
    cursor = writer.cursor  # type: ignore[attr-defined]
    cursor.execute(f"SHOW {name}")
    return cursor.fetchone()[0]


@pytest.fixture
def pair(postgresql: str) -> Iterator[tuple[Postgresql, Postgresql]]:
    """Run a primary and a standby that follows it."""
    assert postgresql  # The user that runs them exists.
    primary = Postgresql().make().start()
    standby = Postgresql().copy(primary).start()
    yield primary, standby
    standby.remove()
    primary.remove()


def load_url(ports: list[int], scratch: Path) -> str:
    """Return the store's URL as the settings make it of what a person writes."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    written = f"postgres://postgres@{hosts}/postgres?target_session_attrs=read-write"
    return Config.load({"DATABASE_URL": written, "INSTANCE_DIR": str(scratch)}).database_url


def test_of_several_hosts_the_one_that_takes_writes_is_found_also_after_a_failover(
    pair: tuple[Postgresql, Postgresql],
    open_store: Callable[..., Store],
    open_journal: Callable[[Store], Journal],
    tmp_path: Path,
) -> None:
    primary, standby = pair
    store = open_store(load_url([free_port(), standby.port, primary.port], tmp_path), timeout=2)
    migrate.upgrade(store)
    journal = open_journal(store)
    until(lambda: is_kept(journal, 1))
    reader = open_store(standby.url)
    until(lambda: scalar(reader, "SELECT count(*) FROM pg_tables WHERE tablename = 'receipts'") == 1)
    until(lambda: scalar(reader, "SELECT count(*) FROM receipts") == 1)

    primary.stop()
    standby.promote()

    until(lambda: is_kept(journal, 2))
    journal.append(busy_report(3))
    assert scalar(store, "SELECT count(*) FROM receipts") == 3


def test_a_primary_that_falls_silent_is_left_for_the_one_that_took_its_place(
    pair: tuple[Postgresql, Postgresql],
    open_store: Callable[..., Store],
    open_journal: Callable[[Store], Journal],
    tmp_path: Path,
) -> None:
    primary, standby = pair
    store = open_store(load_url([primary.port, standby.port], tmp_path), timeout=2)
    migrate.upgrade(store)
    reader = open_store(standby.url)
    until(lambda: scalar(reader, "SELECT count(*) FROM pg_tables WHERE tablename = 'receipts'") == 1)
    journal = open_journal(store)
    until(lambda: is_kept(journal, 1))

    primary.pause()
    standby.promote()

    until(lambda: is_kept(journal, 2))
    assert scalar(reader, "SELECT count(*) FROM receipts WHERE params LIKE '%call-2%'") == 1


@pytest.mark.parametrize("name", ["what?", "no#1", "100%", "a%20b", "a b", "ü"])
def test_a_directory_may_have_any_name(open_store: Callable[..., Store], tmp_path: Path, name: str) -> None:
    config = Config.load({"INSTANCE_DIR": str(tmp_path / name)})
    store = open_store(config.database_url)
    migrate.upgrade(store)
    prove_write(store)

    backup(store, tmp_path / f"{name}.copy", lambda *_: None)

    assert {path.name for path in (tmp_path / name).iterdir()} >= {"dialstatus.db", ".dialstatus.db.locks"}
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name}.copy"}
