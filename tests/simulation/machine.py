"""What a simulated node runs on: a clock, a store that fails and a process that dies when the schedule says so.

The journal, the spool and the database are the real ones. Only the standard library's clock is replaced.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from unittest.mock import patch

from sqlalchemy import Connection

from app.records.model.receipt import StoreUnavailable
from app.records.spool.spool import Spool
from app.records.store.statements import Cursor
from app.records.store.store import Store, Writer
from app.records.writing.entry import Entry
from app.records.writing.journal import Journal


class Killed(BaseException):
    """The process died: nothing of it runs any more, not even what handles errors."""


class Fault(Enum):
    """What may happen to a transaction."""

    REFUSED = auto()  # The store fails before the commit.
    UNCONFIRMED = auto()  # It commits, and the process sees a failure.
    SLOW = auto()  # It commits after the requests have stopped waiting.
    KILLED_BEFORE = auto()
    KILLED_AFTER = auto()


class Clock:
    """The time in milliseconds; `skew` is how far the clock of the running node is off."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.skew = 0

    def pause(self, seconds: float) -> None:
        """Let time pass, where a process would sleep."""
        self.at += round(seconds * 1000)

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """Make this the clock of the process."""
        with patch.multiple(
            time,
            time_ns=lambda: (self.at + self.skew) * 1_000_000,
            monotonic=lambda: self.at / 1000,
            sleep=self.pause,
        ):
            yield


class SimulatedStore(Store):
    """A connection of one node to the common store."""

    def __init__(self, url: str) -> None:
        super().__init__(url, timeout=1)
        self.is_away = False
        self.faults: list[Fault] = []  # Of the next transactions.
        self.met: list[Fault] = []  # Those that happened.
        self.before: Callable[[], None] = lambda: None  # Called once between reading and the next transaction.
        self.meanwhile: Callable[[], None] = lambda: None  # Called once between a commit and its confirmation.
        self.when_slow: Callable[[], None] = lambda: None
        self._writers: list[Writer] = []

    def connect_writer(self, *, in_turn: bool = False) -> Writer:
        """Open a connection for writing, unless the store is away."""
        if self.is_away:
            raise StoreUnavailable("the store cannot be reached")
        writer = super().connect_writer(in_turn=in_turn)
        self._writers.append(writer)
        return SimulatedWriter(writer, self)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that may fail or end with the process."""
        if self.is_away:
            raise StoreUnavailable("the store cannot be reached")
        before, self.before = self.before, lambda: None
        before()
        fault = self.next_fault()
        try:
            with super().transaction() as connection:
                yield connection
                before_commit(fault)
            after_commit(self, fault)
        except sqlite3.Error as error:  # As SQLAlchemy's are, which only its own connections raise.
            raise StoreUnavailable("the store did not take a change") from error

    def next_fault(self) -> Fault | None:
        """Return what happens to this transaction."""
        fault = self.faults.pop(0) if self.faults else None
        self.met += [fault] if fault else []
        return fault

    def forget(self, writer: Writer) -> None:
        """Leave a connection alone that was closed."""
        self._writers.remove(writer)

    def die(self) -> None:
        """Close the connections of a dead process, as its system does."""
        for writer in self._writers:
            with suppress(sqlite3.Error):  # No transaction was under way.
                writer.rollback()
            writer.close()
        self._writers.clear()
        self.close()


def before_commit(fault: Fault | None) -> None:
    """Let a fault happen before the commit."""
    if fault is Fault.KILLED_BEFORE:
        raise Killed
    if fault is Fault.REFUSED:
        raise sqlite3.OperationalError("database or disk is full")


def after_commit(store: SimulatedStore, fault: Fault | None) -> None:
    """Let a fault happen after the commit."""
    meanwhile, store.meanwhile = store.meanwhile, lambda: None
    meanwhile()
    if fault is Fault.KILLED_AFTER:
        raise Killed
    if fault is Fault.SLOW:
        store.when_slow()
    if fault is Fault.UNCONFIRMED:
        raise sqlite3.OperationalError("disk I/O error")


class SimulatedWriter:
    """A real connection for writing whose commits may fail."""

    def __init__(self, real: Writer, store: SimulatedStore) -> None:
        self._real = real
        self._store = store
        self.cursor: Cursor = real.cursor
        self.acquire_turn, self.release_turn = real.acquire_turn, real.release_turn
        self.abort, self.rollback = real.abort, real.rollback

    def begin(self, calls: list[str]) -> None:
        """Start a transaction, unless the store is away."""
        if self._store.is_away:
            self._real.release_turn()
            raise sqlite3.OperationalError("unable to open database file")
        self._real.begin(calls)

    def close(self) -> None:
        """Close the connection."""
        self._store.forget(self._real)
        self._real.close()

    def commit(self) -> None:
        """Commit, as the schedule says."""
        fault = self._store.next_fault()
        before_commit(fault)
        self._real.commit()
        after_commit(self._store, fault)


class NoPause(threading.Event):
    """A stop signal that is never given, without the pauses between two looks at it."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
        """Return at once."""
        return self.is_set()


class _EndOfRound(Exception):
    """Ends the loop of a journal after one round."""


class _Rounds(threading.Event):
    """Takes the place of the journal's stop signal, and lets its loop run for one round without a pause."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 0
        self.attempts = 0

    def is_set(self) -> bool:
        """End the loop when its rounds are over."""
        if not self.left:
            raise _EndOfRound
        self.left -= 1
        return False

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
        """Return whether the attempts to reach the store are over, instead of a pause before each."""
        self.attempts -= 1
        return self.attempts < 0


class SteppedJournal(Journal):
    """A journal whose loop runs when the schedule says so, not on a thread of its own."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, announce=True)
        self._rounds = _Rounds()
        self._stopping = self._rounds

    def _start(self) -> None:
        """Start no thread."""

    def keep(self, entry: Entry) -> Entry:
        """Store an entry together with those that wait."""
        self.hand_over((entry,), lambda: None)
        self.turn()
        return entry

    def turn(self) -> None:
        """Commit what was handed over."""
        self._rounds.left, self._rounds.attempts = 1, 0
        if not self._handed.empty():
            with suppress(_EndOfRound):
                self._run()

    def look_for_store(self) -> None:
        """Try once whether the store is back."""
        if self.is_away:
            self._rounds.attempts = 1
            self._wait_for_store()


class SimulatedSpool(Spool):
    """A spool on a disk that may be full."""

    is_full = False

    def identity(self) -> str | None:
        """Return the id under which the store remembers what it has; None for a spool that was never used."""
        if not self._path.exists():
            return None
        with self._open() as connection:
            return str(connection.execute("SELECT spool_id FROM identity").fetchone()[0])

    def limit(self) -> None:
        """Let the file grow no further while the disk is full."""
        with self._open() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0] if self.is_full else 1 << 30
            connection.execute(f"PRAGMA max_page_count = {pages}")
