"""The store: SQLite by default, PostgreSQL when it grows.

Reports read through the SQLAlchemy engine. A journal writes through one connection of the driver.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Protocol

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.store import postgresql, sqlite
from app.records.store.statements import Cursor


class Writer(Protocol):
    """A connection for writing. Not thread-safe but for `abort`."""

    cursor: Cursor

    def acquire_turn(self) -> None:
        """Wait until no other process is writing."""

    def begin(self, names: list[str]) -> None:
        """Start a transaction that locks these names: calls and nonces."""

    def release_turn(self) -> None:
        """Let other processes write, after a turn without a transaction."""

    def abort(self) -> None:
        """Make the operation under way in another thread fail at once."""

    def commit(self) -> None:
        """Commit; when this returns, the rows are on disk."""

    def rollback(self) -> None:
        """Roll the transaction back."""

    def close(self) -> None:
        """Close the connection."""


class Store:
    """One database.

    `timeout` (seconds) bounds each operation of the write path: the wait for a lock, a statement. `errors` are all
    exceptions of a failing store; among them `refusals` are about the data, and `transient` ones are retried at once.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        self.url = make_url(url)
        self.timeout = timeout
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        database = sqlite if self.is_sqlite else postgresql
        self.engine = database.make_engine(self.url, timeout)
        self.statements = database.make_statements()
        self.errors: tuple[type[Exception], ...] = (*database.ERRORS, DBAPIError, OSError, StoreUnavailable)
        self.refusals: tuple[type[Exception], ...] = database.REFUSALS
        self.transient: tuple[type[Exception], ...] = database.TRANSIENT
        self._connect_writer: Callable[..., Writer] = database.connect_writer

    def connect_writer(self, *, in_turn: bool = False) -> Writer:
        """Open a connection for writing. Raises `StoreUnavailable`.

        With `in_turn` its transactions on SQLite queue with those of other processes, without a time limit.
        """
        try:
            return self._connect_writer(self.engine, self.url, self.timeout, in_turn=in_turn)
        except StoreUnavailable:
            raise
        except self.errors as error:
            raise StoreUnavailable("the store cannot be reached") from error

    @contextmanager
    def write(self, calls: Iterable[str] = ()) -> Iterator[Cursor]:
        """Yield a cursor of a writer in a transaction, committed at the end of the block. Raises `StoreUnavailable`.

        For what changes records beside a journal; `calls` are locked.
        """
        try:
            with closing(self.connect_writer()) as writer:
                writer.begin(list(calls))
                try:
                    yield writer.cursor
                except BaseException:
                    writer.rollback()
                    raise
                writer.commit()
        except self.errors as error:
            raise StoreUnavailable(f"the store did not take a change: {error}") from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection in a transaction, committed at the end of the block. Raises `StoreUnavailable`.

        For what background jobs and pages write; receipts go through a journal.
        """
        try:
            with self.engine.connect() as connection, self.begin(connection):
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable("the store did not take a change") from error

    @contextmanager
    def begin(self, connection: Connection) -> Iterator[None]:
        """Begin a transaction that writes, and commit it at the end of the block. Raises the engine's own errors."""
        if self.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield
            connection.exec_driver_sql("COMMIT")
        else:
            connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                yield

    def clock(self, connection: Connection) -> int:
        """Return the time in milliseconds by the clock that all nodes of the store share."""
        return now() if self.is_sqlite else int(connection.exec_driver_sql(postgresql.CLOCK).scalar_one())

    def close(self) -> None:
        """Close the connections of the engine; writers close their own."""
        self.engine.dispose()
