"""The spool: receipts on local disk while the store is away.

A SQLite file of its own, synced at every write. What lies in it is brought into the store, in order, by whichever
process gets the lock; the store remembers how far it was brought, so nothing counts twice.
"""

import fcntl
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from app.records.model.receipt import Receipt, ReceiptRefused, StoreUnavailable, receipt_from_json, receipt_to_json
from app.records.spool.reserve import Reserve
from app.records.writing.journal import Journal

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spool (number INTEGER PRIMARY KEY AUTOINCREMENT, receipt TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS set_aside (number INTEGER PRIMARY KEY, receipt TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS identity (one INTEGER PRIMARY KEY CHECK (one = 1), spool_id TEXT NOT NULL);
INSERT OR IGNORE INTO identity VALUES (1, lower(hex(randomblob(16))));
"""
_BATCH = 50
_PAUSE = 0.5  # Seconds between two attempts while the store is away.


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledReceipt:
    """One receipt that waits, as JSON. `number` counts up as they come; `reason` says why it was set aside."""

    number: int
    text: str
    reason: str | None = None


class SpoolFull(Exception):
    """The local disk did not take a receipt either."""


class Spool:
    """The spool in one directory. `zone` is the Plivo account's, needed to read a receipt again."""

    def __init__(self, directory: Path, *, zone: tzinfo) -> None:
        self._directory = directory
        self._path = directory / "spool.db"
        self.reserve = Reserve(directory / "reserve")
        self._zone = zone
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0  # Of the file that is open: somebody may have moved it away meanwhile.

    def put(self, receipt: Receipt) -> None:
        """Keep a receipt; when this returns it is on disk. Raises `SpoolFull` when the disk refuses it."""
        text = receipt_to_json(receipt)
        while True:
            try:
                with self._writing() as connection:
                    connection.execute("INSERT INTO spool (receipt) VALUES (?)", (text,))
            except (sqlite3.Error, OSError) as error:
                if not self.reserve.give():
                    raise SpoolFull(str(error)) from error
            else:
                return

    def size(self) -> int:
        """Count the receipts that wait."""
        return self._count("spool")

    def set_aside_size(self) -> int:
        """Count the receipts that the store refused: they are kept for a person to look at."""
        return self._count("set_aside")

    def waiting(self, limit: int = _BATCH) -> list[SpooledReceipt]:
        """Give the oldest receipts that wait; all with a limit of -1."""
        return self._list("SELECT number, receipt, NULL FROM spool ORDER BY number LIMIT ?", limit)

    def set_aside(self, limit: int = _BATCH) -> list[SpooledReceipt]:
        """Give the oldest receipts that the store refused."""
        return self._list("SELECT number, receipt, reason FROM set_aside ORDER BY number LIMIT ?", limit)

    def count(self, is_meant: Callable[[str], bool]) -> int:
        """Count the receipts, waiting or set aside, whose JSON is meant."""
        return sum(is_meant(item.text) for item in self._all())

    def remove(self, is_meant: Callable[[str], bool]) -> int:
        """Delete the receipts, waiting or set aside, whose JSON is meant; tell how many."""
        numbers = [(item.number,) for item in self._all() if is_meant(item.text)]
        if numbers:
            with self._writing() as connection:
                connection.execute("PRAGMA secure_delete = ON")
                for table in ("spool", "set_aside"):
                    connection.executemany(f"DELETE FROM {table} WHERE number = ?", numbers)  # noqa: S608
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(numbers)

    def _all(self) -> list[SpooledReceipt]:
        return [*self.waiting(-1), *self.set_aside(-1)]

    def close(self) -> None:
        """Let go of the file; it is opened again when needed."""
        with self._turn:
            self._disconnect()

    def drain(self, journal: Journal) -> int:
        """Bring all that waits into the store and tell how many; 0 at once when another process is at it.

        Raises `StoreUnavailable` when the store is still away; what it had taken by then is off the spool.
        """
        brought = 0
        with self._lock() as is_mine:
            if is_mine and self.size():
                with self._open() as connection:
                    spool_id: str = connection.execute("SELECT spool_id FROM identity").fetchone()[0]
                while batch := self.waiting():
                    brought += self._bring(journal, spool_id, batch)
        return brought

    def _bring(self, journal: Journal, spool_id: str, batch: Sequence[SpooledReceipt]) -> int:
        """Bring a batch; where the store refuses it, each alone, so that one does not hold up the others."""
        try:
            receipts = [receipt_from_json(item.text, self._zone) for item in batch]
            journal.bring(receipts, spool_id=spool_id, numbers=[item.number for item in batch])
        except (ReceiptRefused, ValueError, LookupError, TypeError) as error:
            if len(batch) > 1:
                return sum(self._bring(journal, spool_id, [item]) for item in batch)
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
        """Give the connection of this process; to one thread at a time."""
        with self._turn:
            try:
                yield self._connected()
            except (sqlite3.Error, OSError):
                self._disconnect()
                raise

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        # Processes queue at the system's lock, in turn. SQLite's own makes them sleep and try again, and where many
        # write at once somebody is unlucky for as long as it takes to give up: that receipt would be lost.
        with self._open() as connection, (self._directory / "write.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield connection

    def _connected(self) -> sqlite3.Connection:
        inode = self._path.stat().st_ino if self._path.exists() else None
        if self._connection is not None and self._inode == inode:
            return self._connection
        self._disconnect()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=5, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT")
        self._connection, self._inode = connection, self._path.stat().st_ino
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._directory / "drain.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


class Drainer:
    """Empties the spool in the background for as long as anything waits in it."""

    def __init__(self, spool: Spool, journal: Journal) -> None:
        self._spool = spool
        self._journal = journal
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def wake(self) -> None:
        """Start emptying, unless that is already under way."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="spool-drainer", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End after the batch at hand; what waits stays on disk."""
        self._stopping.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if brought := self._spool.drain(self._journal):
                    log.warning("spool_drained", extra={"receipts": brought})
                self._spool.reserve.fill()
                with self._lock:  # Whoever puts and wakes just now is either seen here or starts a new thread.
                    if not self._spool.size():
                        self._thread = None
                        return
            except (StoreUnavailable, sqlite3.Error, OSError) as error:
                log.info("spool_waits", extra={"error": type(error).__name__})
            self._stopping.wait(_PAUSE)
