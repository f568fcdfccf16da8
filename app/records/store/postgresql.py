"""PostgreSQL: how it is connected to, and how a journal writes to it. Imported only where it is used."""

import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine

from app.records.store.statements import Cursor, Statements

# Worth a second try at once: a key that was taken (one in four million per shared millisecond), a lock cycle.
TRANSIENT: tuple[type[Exception], ...] = (psycopg.IntegrityError, psycopg.errors.DeadlockDetected)
# Of all the errors of a database, these are about what it was given.
REFUSALS: tuple[type[Exception], ...] = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
)
ERRORS: tuple[type[Exception], ...] = (psycopg.Error,)

_COPIED = 8  # Rows from which on copying them is faster: it asks the server twice where an insert asks once.

# A server that vanished without a word is noticed within seconds, not within the two hours of TCP's own default.
_OPTIONS: dict[str, Any] = {
    "application_name": "dialstatus",
    "connect_timeout": 2,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}


def make_statements() -> Statements:
    """Write the write path's statements in PostgreSQL's form."""
    return PostgresqlStatements("%s", lock_rows=True)


class PostgresqlStatements(Statements):
    """The statements in PostgreSQL's form. Many rows are copied: an execution of each takes a third longer."""

    def insert(self, cursor: Any, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows by one of the statements for that."""
        if len(rows) < _COPIED:
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
    """Make the engine that reads go through."""
    return create_engine(url, pool_pre_ping=True, isolation_level="AUTOCOMMIT", connect_args=_OPTIONS)


def connect_writer(engine: Engine, timeout: float, *, in_turn: bool) -> "PostgresqlWriter":  # noqa: ARG001
    """Open a connection to write with; nodes take turns by call, so there is no other turn to wait for."""
    _, arguments = engine.dialect.create_connect_args(engine.url)
    return PostgresqlWriter(psycopg.connect(**_OPTIONS, **arguments, autocommit=True), timeout)


class PostgresqlWriter:
    """A connection whose transactions are alone on the calls they write."""

    def __init__(self, connection: psycopg.Connection[Any], timeout: float) -> None:
        self._connection = connection
        self._connection.add_notice_handler(self._hear)
        self._warning: str | None = None
        self.cursor: Cursor = connection.cursor()
        # A descriptor of its own: the driver's may be closed, and its number reused, while another thread looks at it.
        self._socket = socket.socket(fileno=socket.dup(connection.fileno()))
        milliseconds = int(timeout * 1000)
        self._begin = (
            f"BEGIN; SET LOCAL lock_timeout = {milliseconds}; SET LOCAL statement_timeout = {milliseconds}; "
            "SET LOCAL idle_in_transaction_session_timeout = 5000; "
            # Each statement has its index. A plan made while the tables were empty reads them whole, and is kept
            # until they are analysed: a new server would grow slower and slower in its first minutes.
            "SET LOCAL enable_seqscan = off"
        )

    def acquire_turn(self) -> None:
        """Do nothing: transactions on different calls go on side by side."""

    def leave(self) -> None:
        """Do nothing."""

    def begin(self, calls: list[str]) -> None:
        """Start a transaction alone on the named calls."""
        # Nodes that hear of one call at once take turns, also before its row exists. Taken in order: no deadlock.
        locks = ",".join(map(str, sorted({_lock_key(call) for call in calls})))
        # In one statement: PostgreSQL would read and plan each anew. An array is gone through in its order.
        take = f"; SELECT pg_advisory_xact_lock(key) FROM unnest('{{{locks}}}'::bigint[]) AS key"  # noqa: S608 - Integers.
        self.cursor.execute(self._begin + take if locks else self._begin)

    def abort(self) -> None:
        """Make an operation that another thread waits for fail at once."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def commit(self) -> None:
        """Commit. A standby that does not confirm in time makes it a mere warning: the rows are on one disk only."""
        self._warning = None
        self.cursor.execute("COMMIT")
        if self._warning is not None:
            raise psycopg.OperationalError(self._warning)

    def rollback(self) -> None:
        """Undo what the transaction wrote."""
        self.cursor.execute("ROLLBACK")

    def discard(self) -> None:
        """Let go of the connection."""
        with suppress(psycopg.Error):
            self._connection.close()
        self._socket.close()

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            self._warning = notice.message_primary


def _lock_key(call: str) -> int:
    return int.from_bytes(blake2b(call.encode(errors="replace"), digest_size=8).digest(), "big", signed=True)
