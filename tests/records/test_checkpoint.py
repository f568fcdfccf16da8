"""What SQLite's log holds is copied into the file beside the writing."""

import logging
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from app.records import checkpoint, migrate
from app.records.checkpoint import COMMITS, LOG_PAGES, Checkpointer, empty_log
from app.records.journal import Journal
from app.records.store import Store
from tests.records.scenarios import Call
from tests.support.server import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dialstatus.db"


@pytest.fixture
def sqlite_store(path: Path) -> Store:
    store = Store(f"sqlite:///{path}", timeout=5)
    migrate.upgrade(store)
    return store


def report(journal: Journal, number: int) -> None:
    call = Call(uuid=f"call-{number}", dial_id=f"dial-{number}")
    journal.append(call.action("busy", "USER_BUSY", rang=True).receipts[0])


def test_commits_are_copied_long_before_sqlite_would(sqlite_store: Store, path: Path) -> None:
    journal = Journal(sqlite_store)
    log = Path(f"{path}-wal")
    before = path.stat().st_mtime_ns

    for number in range(COMMITS):
        report(journal, number)

    until(lambda: path.stat().st_mtime_ns > before)
    assert log.stat().st_size < 1000 * 4096, "the log is as long as SQLite allows: it may have copied it itself"
    journal.close()


def test_the_log_is_begun_anew_under_lasting_load(sqlite_store: Store, path: Path) -> None:
    journal = Journal(sqlite_store)

    for number in range(3 * LOG_PAGES // 25):  # A commit of one report writes some 25 pages.
        report(journal, number)

    assert Path(f"{path}-wal").stat().st_size < 1.5 * LOG_PAGES * 4096
    journal.close()


def test_no_commit_waits_for_a_copy_that_a_reader_delays(sqlite_store: Store, path: Path) -> None:
    journal = Journal(sqlite_store)
    report(journal, 0)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM receipts").fetchone()

    for number in range(1, 3 * COMMITS):
        report(journal, number)

    assert reader.execute("SELECT count(*) FROM receipts").fetchone() == (1,)
    reader.close()
    journal.close()


def test_a_copy_that_fails_is_said_and_the_next_one_works(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "later"
    checkpointer = Checkpointer(create_engine(f"sqlite:///{folder / 'dialstatus.db'}"))

    with caplog.at_level(logging.WARNING, checkpoint.__name__):
        for _ in range(COMMITS):
            checkpointer.note_commit()
        until(lambda: "checkpoint_failed" in caplog.messages)
        folder.mkdir()
        for _ in range(COMMITS):
            checkpointer.note_commit()
        until((folder / "dialstatus.db").exists)

    assert caplog.messages == ["checkpoint_failed"]
    checkpointer.close()
    until(lambda: all(thread.name != "checkpoint" for thread in threading.enumerate()))


def test_the_log_is_emptied_or_that_it_was_not_is_told(sqlite_store: Store, path: Path) -> None:
    journal = Journal(sqlite_store)
    report(journal, 0)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM receipts").fetchone()
    report(journal, 1)
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)

    def execute(sql: str) -> int:
        return int(connection.execute(sql).fetchone()[0])

    assert not empty_log(execute, patience=0.1)
    reader.close()
    assert empty_log(execute)
    assert Path(f"{path}-wal").stat().st_size == 0
    connection.close()
    journal.close()
