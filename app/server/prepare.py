"""What must be done before the first request."""

from importlib import import_module
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from app.records.store.store import Store
from app.records.store.version import is_current


def prepare(store: Store) -> None:
    """Bring SQLite's tables up to date. PostgreSQL's are `flask db upgrade`'s: many machines may share them.

    Raises `StoreUnavailable` where that cannot be done. What changes tables is imported only where they are to change:
    it would be a tenth of the server's memory, and of the time it takes to start.
    """
    if store.is_sqlite and not _is_current(store):
        import_module("app.records.store.migrate").upgrade(store)


def _is_current(store: Store) -> bool:
    # A file that is only just being made cannot be looked into; the upgrade waits its turn.
    if not Path(str(store.url.database)).exists():
        return False
    try:
        with store.engine.connect() as connection:
            return is_current(connection)
    except DBAPIError:
        return False
