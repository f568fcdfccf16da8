"""Read sessions for reports: one snapshot, a time limit, and one error that says what is wrong and what to do."""

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

_STATEMENT_TIMEOUT = 10_000  # milliseconds
# The error codes of a statement, a lock or a transaction that took too long.
_LATE_STATES = frozenset({"57014", "55P03", "25P03"})
_LATE_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT})


class StoreUnreadable(StoreUnavailable):
    """The store cannot be read.

    The message is for operators. `for_readers` leaves out the driver's message, which may name host and user.
    """

    def __init__(self, what: str, *, reason: str | None = None) -> None:
        """`what` is "problem; advice"; `reason` is the driver's message."""
        self.for_readers = what
        found, _, advice = what.partition("; ")
        super().__init__(f"{found}: {reason}; {advice}" if reason else what)


@contextmanager
def explained(store: Store) -> Iterator[None]:
    """Raise `StoreUnreadable` when the store fails inside the block."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        raise _why(store, error) from error
    except StoreUnreadable:
        raise
    except StoreUnavailable as error:
        cause = error.__cause__
        raise (_why(store, cause) if isinstance(cause, DBAPIError) else StoreUnreadable(str(error))) from error


@contextmanager
def read_session(store: Store) -> Iterator[Connection]:
    """Yield a connection that sees one snapshot of the store. Raises `StoreUnreadable`."""
    with explained(store), store.engine.connect() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql("BEGIN")
        else:
            connection.execution_options(isolation_level="AUTOCOMMIT")  # The transaction is begun here.
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_STATEMENT_TIMEOUT}")
        yield connection


def _why(store: Store, error: DBAPIError | PoolTimeout) -> StoreUnreadable:
    """Return what is wrong. Diagnose only after a failure, so that normal reads stay fast."""
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
    """Return what is wrong when the error itself says it."""
    told = getattr(error, "orig", None)
    if told is None or _is_late(told):
        return StoreUnreadable("the store did not answer in time; try again soon")
    if type(told) is sqlite3.DatabaseError:  # The class for a malformed file and for one that is no database.
        return StoreUnreadable(
            "the file is damaged; stop the server and restore the newest backup", reason=_reason(error)
        )
    return None


def _is_late(told: object) -> bool:
    # The low byte is the primary result code.
    return getattr(told, "sqlstate", None) in _LATE_STATES or getattr(told, "sqlite_errorcode", 0) & 0xFF in _LATE_CODES


def _reason(error: DBAPIError | PoolTimeout) -> str | None:
    return next(iter(str(getattr(error, "orig", error)).splitlines()), None)


def dial_of(row: RowMapping) -> DialState:
    """Return the dial in a row."""
    return DialState(**{name: row[name] for name in DialState.__slots__})


def call_of(row: RowMapping) -> CallState:
    """Return the call in a row."""
    return CallState(**{name: row[name] for name in CallState.__slots__})


def leg_of(row: RowMapping) -> LegState:
    """Return the leg in a row."""
    return LegState(**{name: row[name] for name in LegState.__slots__})


def recording_of(row: RowMapping) -> RecordingState:
    """Return the recording in a row."""
    return RecordingState(**{name: row[name] for name in RecordingState.__slots__})
