"""Migrations: bring the tables to the version that this code needs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.records.model.receipt import StoreUnavailable
from app.records.store.files import lock_within, open_lock
from app.records.store.sqlite import lock_path
from app.records.store.store import Store

_MIGRATIONS = Path(__file__).parent / "migrations"
_PATIENCE = 60  # Seconds that another migration may take.
_LOCK = 0x6469616C  # An advisory lock of PostgreSQL; no other application uses this number.


def upgrade(store: Store) -> None:
    """Run the missing migrations, all or none; concurrent upgrades take turns. Without any missing it is a no-op.

    Raises `StoreUnavailable` when the store cannot be reached, is full or is damaged.
    """
    try:
        with _alone(store) as connection:
            command.upgrade(_alembic_config(connection), "head")
    except DBAPIError as error:
        raise StoreUnavailable(f"the tables cannot be brought up to date: {error.orig}") from error
    except CommandError as error:  # Alembic does not know the version of the tables.
        raise StoreUnavailable(
            "the tables belong to a newer version; run that version, or restore a backup made before the upgrade"
        ) from error


def downgrade(store: Store, revision: str) -> None:
    """Revert migrations down to a revision; `base` reverts all and deletes every record."""
    with _alone(store) as connection:
        command.downgrade(_alembic_config(connection), revision)


@contextmanager
def _alone(store: Store) -> Iterator[Connection]:
    """Yield a connection in a transaction that excludes other migrations."""
    with _turn(store), store.engine.connect() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql("PRAGMA busy_timeout = 60000")  # Another server may be migrating.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.exec_driver_sql("COMMIT")
        else:
            connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
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


def _alembic_config(connection: Connection) -> AlembicConfig:
    config = AlembicConfig()
    config.attributes["connection"] = connection
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config
