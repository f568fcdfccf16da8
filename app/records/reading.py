"""How reports read: one snapshot, bounded in time, one error when the store is away."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.records.receipt import StoreUnavailable
from app.records.state import CallState, DialState, LegState, RecordingState
from app.records.store import Store

_STATEMENT_TIMEOUT = 10_000  # milliseconds; a report may take longer than a webhook, but never for good


@contextmanager
def reading(store: Store) -> Iterator[Connection]:
    """Open a connection that sees one moment of the store. Raises `StoreUnavailable` when it does not answer."""
    try:
        with store.engine.connect() as connection:
            if store.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.execution_options(isolation_level="AUTOCOMMIT")  # The transaction is our own.
                connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_STATEMENT_TIMEOUT}")
            yield connection
    except (DBAPIError, PoolTimeout) as error:
        raise StoreUnavailable("the store did not answer in time") from error


def dial_of(row: RowMapping) -> DialState:
    """Make a dial's state from a row that holds its columns."""
    return DialState(**{name: row[name] for name in DialState.__slots__})


def call_of(row: RowMapping) -> CallState:
    """Make a call's state from a row that holds its columns."""
    return CallState(**{name: row[name] for name in CallState.__slots__})


def leg_of(row: RowMapping) -> LegState:
    """Make a leg's state from a row that holds its columns."""
    return LegState(**{name: row[name] for name in LegState.__slots__})


def recording_of(row: RowMapping) -> RecordingState:
    """Make a recording's state from a row that holds its columns."""
    return RecordingState(**{name: row[name] for name in RecordingState.__slots__})
