"""What must be done before the first request."""

from typing import cast

from flask import Flask

from app.context import EXTENSION, Services
from app.records import migrate


def prepare(app: Flask) -> None:
    """Bring SQLite's tables up to date. PostgreSQL's are `flask db upgrade`'s: many machines may share them."""
    shared = cast(Services, app.extensions[EXTENSION])
    if shared.store.is_sqlite:
        migrate.upgrade(shared.store)
