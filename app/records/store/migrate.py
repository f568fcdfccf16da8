"""Bring the store's tables to the state this version needs."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.records.model.receipt import StoreUnavailable
from app.records.store.store import Store

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6469616C  # Any number that no other application takes on this database.


def upgrade(store: Store) -> None:
    """Run the migrations that are missing, all or none; two that start at once take turns. Again changes nothing.

    Raises `StoreUnavailable` where the store cannot be reached, has no room, or is damaged.
    """
    try:
        with _alone(store) as connection:
            command.upgrade(_alembic_config(connection), "head")
    except DBAPIError as error:
        raise StoreUnavailable(f"the tables cannot be brought up to date: {error.orig}") from error
    except CommandError as error:  # Alembic finds no migration of the name that the tables bear.
        raise StoreUnavailable(
            "the tables are those of another, newer version; run that one, or restore a backup made before it"
        ) from error


def downgrade(store: Store, revision: str) -> None:
    """Take migrations back down to a revision; `base` takes back all, and with them every record."""
    with _alone(store) as connection:
        command.downgrade(_alembic_config(connection), revision)


@contextmanager
def _alone(store: Store) -> Iterator[Connection]:
    """Give a connection in a transaction that no other migration runs beside."""
    with _turn(store), store.engine.connect() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql("PRAGMA busy_timeout = 60000")  # Another server may be at it just now.
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
    """Queue with other processes before SQLite's file is opened: turning a new one to WAL is refused, not queued."""
    if not store.is_sqlite:
        yield
        return
    try:
        file = Path(f"{store.url.database}-turn").open("w")  # noqa: SIM115  # The lock lives as long as the file.
    except OSError as error:
        raise StoreUnavailable(
            f"the tables cannot be brought up to date: {store.url.database}: {error.strerror}"
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _alembic_config(connection: Connection) -> AlembicConfig:
    config = AlembicConfig()
    config.attributes["connection"] = connection
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config
