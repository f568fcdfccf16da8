"""SQLite: the engine for reads and the connection that a journal writes with."""

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from app.records.model.receipt import StoreReplaced, StoreUnavailable
from app.records.store.files import lock_within, make_database_private, open_lock
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
    """Return the engine for reads. Its connections never create the file: only migrations do."""
    database = Path(str(url.database))

    def connect() -> sqlite3.Connection:
        if not database.exists():
            raise StoreUnavailable(
                "there is no database at the path in DATABASE_URL; restore it, or run flask --app wsgi db upgrade"
            )
        address = f"file:{quote(str(database))}?mode=rw"
        return sqlite3.connect(address, uri=True, timeout=timeout, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

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


def lock_path(database: Path, name: str) -> Path:
    """Return the path of a lock. Its directory stays where it is when the database's files are moved by `name*`."""
    return database.parent / f".{database.name}.locks" / name


@contextmanager
def without_writers(database: Path) -> Iterator[bool]:
    """Keep servers from opening the database for writing; yield False when one has it open."""
    with open_lock(lock_path(database, "writers")) as file:
        yield lock_within(file, 0)


def _connect(engine: Engine) -> Any:
    return engine.raw_connection()


def _lock_for_writing(database: Path) -> list[BinaryIO]:
    """Open the lock of the queue, and hold the lock that keeps `without_writers` out."""
    turn, writers = (open_lock(lock_path(database, name)) for name in ("turn", "writers"))
    if lock_within(writers, 0, shared=True):
        return [turn, writers]
    turn.close()
    writers.close()
    raise StoreUnavailable("the database is being restored; wait until flask db restore has ended")


def connect_writer(engine: Engine, url: URL, _timeout: float, *, in_turn: bool) -> "SqliteWriter":
    """Open a connection for writing."""
    return SqliteWriter(engine, Path(str(url.database)), in_turn=in_turn)


class SqliteWriter:
    """A connection for writing; with `in_turn`, processes queue at a lock file.

    SQLite has no queue: a process that finds the file locked sleeps and tries again, and may starve. With the lock file
    the longest wait for a commit fell from 700 to 22 milliseconds (two processes of 16 threads), the 99th percentile to
    half.
    """

    def __init__(self, engine: Engine, database: Path, *, in_turn: bool) -> None:
        self._database = database
        self._locks = _lock_for_writing(database) if in_turn else []
        try:
            make_database_private(database)
            self._file = self._file_at_path()
            self._connection = _connect(engine)
            self._require_same_file()
        except BaseException:
            self._close_locks()
            raise
        self.cursor: Cursor = self._connection.cursor()

    def acquire_turn(self) -> None:
        """Wait for the lock. A no-op while this writer holds it."""
        if self._locks:
            fcntl.flock(self._locks[0], fcntl.LOCK_EX)

    def release_turn(self) -> None:
        """Release the lock."""
        if self._locks:
            fcntl.flock(self._locks[0], fcntl.LOCK_UN)

    def begin(self, names: list[str]) -> None:  # noqa: ARG002 - A SQLite transaction locks the whole file.
        """Start a transaction. Raises `StoreReplaced` when another file, or none, is at the path."""
        self.acquire_turn()
        try:
            self._require_same_file()
            self.cursor.execute("BEGIN IMMEDIATE")
        except (sqlite3.Error, StoreUnavailable):
            self.release_turn()
            raise

    def abort(self) -> None:
        """Return at once: a wait for a file lock or a disk cannot be interrupted."""

    def commit(self) -> None:
        """Commit; the log is synced when this returns.

        Raises `StoreReplaced` when the file was moved meanwhile: what it holds must not be acknowledged.
        """
        self.cursor.execute("COMMIT")
        self.release_turn()
        self._require_same_file()

    def rollback(self) -> None:
        """Roll the transaction back."""
        try:
            self.cursor.execute("ROLLBACK")
        finally:
            self.release_turn()

    def close(self) -> None:
        """Close the connection and the locks."""
        self._connection.invalidate()
        self._close_locks()

    def _close_locks(self) -> None:
        for lock in self._locks:
            lock.close()

    def _require_same_file(self) -> None:
        if self._file_at_path() != self._file:
            raise StoreReplaced("the database file was moved, deleted or replaced")

    def _file_at_path(self) -> tuple[int, int] | None:
        try:
            found = self._database.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino
