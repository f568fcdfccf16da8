"""Delete records: those that are too old, and those of a person who asked for it.

Calls are deleted with their dials, legs, recordings and receipts, a few per transaction, so that webhooks can write in
between.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, Select, String, Table, Text, cast, func, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from app.records.maintenance.check import delete_states
from app.records.maintenance.check_followups import count_mentions, forget_notes
from app.records.model.ids import first_key, make_key, now
from app.records.model.receipt import StoreUnavailable
from app.records.model.tables import call_rollups, calls, dials, legs, receipts, recordings, rollup_hours
from app.records.model.tables_events import announced, deliveries, events, outbox
from app.records.model.tables_followup import followup_calls, recording_marks
from app.records.rollups.counting import HOUR
from app.records.rollups.update import hour_of, marked_hours, update_rollups
from app.records.spool.spool import Spool
from app.records.store.sqlite import truncate_wal
from app.records.store.store import Store
from app.records.store.version import tables_of_this_version
from app.records.writing.followup_rows import EVERY_CALL, Touch, update_followups
from app.records.writing.followups import DEFAULT_RULES, Rules, parties

OnProgress = Callable[[int], None]  # Called after each step with the number done since the last one.

_BATCH = 50
_SCANNED = 2000
_PAUSE = 0.02  # Seconds between two transactions; webhooks write in between.
_TABLES = (receipts, calls, dials, legs, recordings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was erased, and how many mentions a second search found: `left` must be 0."""

    calls: int
    spooled: int
    left: int


def count_older(store: Store, *, before: int) -> int:
    """Return the number of calls that began before a time in milliseconds."""
    query = select(func.count()).select_from(calls).where(calls.c.call_key < first_key(before))
    with tables_of_this_version(store) as connection:
        return connection.execute(query).scalar_one()


def prune(store: Store, *, before: int, step: OnProgress, rules: Rules = DEFAULT_RULES) -> int:
    """Delete the calls that began before a time in milliseconds, rounded down to the hour; return how many.

    Their hours are counted first and never again, so that figures of the past remain. Raises `StoreUnavailable`; what
    was deleted by then stays deleted.
    """
    _require_tables(store)
    update_rollups(store)
    before = _close_hours(store, before)
    oldest = select(calls.c.call_key).where(calls.c.call_key < first_key(before)).order_by(calls.c.call_key)
    deleted = 0
    while keys := _keys(store, oldest.limit(_BATCH)):
        _delete(store, keys, rules)
        deleted += len(keys)
        step(len(keys))
        time.sleep(_PAUSE)
    return deleted


def _close_hours(store: Store, before: int) -> int:
    """Mark the hours before a time as pruned; return where they end: at the first hour that is not counted, at most."""
    with _connected(store) as connection:
        hours = connection.execute(select(rollup_hours.c.hour, rollup_hours.c.is_pruned))
        is_pruned = {row.hour: row.is_pruned for row in hours}
        oldest = connection.scalar(select(func.min(calls.c.call_key)))
        if oldest is None or hour_of(oldest) not in is_pruned:
            return 0
        late = [hour for hour in marked_hours(connection) if not is_pruned.get(hour, True)]
        before = min([before // HOUR * HOUR, max(is_pruned) + HOUR, *late])
        connection.execute(update(rollup_hours).where(rollup_hours.c.hour < before).values(is_pruned=True))
    return before


def count_receipts(store: Store) -> int:
    """Return how many receipts `erase` reads. Raises `StoreUnavailable`."""
    with tables_of_this_version(store) as connection:
        return connection.execute(select(func.count()).select_from(receipts)).scalar_one()


def erase(store: Store, spool: Spool, person: str, step: OnProgress, rules: Rules = DEFAULT_RULES) -> Erased:
    """Delete every call that mentions a person, a number in E.164 or a `sip:` address, and search everything again.

    Calls are deleted whole, also those with other participants. Their hours are counted again; of pruned hours the
    figures stay, without the person. `step` is called with
    the number of receipts read. Backups and the logs of the database keep what they hold. Raises `StoreUnavailable`;
    what was deleted by then stays deleted.
    """
    _require_tables(store)
    pattern = _mention(person)
    found = 0
    for keys in _mentioning(store, person, pattern, step):
        for start in range(0, len(keys), _BATCH):
            _delete(store, keys[start : start + _BATCH], rules, is_counted_again=True)
            time.sleep(_PAUSE)
        found += len(keys)
    _make_nameless(store, person, pattern)
    with _connected(store) as connection:
        forget_notes(connection, person, pattern)
    spooled = spool.remove(lambda text: bool(pattern.search(text)))
    _forget_free_space(store)
    left = sum(len(keys) for keys in _mentioning(store, person, pattern, step))
    with _connected(store) as connection:
        left += count_mentions(connection, person, pattern)
    return Erased(calls=found, spooled=spooled, left=left + spool.count(lambda text: bool(pattern.search(text))))


def _mention(person: str) -> re.Pattern[str]:
    """Return the pattern that finds a person in a text, but not within a longer number or name."""
    if person.startswith("sip:"):
        return re.compile(rf"(?<![\w.+-]){re.escape(person[4:])}(?![\w-]|\.\w)", re.IGNORECASE)
    return re.compile(rf"(?<![0-9]){re.escape(person.removeprefix('+'))}(?![0-9])")


def _mentioning(store: Store, person: str, pattern: re.Pattern[str], step: OnProgress) -> Iterator[list[int]]:
    """Yield the keys of calls that mention a person, a part of the store at a time."""
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


def _delete(store: Store, call_keys: Sequence[int], rules: Rules, *, is_counted_again: bool = False) -> None:
    """Delete calls whole; with `is_counted_again`, the figures of their hours lose them too."""
    sql = store.statements
    with store.write() as cursor:
        if store.is_sqlite:
            cursor.execute("PRAGMA secure_delete = ON")  # Overwrite deleted rows.
        cursor.execute(sql.calls_by_key, (sql.many(call_keys),))  # Locks the calls on PostgreSQL.
        numbers = {number for row in cursor.fetchall() for number in parties(sql.calls.read(row))}
        for call_key in call_keys:
            for table in (receipts, outbox, deliveries, events, announced, followup_calls, recording_marks):
                cursor.execute(f"DELETE FROM {table.name} WHERE call_key = {sql.mark}", (call_key,))  # noqa: S608
            delete_states(cursor, sql, call_key)
            if is_counted_again:
                cursor.execute(sql.late_change, (make_key(now()), call_key))
        update_followups(cursor, sql, dict.fromkeys(numbers, Touch(is_needed=False)), rules, limit=EVERY_CALL)
        cursor.execute(sql.delete_lone_marks, (sql.many(numbers),))


def _make_nameless(store: Store, person: str, pattern: re.Pattern[str]) -> None:
    """Remove a person from the counted hours. Those that are not pruned are counted again without the calls."""
    needle = person.removeprefix("sip:").removeprefix("+")
    with _connected(store) as connection:
        for column in (call_rollups.c.to_number, call_rollups.c.target, call_rollups.c.answered_by):
            found = connection.execute(select(column).where(_contains(column, needle)).distinct()).scalars()
            naming = [text for text in found if pattern.search(text)]
            connection.execute(update(call_rollups).where(column.in_(naming)).values({column: None}))


def _forget_free_space(store: Store) -> None:
    """Overwrite what deleted rows leave in the files of the database."""
    with _connected(store) as connection:
        if store.is_sqlite:
            if not truncate_wal(connection):
                raise StoreUnavailable("deleted rows are still in the write-ahead log; run the command again")
        else:
            for table in (*_TABLES, call_rollups):
                connection.exec_driver_sql(f"VACUUM {table.name}")
