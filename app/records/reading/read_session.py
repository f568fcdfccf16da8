"""How reports read: one snapshot, bounded in time, one error that says why it cannot be had and what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.records.model.receipt import StoreUnavailable
from app.records.model.state import CallState, DialState, LegState, RecordingState
from app.records.store.store import Store
from app.records.store.version import NOT_CURRENT, is_current

_STATEMENT_TIMEOUT = 10_000  # milliseconds; a report may take longer than a webhook, but never for good
# What the databases call it when something took too long: a statement, a lock, a transaction.
_LATE_STATES = frozenset({"57014", "55P03", "25P03"})
_LATE_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT})


class StoreUnreadable(StoreUnavailable):
    """Reports cannot be read, why, and what to do.

    The text is for whoever runs the server. `for_readers` is without the driver's words, which may name host and user.
    """

    def __init__(self, what: str, *, reason: str | None = None) -> None:
        """Take what is so and what to do, parted by a semicolon, and the driver's reason."""
        self.for_readers = what
        found, _, advice = what.partition("; ")
        super().__init__(f"{found}: {reason}; {advice}" if reason else what)


@contextmanager
def explained(store: Store) -> Iterator[None]:
    """Raise `StoreUnreadable` where what is done inside fails for want of the store."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        raise _why(store, error) from error
    except StoreUnavailable as error:
        if not isinstance(error.__cause__, DBAPIError):
            raise
        raise _why(store, error.__cause__) from error


@contextmanager
def read_session(store: Store) -> Iterator[Connection]:
    """Open a connection that sees one moment of the store. Raises `StoreUnreadable`."""
    with explained(store), store.engine.connect() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql("BEGIN")
        else:
            connection.execution_options(isolation_level="AUTOCOMMIT")  # The transaction is our own.
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_STATEMENT_TIMEOUT}")
        yield connection


def _why(store: Store, error: DBAPIError | PoolTimeout) -> StoreUnreadable:
    """Tell what is wrong. Asked only where something is: a look before each report would cost each report."""
    if found := _told_by(error):
        return found
    try:
        with store.engine.connect() as connection:
            if not is_current(connection):
                return StoreUnreadable(NOT_CURRENT)
    except (DBAPIError, PoolTimeout) as second:
        rest = ", the disk and the rights of this user" if store.is_sqlite else " and that the database runs"
        return _told_by(second) or StoreUnreadable(
            f"the store cannot be reached; check DATABASE_URL{rest}", reason=_reason(second)
        )
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return StoreUnreadable("the connection to the store broke off; try again soon", reason=_reason(error))
    return StoreUnreadable("the store cannot be read; run flask --app wsgi db check", reason=_reason(error))


def _told_by(error: DBAPIError | PoolTimeout) -> StoreUnreadable | None:
    """Tell what is wrong where the error itself says it."""
    told = getattr(error, "orig", None)
    if told is None or _is_late(told):
        return StoreUnreadable("the store did not answer in time; try again soon")
    if type(told) is sqlite3.DatabaseError:  # What SQLite calls malformed, or no database at all.
        return StoreUnreadable(
            "the file is damaged; stop the server and restore the newest backup", reason=_reason(error)
        )
    return None


def _is_late(told: object) -> bool:
    # The low byte is the error; what stands above it says where it arose.
    return getattr(told, "sqlstate", None) in _LATE_STATES or getattr(told, "sqlite_errorcode", 0) & 0xFF in _LATE_CODES


def _reason(error: DBAPIError | PoolTimeout) -> str | None:
    return next(iter(str(getattr(error, "orig", error)).splitlines()), None)


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
