"""SQLite: the engine for reads and the connection that a journal writes with."""

import fcntl
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from app.records.store.statements import Cursor, Statements

# Errors to retry at once: a duplicate key (once in four million pairs of a millisecond).
TRANSIENT: tuple[type[Exception], ...] = (sqlite3.IntegrityError,)
# Errors about the data rather than the database: a retry would not help.
REFUSALS: tuple[type[Exception], ...] = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
ERRORS: tuple[type[Exception], ...] = (sqlite3.Error,)

_PAUSE = 0.02  # Seconds between two checkpoints.


def make_statements() -> Statements:
    """Return the statements of the write path in SQLite's dialect."""
    return Statements("?", lock_rows=False)


def make_engine(url: URL, timeout: float) -> Engine:
    """Return the engine for reads."""
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": timeout, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        # The driver begins transactions without IMMEDIATE, which would fail late on a lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # In WAL, NORMAL may lose the last commits at a power cut.
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    return engine


def truncate_wal(connection: Connection, *, patience: float = 5.0) -> bool:
    """Checkpoint the write-ahead log and truncate it; return False when others kept it busy for `patience` seconds.

    Deleted rows remain in the log until then.
    """
    until = time.monotonic() + patience
    # SQLite waits for readers and writers here, but not for a checkpoint of another process.
    while connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one():
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
    return True


def connect_writer(engine: Engine, _timeout: float, *, in_turn: bool) -> "SqliteWriter":
    """Open a connection for writing."""
    return SqliteWriter(engine.raw_connection(), Path(f"{engine.url.database}-turn") if in_turn else None)


class SqliteWriter:
    """A connection for writing; processes queue at a lock file.

    SQLite has no queue: a process that finds the file locked sleeps and tries again, and may starve. With the lock file
    the longest wait for a commit fell from 700 to 22 milliseconds (two processes of 16 threads), the 99th percentile to
    half.
    """

    def __init__(self, connection: Any, turn: Path | None) -> None:
        self._connection = connection
        self._turn = turn.open("w") if turn else None
        self.cursor: Cursor = connection.cursor()

    def acquire_turn(self) -> None:
        """Wait for the lock. A no-op while this writer holds it."""
        if self._turn is not None:
            fcntl.flock(self._turn, fcntl.LOCK_EX)

    def leave(self) -> None:
        """Release the lock."""
        if self._turn is not None:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def begin(self, calls: list[str]) -> None:  # noqa: ARG002 - A SQLite transaction locks the whole file.
        """Start a transaction."""
        self.acquire_turn()
        try:
            self.cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            self.leave()
            raise

    def abort(self) -> None:
        """Return at once: a wait for a file lock or a disk cannot be interrupted."""

    def commit(self) -> None:
        """Commit; the log is synced when this returns."""
        self.cursor.execute("COMMIT")
        self.leave()

    def rollback(self) -> None:
        """Roll the transaction back."""
        try:
            self.cursor.execute("ROLLBACK")
        finally:
            self.leave()

    def discard(self) -> None:
        """Close the connection and the lock."""
        self._connection.invalidate()
        if self._turn is not None:
            self._turn.close()
