"""Read the raw tables of a plan. Values of a wrong kind are skipped: the models report them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from app.plan.values import DIALLED
from app.voice.numbers import parse_target

Mistake = tuple[str, str]
"""A table, and what is wrong in it."""
Raw = Mapping[str, Any]


def table_in(tables: Raw, key: str) -> Raw:
    """Return the table under a key, an empty one where there is none."""
    value = tables.get(key)
    return value if isinstance(value, dict) else {}


def tables_in(tables: Raw, key: str) -> Iterator[tuple[str, Raw]]:
    """Yield every table under a key with its name."""
    for name, table in table_in(tables, key).items():
        if isinstance(table, dict):
            yield name, table


def list_in(table: Raw, key: str) -> list[Any]:
    """Return the list under a key, an empty one where there is none."""
    value = table.get(key)
    return value if isinstance(value, list) else []


def addresses(written: object) -> Iterator[str]:
    """Yield the valid addresses of a list of numbers, SIP users or targets, in the form to compare, and `dialled`."""
    for target in written if isinstance(written, list) else []:
        keys = ("number", "user", "otherwise")
        value = next((target[key] for key in keys if key in target), None) if isinstance(target, dict) else target
        if value == DIALLED:
            yield DIALLED
        elif isinstance(value, str):
            with suppress(ValueError):
                yield parse_target(value)
