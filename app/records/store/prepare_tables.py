"""The tables at start: those of a new SQLite file are created here, older ones are migrated by another process.

Alembic is large and a server seldom needs it, so only `migrate.py` loads it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from app.records.model.receipt import StoreUnavailable
from app.records.model.tables import metadata
from app.records.store.files import lock_within, open_lock
from app.records.store.sqlite import lock_path
from app.records.store.store import Store
from app.records.store.version import NEWEST, is_current

_ROOT = Path(__file__).parents[3]
_PATIENCE = 60  # Seconds that another migration may take.
_LOCK = 0x6469616C  # An advisory lock of PostgreSQL; no other application uses this number.


def prepare_tables(store: Store) -> None:
    """Bring the tables of a SQLite file up to date. Raises `StoreUnavailable` when that fails."""
    database = Path(str(store.url.database))
    if (database.exists() and _is_current(store)) or _create(store):
        return
    address = store.url.set(database=str(database.absolute())).render_as_string()
    migrating = subprocess.run(  # noqa: S603 - The path of the database from the settings; no shell reads it.
        [sys.executable, "-m", "app.records.store.migrate", address],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if migrating.returncode:
        reason = migrating.stderr.strip().splitlines()[-1:]
        raise StoreUnavailable("".join(reason) or "the tables cannot be brought up to date")


def _is_current(store: Store) -> bool:
    try:
        with store.engine.connect() as connection:
            return is_current(connection)
    except DBAPIError:  # A file that is being made cannot be read yet.
        return False


def _create(store: Store) -> bool:
    """Create the tables of this version in a file without any; return False where there are tables."""
    try:
        with alone(store) as connection:
            if inspect(connection).get_table_names():
                return is_current(connection)
            metadata.create_all(connection)
            connection.exec_driver_sql(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
            connection.execute(text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": NEWEST})
    except DBAPIError as error:
        raise StoreUnavailable(f"the tables cannot be brought up to date: {error.orig}") from error
    return True


@contextmanager
def alone(store: Store) -> Iterator[Connection]:
    """Yield a connection in a transaction that excludes other migrations."""
    with _turn(store), store.engine.connect() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql("PRAGMA busy_timeout = 60000")  # Another server may be migrating.
        with store.begin(connection):
            if not store.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            yield connection


@contextmanager
def _turn(store: Store) -> Iterator[None]:
    """Wait for other processes before the file is opened: SQLite does not queue a switch to WAL, it fails."""
    if not store.is_sqlite:
        yield
        return
    database = Path(str(store.url.database))
    try:
        file = open_lock(lock_path(database, "turn"))
    except OSError as error:
        raise StoreUnavailable(f"the tables cannot be brought up to date: {database}: {error.strerror}") from error
    with file:
        lock_within(file, _PATIENCE)
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        yield
