"""What a store holds, read straight from its tables."""

from typing import Any

from sqlalchemy import select, text

from app.records.model import tables
from app.records.store.store import Store

# Made by the writer; everything else follows from the receipts.
_KEYS = {"call_key", "dial_key", "report_key"}


def scalar(store: Store, query: str) -> Any:
    """Return the one value of a query."""
    with store.engine.connect() as connection:
        return connection.execute(text(query)).scalar_one()


def rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with store.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def states(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Return every state without its keys, in an order of its own."""
    with store.engine.connect() as connection:
        return {
            table.name: sorted(
                ({name: value for name, value in row.items() if name not in _KEYS} for row in found), key=repr
            )
            for table in (tables.calls, tables.dials, tables.legs, tables.recordings)
            for found in [connection.execute(select(table)).mappings().all()]
        }
