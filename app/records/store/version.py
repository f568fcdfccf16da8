"""The version of the tables, read without Alembic, which is large."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from app.records.model.receipt import StoreUnavailable
from app.records.store.store import Store

NEWEST = "0016"  # The newest migration; a test compares the two.
NOT_CURRENT = "the tables are not those of this version; run flask --app wsgi db upgrade"


def version_of(connection: Connection) -> str | None:
    """Return the newest migration that was run; None for a store without tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def is_current(connection: Connection) -> bool:
    """Return whether the tables are those of this version."""
    return version_of(connection) == NEWEST


@contextmanager
def tables_of_this_version(store: Store) -> Iterator[Connection]:
    """Yield a connection to tables of this version.

    Raises `StoreUnavailable` when the tables are of another version or the store cannot be read.
    """
    try:
        with store.engine.connect() as connection:
            if not is_current(connection):
                raise StoreUnavailable(NOT_CURRENT)
            yield connection
    except DBAPIError as error:
        raise StoreUnavailable(f"the store cannot be read: {str(error.orig).splitlines()[0]}") from error
