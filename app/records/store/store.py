"""The store: SQLite by default, PostgreSQL when it grows.

Reads go through the SQLAlchemy engine. The journal asks for one connection of the driver's own, which it keeps.
"""

from importlib import import_module
from types import ModuleType
from typing import Any, Protocol, cast

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from app.records.model.receipt import StoreUnavailable
from app.records.store import sqlite
from app.records.store.statements import Cursor


class Writer(Protocol):
    """A connection that a journal keeps for itself."""

    cursor: Cursor

    def acquire_turn(self) -> None:
        """Wait until no other process is writing; what comes meanwhile goes into the same transaction."""

    def begin(self, calls: list[str]) -> None:
        """Start a transaction alone on the named calls."""

    def leave(self) -> None:
        """Let others write, after a turn in which nothing was to be written."""

    def abort(self) -> None:
        """Make an operation that another thread waits for fail at once."""

    def commit(self) -> None:
        """Commit; when this returns, the rows are on disk."""

    def rollback(self) -> None:
        """Undo what the transaction wrote."""

    def discard(self) -> None:
        """Let go of the connection."""


class Store:
    """One database.

    `timeout` (seconds) bounds every store operation of the write path: the wait for a lock, a statement. `errors` are
    all that may be raised where it fails; of them, `refusals` are about what the database was given, and `passing` are
    worth another try at once.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        self.url = make_url(url)
        self.timeout = timeout
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # A server on SQLite needs no PostgreSQL driver: nine megabytes, and a tenth of the time it takes to start.
        self._kind: ModuleType | Any = sqlite if self.is_sqlite else import_module("app.records.store.postgresql")
        self.engine = self._kind.make_engine(self.url, timeout)
        self.statements = self._kind.make_statements()
        self.errors: tuple[type[Exception], ...] = (*self._kind.ERRORS, DBAPIError, OSError, StoreUnavailable)
        self.refusals: tuple[type[Exception], ...] = self._kind.REFUSALS
        self.transient: tuple[type[Exception], ...] = self._kind.TRANSIENT

    def connect_writer(self, *, in_turn: bool = False) -> Writer:
        """Open a connection to write with. Raises `StoreUnavailable`.

        `in_turn` makes its transactions on SQLite queue with those of other processes, without a limit of time.
        """
        try:
            return cast(Writer, self._kind.connect_writer(self.engine, self.timeout, in_turn=in_turn))
        except self.errors as error:
            raise StoreUnavailable("the store cannot be reached") from error

    def close(self) -> None:
        """Close every connection but a journal's."""
        self.engine.dispose()
