"""PostgreSQL: the engine for reads and the connection that a journal writes with."""

import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine

from app.records.store.statements import Cursor, Statements

# Errors to retry at once: a duplicate key (once in four million pairs of a millisecond) and a deadlock.
TRANSIENT: tuple[type[Exception], ...] = (psycopg.IntegrityError, psycopg.errors.DeadlockDetected)
# Errors about the data rather than the database: a retry would not help.
REFUSALS: tuple[type[Exception], ...] = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
)
ERRORS: tuple[type[Exception], ...] = (psycopg.Error,)

_COPY_FROM = 8  # Rows. COPY takes two round trips, so that INSERT is faster for fewer.

CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"

# A server that vanishes is noticed within seconds; TCP's default takes two hours.
_OPTIONS: dict[str, Any] = {
    "application_name": "dialstatus",
    "connect_timeout": 2,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}


def make_statements() -> Statements:
    """Return the statements of the write path in PostgreSQL's dialect."""
    return PostgresqlStatements("%s", lock_rows=True)


class PostgresqlStatements(Statements):
    """The statements in PostgreSQL's dialect. Many rows are inserted by COPY, which takes a quarter less time."""

    def clock(self, cursor: Cursor) -> int:
        """Return the time in milliseconds by the clock of PostgreSQL: those of the nodes may differ."""
        cursor.execute(CLOCK)
        return int(cursor.fetchone()[0])

    def take_turns(self, cursor: Cursor, names: Iterable[str]) -> None:
        """Lock names until the end of the transaction, in an order that cannot deadlock."""
        locks = sorted({_lock_key(name) for name in names})
        cursor.execute("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key", (locks,))

    def insert(self, cursor: Any, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows with one of the INSERT statements."""
        if len(rows) < _COPY_FROM:
            super().insert(cursor, sql, rows)
            return
        with cursor.copy(_as_copy(sql)) as copy:
            for row in rows:
                copy.write_row(row)


@cache
def _as_copy(insert: str) -> str:
    columns = insert.removeprefix("INSERT INTO ").partition(" VALUES ")[0]
    return f"COPY {columns} FROM STDIN"


def make_engine(url: URL, _timeout: float) -> Engine:
    """Return the engine for reads."""
    return create_engine(url, pool_pre_ping=True, isolation_level="AUTOCOMMIT", connect_args=_OPTIONS)


def connect_writer(engine: Engine, url: URL, timeout: float, *, in_turn: bool) -> "PostgresqlWriter":  # noqa: ARG001
    """Open a connection for writing. Transactions lock calls, so `in_turn` has no effect."""
    _, arguments = engine.dialect.create_connect_args(url)
    return PostgresqlWriter(psycopg.connect(**_OPTIONS, **arguments, autocommit=True), timeout)


class PostgresqlWriter:
    """A connection for writing; its transactions lock the calls they write."""

    def __init__(self, connection: psycopg.Connection[Any], timeout: float) -> None:
        self._connection = connection
        self._connection.add_notice_handler(self._take_notice)
        self._warning: str | None = None
        self.cursor: Cursor = connection.cursor()
        # A duplicate: the driver's descriptor may be closed, and its number reused, while another thread shuts it down.
        self._socket = socket.socket(fileno=socket.dup(connection.fileno()))
        milliseconds = int(timeout * 1000)
        self._begin = (
            f"BEGIN; SET LOCAL lock_timeout = {milliseconds}; SET LOCAL statement_timeout = {milliseconds}; "
            "SET LOCAL idle_in_transaction_session_timeout = 5000; "
            # Every statement has an index. A plan made while tables were empty would scan them whole until they are
            # analysed, and a new server would slow down in its first minutes.
            "SET LOCAL enable_seqscan = off"
        )

    def acquire_turn(self) -> None:
        """Return at once: transactions on different calls run in parallel."""

    def release_turn(self) -> None:
        """Return at once."""

    def begin(self, names: list[str]) -> None:
        """Start a transaction that locks these names: calls and nonces."""
        # Advisory locks also cover calls without a row yet. Sorted, so that two nodes cannot deadlock.
        locks = ",".join(map(str, sorted({_lock_key(name) for name in names})))
        # One statement is parsed and planned once; an array keeps its order.
        take = f"; SELECT pg_advisory_xact_lock(key) FROM unnest('{{{locks}}}'::bigint[]) AS key"  # noqa: S608 - Integers.
        self.cursor.execute(self._begin + take if locks else self._begin)

    def abort(self) -> None:
        """Make the operation under way in another thread fail at once."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def commit(self) -> None:
        """Commit. Raises when a synchronous standby did not confirm: PostgreSQL only warns about that."""
        self._warning = None
        self.cursor.execute("COMMIT")
        if self._warning is not None:
            raise psycopg.OperationalError(self._warning)

    def rollback(self) -> None:
        """Roll the transaction back."""
        self.cursor.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        with suppress(psycopg.Error):
            self._connection.close()
        self._socket.close()

    def _take_notice(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            self._warning = notice.message_primary


def _lock_key(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(errors="replace"), digest_size=8).digest(), "big", signed=True)
