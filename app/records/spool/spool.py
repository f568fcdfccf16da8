"""The spool: receipts on local disk while the store is away.

A SQLite file of its own, synced at every write. The process that gets the lock drains it into the store in order; the
store remembers the last number, so that no receipt is stored twice.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import BinaryIO

from app.records.model.receipt import Receipt, ReceiptRefused, receipt_from_json, receipt_to_json
from app.records.spool.reserve import Reserve
from app.records.store.files import lock_within, make_database_private, make_private_directory, open_lock, sync
from app.records.writing.journal import Journal

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spool (number INTEGER PRIMARY KEY AUTOINCREMENT, receipt TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS set_aside (number INTEGER PRIMARY KEY, receipt TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS identity (one INTEGER PRIMARY KEY CHECK (one = 1), spool_id TEXT NOT NULL);
INSERT OR IGNORE INTO identity VALUES (1, lower(hex(randomblob(16))));
"""
_BATCH = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledReceipt:
    """A spooled receipt as JSON. Numbers ascend; `reason` says why the receipt was set aside."""

    number: int
    text: str
    reason: str | None = None


class SpoolFull(Exception):
    """The local disk did not take a receipt either, or not in time."""


class Spool:
    """The spool in one directory.

    `zone` is the time zone of the Plivo account, needed to read receipts. `timeout` (seconds) bounds each operation.
    """

    def __init__(self, directory: Path, *, zone: tzinfo, timeout: float = 5) -> None:
        self._directory = directory
        self._path = directory / "spool.db"
        self.reserve = Reserve(directory / "reserve")
        self._zone = zone
        self._timeout = timeout
        self._turn = threading.Lock()
        self._putting = threading.Lock()
        self._puts: dict[object, str] = {}  # Receipts on their way to disk.
        self._connection: sqlite3.Connection | None = None
        self._inode = 0  # Of the open file, which somebody may move away.

    def put(self, receipt: Receipt) -> None:
        """Store a receipt, together with those that wait; when this returns it is on disk. Raises `SpoolFull`."""
        mine = object()
        self._puts[mine] = receipt_to_json(receipt)
        try:
            if not self._putting.acquire(timeout=self._timeout):
                raise SpoolFull(f"the spool was busy for {self._timeout} seconds")
            try:
                if mine in self._puts:
                    self._put_waiting()
            finally:
                self._putting.release()
        finally:
            self._puts.pop(mine, None)

    def _put_waiting(self) -> None:
        """Store what waits, in one transaction."""
        while True:
            try:
                with self._writing() as connection:
                    waiting = self._puts.copy()
                    connection.execute("BEGIN IMMEDIATE")
                    connection.executemany("INSERT INTO spool (receipt) VALUES (?)", zip(waiting.values()))
                    connection.execute("COMMIT")
                if self._inode == self._inode_at_path():
                    for one in waiting:
                        self._puts.pop(one, None)
                    return
            except (sqlite3.Error, OSError) as error:
                # Only a full disk is helped by more space; a lock that is held too long is not.
                is_late = isinstance(error, TimeoutError) or _is_locked(error)
                if is_late or not self.reserve.release():
                    raise SpoolFull(str(error)) from error

    def size(self) -> int:
        """Return the number of waiting receipts."""
        return self._count("spool")

    def set_aside_size(self) -> int:
        """Return the number of receipts that the store refused; a person has to look at them."""
        return self._count("set_aside")

    def waiting(self, limit: int = _BATCH) -> list[SpooledReceipt]:
        """Return the oldest waiting receipts; all with a limit of -1."""
        return self._list("SELECT number, receipt, NULL FROM spool ORDER BY number LIMIT ?", limit)

    def set_aside(self, limit: int = _BATCH) -> list[SpooledReceipt]:
        """Return the oldest receipts that the store refused."""
        return self._list("SELECT number, receipt, reason FROM set_aside ORDER BY number LIMIT ?", limit)

    def count(self, matches: Callable[[str], bool]) -> int:
        """Return the number of receipts, waiting or set aside, whose JSON matches."""
        return sum(matches(item.text) for item in self._all())

    def remove(self, matches: Callable[[str], bool]) -> int:
        """Delete the receipts, waiting or set aside, whose JSON matches; return how many.

        What drained receipts left in the files is overwritten too.
        """
        numbers = [(item.number,) for item in self._all() if matches(item.text)]
        if self._path.exists():
            with self._writing() as connection:
                for table in ("spool", "set_aside"):
                    connection.executemany(f"DELETE FROM {table} WHERE number = ?", numbers)  # noqa: S608
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(numbers)

    def _all(self) -> list[SpooledReceipt]:
        return [*self.waiting(-1), *self.set_aside(-1)]

    def close(self) -> None:
        """Close the file; it is opened again when needed."""
        with self._turn:
            self._disconnect()

    def drain(self, journal: Journal) -> int:
        """Store all waiting receipts and return how many; 0 while another process does.

        Raises `StoreUnavailable` when the store is away again; receipts stored by then have left the spool.
        """
        drained = 0
        with self._open_lock("drain.lock") as file:
            if lock_within(file, 0) and self.size():
                with self._open() as connection:
                    spool_id: str = connection.execute("SELECT spool_id FROM identity").fetchone()[0]
                while batch := self.waiting():
                    drained += self._drain_batch(journal, spool_id, batch)
        return drained

    def _drain_batch(self, journal: Journal, spool_id: str, batch: Sequence[SpooledReceipt]) -> int:
        """Store a batch; when the store refuses it, store each receipt alone."""
        try:
            receipts = [receipt_from_json(item.text, self._zone) for item in batch]
            journal.append_spooled(receipts, spool_id=spool_id, numbers=[item.number for item in batch])
        except (ReceiptRefused, ValueError, LookupError, TypeError) as error:
            if len(batch) > 1:
                return sum(self._drain_batch(journal, spool_id, [item]) for item in batch)
            self._set_aside(batch[0], error)
            return 0
        with self._writing() as connection:
            connection.execute("DELETE FROM spool WHERE number <= ?", (batch[-1].number,))
        return len(batch)

    def _set_aside(self, item: SpooledReceipt, error: Exception) -> None:
        with self._writing() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?)", (item.number, item.text, repr(error)[:500])
            )
            connection.execute("DELETE FROM spool WHERE number = ?", (item.number,))
            connection.execute("COMMIT")
        log.error("receipt_set_aside", extra={"number": item.number, "error": type(error).__name__})

    def _count(self, table: str) -> int:
        if not self._path.exists():
            return 0
        with self._open() as connection:
            count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - Our own word.
            return count

    def _list(self, query: str, limit: int) -> list[SpooledReceipt]:
        if not self._path.exists():
            return []
        with self._open() as connection:
            rows = connection.execute(query, (limit,)).fetchall()
        return [SpooledReceipt(number=number, text=text, reason=reason) for number, text, reason in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection of this process to one thread at a time. Raises TimeoutError."""
        if not self._turn.acquire(timeout=self._timeout):
            raise TimeoutError(f"the spool was busy for {self._timeout} seconds")
        try:
            yield self._connected()
        except (sqlite3.Error, OSError):
            self._disconnect()
            raise
        finally:
            self._turn.release()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        # With SQLite's own lock, which is no queue, one of many writers may starve, and its receipt would be lost. The
        # lock file only makes the order fair, so a process that holds it for too long does not stop the others.
        with self._open_lock("write.lock") as file:
            if not lock_within(file, 0.75 * self._timeout):
                log.warning("spool_lock_held", extra={"seconds": 0.75 * self._timeout})
            with self._open() as connection:
                yield connection

    def _open_lock(self, name: str) -> BinaryIO:
        make_private_directory(self._directory, parents=True)
        return open_lock(self._directory / name)

    def _inode_at_path(self) -> int | None:
        return self._path.stat().st_ino if self._path.exists() else None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and self._inode == self._inode_at_path():
            return self._connection
        self._disconnect()
        make_private_directory(self._directory, parents=True)
        with suppress(OSError):  # Not every file system syncs names.
            sync(self._directory.parent)  # Otherwise a power cut may take a new directory with all that it holds.
        connection = sqlite3.connect(
            self._path, timeout=self._timeout / 4, isolation_level=None, check_same_thread=False
        )
        make_database_private(self._path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # Overwrite deleted rows.
        # Only a new file is written to: reading must not wait for a writer.
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'identity'").fetchone():
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT")
        self._connection, self._inode = connection, self._path.stat().st_ino
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _is_locked(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
