"""Records that leave: those that are too old, and those of a person who asked for it.

Calls leave whole, with their dials, legs, recordings and receipts, a few in each transaction, and between two
transactions the webhooks have their turn.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo

from sqlalchemy import Column, ColumnElement, Connection, Select, String, Table, Text, cast, func, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from app.records.maintenance.check import delete_states
from app.records.model.ids import first_key
from app.records.model.receipt import StoreUnavailable
from app.records.model.tables import calls, dials, legs, receipts, recordings, rollup_periods, rollups
from app.records.rollups.counting import update_rollups
from app.records.rollups.periods import Level
from app.records.spool.spool import Spool
from app.records.store.sqlite import truncate_wal
from app.records.store.store import Store
from app.records.store.version import tables_of_this_version

OnProgress = Callable[[int], None]  # Told after each step how many were dealt with since the last one.

_BATCH = 50
_SCANNED = 2000
_PAUSE = 0.02  # Seconds in which whoever waits for the store gets it.
_TABLES = (receipts, calls, dials, legs, recordings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was erased, and what was found when everything was searched once more: `left` must be 0."""

    calls: int
    spooled: int
    left: int


def count_older(store: Store, *, before: int) -> int:
    """Count the calls that began before a time in milliseconds."""
    query = select(func.count()).select_from(calls).where(calls.c.call_key < first_key(before))
    with tables_of_this_version(store) as connection:
        return connection.execute(query).scalar_one()


def prune(store: Store, *, before: int, zone: tzinfo, step: OnProgress) -> int:
    """Delete the calls that began before a time in milliseconds, oldest first; tell how many.

    They are counted first, by the days of `zone`: figures of the past outlive what they were counted from. Raises
    `StoreUnavailable`; what was deleted by then stays deleted.
    """
    _require_tables(store)
    update_rollups(store, zone)
    before = min(before, _counted_until(store))
    oldest = select(calls.c.call_key).where(calls.c.call_key < first_key(before)).order_by(calls.c.call_key)
    deleted = 0
    while keys := _keys(store, oldest.limit(_BATCH)):
        _delete(store, keys)
        deleted += len(keys)
        step(len(keys))
        time.sleep(_PAUSE)
    return deleted


def _counted_until(store: Store) -> int:
    last = select(func.coalesce(func.max(rollup_periods.c.finish), 0)).where(rollup_periods.c.level == Level.HOUR.value)
    return _keys(store, last)[0]


def count_receipts(store: Store) -> int:
    """Count the receipts that `erase` will read. Raises `StoreUnavailable`."""
    with tables_of_this_version(store) as connection:
        return connection.execute(select(func.count()).select_from(receipts)).scalar_one()


def erase(store: Store, spool: Spool, person: str, step: OnProgress) -> Erased:
    """Delete every call that mentions a person, a number in E.164 or a `sip:` address, and search everything again.

    A call leaves whole, whoever else took part in it; what was counted of the past stays, without the person. `step`
    is told of receipts read. Copies made by `backup` and the database's own logs and backups hold what they held.
    Raises `StoreUnavailable`; what was deleted by then stays deleted.
    """
    _require_tables(store)
    pattern = _mention(person)
    found = 0
    for keys in _mentioning(store, person, pattern, step):
        for start in range(0, len(keys), _BATCH):
            _delete(store, keys[start : start + _BATCH])
            time.sleep(_PAUSE)
        found += len(keys)
    _make_nameless(store, person, pattern)
    spooled = spool.remove(lambda text: bool(pattern.search(text)))
    _forget_free_space(store)
    left = sum(len(keys) for keys in _mentioning(store, person, pattern, step))
    return Erased(calls=found, spooled=spooled, left=left + spool.count(lambda text: bool(pattern.search(text))))


def _mention(person: str) -> re.Pattern[str]:
    """Give the pattern that finds a person in a text: their digits, and not within longer ones."""
    if person.startswith("sip:"):
        return re.compile(rf"(?<![\w.+-]){re.escape(person[4:])}(?![\w-]|\.\w)", re.IGNORECASE)
    return re.compile(rf"(?<![0-9]){re.escape(person.removeprefix('+'))}(?![0-9])")


def _mentioning(store: Store, person: str, pattern: re.Pattern[str], step: OnProgress) -> Iterator[list[int]]:
    """Give the keys of the calls that mention a person, a part of the store at a time."""
    needle = person.removeprefix("sip:").removeprefix("+")
    last = -1
    while True:
        bound = select(receipts.c.receipt_key).where(receipts.c.receipt_key > last).order_by(receipts.c.receipt_key)
        reached = _keys(store, bound.limit(_SCANNED))
        if not reached:
            break
        yield _search(store, receipts, needle, pattern, (last, reached[-1]))
        last = reached[-1]
        step(len(reached))
    for table in _TABLES[1:]:
        yield _search(store, table, needle, pattern, None)


def _search(
    store: Store, table: Table, needle: str, pattern: re.Pattern[str], within: tuple[int, int] | None
) -> list[int]:
    texts = [column for column in table.columns if _is_text(column.type)]
    query = select(table.c.call_key, *texts).where(or_(*(_contains(column, needle) for column in texts)))
    if within is not None:
        query = query.where(table.c.receipt_key > within[0], table.c.receipt_key <= within[1])
    with _connected(store) as connection:
        rows = connection.execute(query).all()
    return sorted({row[0] for row in rows if any(pattern.search(text) for text in row[1:] if text)})


def _is_text(kind: TypeEngine[object]) -> bool:
    return isinstance(kind, Text)


def _contains(column: Column[str], needle: str) -> ColumnElement[bool]:
    return func.lower(cast(column, String)).contains(needle.lower(), autoescape=True)


def _keys(store: Store, query: Select[int]) -> list[int]:
    with _connected(store) as connection:
        return list(connection.execute(query).scalars())


def _require_tables(store: Store) -> None:
    with tables_of_this_version(store):
        pass


@contextmanager
def _connected(store: Store) -> Iterator[Connection]:
    try:
        with store.engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise StoreUnavailable(f"the store broke off: {str(error.orig).splitlines()[0]}") from error


def _delete(store: Store, call_keys: Iterable[int]) -> None:
    writer = store.connect_writer()
    sql = store.statements
    try:
        if store.is_sqlite:
            writer.cursor.execute("PRAGMA secure_delete = ON")  # Deleted means overwritten, not only forgotten.
        writer.begin([])
        for call_key in call_keys:
            writer.cursor.execute(sql.call_by_key, (call_key,))  # Who hears of this call just now waits, or we do.
            writer.cursor.execute(f"DELETE FROM receipts WHERE call_key = {sql.mark}", (call_key,))  # noqa: S608
            for table in ("outbox", "late_changes"):
                of_call = f"SELECT dial_key FROM dials WHERE call_key = {sql.mark}"  # noqa: S608
                writer.cursor.execute(f"DELETE FROM {table} WHERE dial_key IN ({of_call})", (call_key,))  # noqa: S608
            delete_states(writer.cursor, sql, call_key)
        writer.commit()
    except store.errors as error:
        raise StoreUnavailable(f"the store took no deletion: {error}") from error
    finally:
        writer.discard()


def _make_nameless(store: Store, person: str, pattern: re.Pattern[str]) -> None:
    """Take a person out of what was counted: the numbers stay, for whom they were counted does not."""
    needle = person.removeprefix("sip:").removeprefix("+")
    with _connected(store) as connection:
        for column in (rollups.c.to_number, rollups.c.targets, rollups.c.answered_by):
            found = connection.execute(select(column).where(_contains(column, needle)).distinct()).scalars()
            naming = [text for text in found if pattern.search(text)]
            connection.execute(update(rollups).where(column.in_(naming)).values({column: None}))


def _forget_free_space(store: Store) -> None:
    """Overwrite what deleted rows leave behind in the database's own files."""
    with _connected(store) as connection:
        if store.is_sqlite:
            if not truncate_wal(connection):
                raise StoreUnavailable("what was deleted is still in the database's log; run this once more")
        else:
            for table in (*_TABLES, rollups):
                connection.exec_driver_sql(f"VACUUM {table.name}")
