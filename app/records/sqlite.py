"""SQLite: how its file is opened, and how a journal writes to it."""

import fcntl
import os
import sqlite3
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from app.records.checkpoint import LOG_PAGES, Checkpointer
from app.records.rows import Cursor, Statements

# Worth a second try at once: a key that was taken (one in four million per shared millisecond).
PASSING: tuple[type[Exception], ...] = (sqlite3.IntegrityError,)
# Of all the errors of a database, these are about what it was given.
REFUSALS: tuple[type[Exception], ...] = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
ERRORS: tuple[type[Exception], ...] = (sqlite3.Error,)


def make_statements() -> Statements:
    """Write the write path's statements in SQLite's form."""
    return Statements("?", lock_rows=False)


def make_engine(url: URL, timeout: float) -> Engine:
    """Make the engine that reads go through."""
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": timeout, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        # The driver's own transactions would begin without IMMEDIATE and fail late on a lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # In WAL, NORMAL may lose the last commits at a power cut.
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    return engine


def connect_writer(engine: Engine, _timeout: float, *, in_turn: bool) -> "SqliteWriter":
    """Open a connection to write with."""
    return JournalWriter(engine) if in_turn else SqliteWriter(engine)


class SqliteWriter:
    """A connection that writes in SQLite's own way: who finds the file locked tries again until the timeout."""

    def __init__(self, engine: Engine) -> None:
        connection: Any = engine.raw_connection()
        self._connection = connection
        self.cursor: Cursor = connection.cursor()

    def await_turn(self) -> None:
        """Wait for nothing: `begin` does."""

    def leave(self) -> None:
        """Do nothing: there is no turn to end."""

    def begin(self, calls: list[str]) -> None:  # noqa: ARG002 - A SQLite transaction is alone on all calls.
        """Start a transaction."""
        self.await_turn()
        try:
            self.cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            self.leave()
            raise

    def abort(self) -> None:
        """Do nothing: there is no way to end the wait for another process's lock, or for a disk."""

    def commit(self) -> None:
        """Commit; the log is synced when this returns."""
        self.cursor.execute("COMMIT")

    def rollback(self) -> None:
        """Undo what the transaction wrote."""
        try:
            self.cursor.execute("ROLLBACK")
        finally:
            self.leave()

    def discard(self) -> None:
        """Let go of the connection."""
        self._connection.invalidate()


class JournalWriter(SqliteWriter):
    """A connection whose transactions queue with those of other processes, and which waits for the disk after its turn.

    SQLite's own queue is no queue: who finds the file locked sleeps, tries again, and may be unlucky for long.
    Journals queue at a lock of the system's instead. Measured with two processes of 16 threads: the longest wait for a
    commit fell from 700 to 22 milliseconds, the 99th percentile to a half.

    With `synchronous=FULL` SQLite would sync its log within the commit, while everybody waits. Here the same sync comes
    right after it, when the next in line writes already (`docs/decisions/write-path.md`).
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._path = str(engine.url.database)
        self._log: int | None = None
        self._checkpointer = Checkpointer(engine)
        self.cursor.execute("PRAGMA journal_mode")
        # A file system without shared memory has no such log: SQLite syncs its file itself.
        self._has_log = self.cursor.fetchone() == ("wal",)
        if self._has_log:
            self.cursor.execute("PRAGMA synchronous = NORMAL")
            self.cursor.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        self._turn = os.open(f"{self._path}-turn", os.O_WRONLY | os.O_CREAT, 0o666)

    def await_turn(self) -> None:
        """Wait for the lock; whoever has it already has it at once."""
        fcntl.flock(self._turn, fcntl.LOCK_EX)

    def leave(self) -> None:
        """Give the lock to whoever waits."""
        fcntl.flock(self._turn, fcntl.LOCK_UN)

    def commit(self) -> None:
        """Commit; the log is synced when this returns. Raises OSError where the disk refuses that."""
        super().commit()
        self.leave()
        if self._has_log:
            self._sync()
            self._checkpointer.note_commit()

    def discard(self) -> None:
        """Let go of connection and lock."""
        self._checkpointer.close()
        super().discard()
        os.close(self._turn)
        if self._log is not None:
            os.close(self._log)

    def _sync(self) -> None:
        if self._log is None:
            # SQLite's locks are on its other files: closing this one again takes none of them away.
            self._log = os.open(f"{self._path}-wal", os.O_RDONLY)
        _sync_data(self._log)


def _sync_data(file: int) -> None:
    """Wait until the disk has a file's data; not every system can leave out its times."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(file)
    else:
        os.fsync(file)
