"""The queries that a page sends to the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

Queries = list[tuple[str, Any]]


@contextmanager
def recording_queries(engine: Engine) -> Iterator[Queries]:
    """Yield a list that collects every query with its parameters."""
    queries: Queries = []

    def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, _many: bool) -> None:
        if sql.startswith(("SELECT", "WITH")) and "advisory" not in sql:
            queries.append((sql, parameters))

    event.listen(engine, "before_cursor_execute", note)
    yield queries
    event.remove(engine, "before_cursor_execute", note)
