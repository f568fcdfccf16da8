"""Read a database from outside the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.records.store.store import Store
from config import Config


@contextmanager
def looking_into(database_url: str, scratch: Path) -> Iterator[Connection]:
    """Yield a connection for reading, and close everything afterwards."""
    config = Config.load({"DATABASE_URL": database_url, "INSTANCE_DIR": str(scratch)})
    store = Store(config.database_url, timeout=5)
    try:
        with store.engine.connect() as connection:
            yield connection
    finally:
        store.close()


def rows(database_url: str, scratch: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with looking_into(database_url, scratch) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]
