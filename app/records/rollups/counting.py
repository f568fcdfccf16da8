"""Roll up the hours and days that are over, so that figures need not read their dials again.

Rollups are made beside the write path: no webhook waits for a counter, on one node or on several. They are exact: when
a dial changes after its hour may have been rolled up, the writer stores a late change in the same transaction. A period
with late changes is not used, and is rolled up again.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import tzinfo
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from app.records.model.ids import COUNTED_AFTER, first_key, key_time, now
from app.records.model.receipt import StoreUnavailable
from app.records.model.tables import dials, late_changes, rollup_periods, rollups
from app.records.rollups.groupings import (
    ALL_COLUMNS,
    COLUMNS,
    Grouping,
    Rollup,
    Rollups,
    count_dials,
    pack_waits,
    read_waits,
    regroup,
    rows_in,
)
from app.records.rollups.periods import HOUR, Level, Period, day_of, holds_any, hours_of, marked_times
from app.records.store.store import Store

log = logging.getLogger(__name__)

LOCK = 0x74616C6C  # An advisory lock of PostgreSQL; no other application uses this number.
_PAUSE = 0.01  # seconds between two transactions; on SQLite webhooks write in between
_LONGEST = 0.02  # seconds after which a transaction takes no further period


def update_rollups(store: Store, zone: tzinfo, *, at: int | None = None, stop: threading.Event | None = None) -> int:
    """Roll up every hour and day of `zone` that is over and new or has late changes; return how many.

    Of two concurrent runs one stops. `at` is the time in milliseconds. Raises `StoreUnavailable`.
    """
    stop = stop or threading.Event()
    counted = 0
    try:
        with store.engine.connect() as connection:
            if not store.is_sqlite:
                connection.execution_options(isolation_level="AUTOCOMMIT")  # Transactions are begun below.
            _drop_other_days(connection, store, zone)
            due = _due(connection, zone, (now() if at is None else at) - COUNTED_AFTER)
            while not stop.is_set():
                with _writing(connection, store) as is_alone:
                    done = _count_for_a_while(connection, due) if is_alone else 0
                if not done:
                    break
                counted += done
                stop.wait(_PAUSE)
    except DBAPIError as error:
        raise StoreUnavailable("the store did not answer in time") from error
    if counted:
        log.info("rollups_updated", extra={"periods": counted})
    return counted


@contextmanager
def _writing(connection: Connection, store: Store) -> Iterator[bool]:
    """Open a transaction on one snapshot; yield whether no other run has one.

    The lock ends with the transaction, so that it never stays behind on a pooled connection.
    """
    connection.exec_driver_sql("BEGIN IMMEDIATE" if store.is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ")
    try:
        yield store.is_sqlite or bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": LOCK}))
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def _due(connection: Connection, zone: tzinfo, horizon: int) -> Iterator[tuple[Level, Period]]:
    """Yield the periods to roll up: those after the last rollup, then those with late changes."""
    last = connection.scalar(
        select(func.max(rollup_periods.c.finish)).where(rollup_periods.c.level == Level.HOUR.value)
    )
    if last is None:
        first_dial = connection.scalar(select(func.min(dials.c.dial_key)))
        if first_dial is None:
            return
        last = day_of(key_time(first_dial), zone).start
    while last < horizon:
        day = day_of(last, zone)
        yield from ((Level.HOUR, hour) for hour in hours_of(day) if last <= hour.start and hour.finish <= horizon)
        if day.finish > horizon:
            break
        yield Level.DAY, day
        last = day.finish
    marked = {day_of(moment, zone) for moment in marked_times(connection)}
    for day in sorted(marked):
        moments = marked_times(connection)
        hours = [hour for hour in hours_of(day) if holds_any(hour, moments) and hour.finish <= horizon]
        yield from ((Level.HOUR, hour) for hour in hours)
        if hours and day.finish <= horizon:
            yield Level.DAY, day


def _count_for_a_while(connection: Connection, due: Iterator[tuple[Level, Period]]) -> int:
    """Roll up due periods until the transaction has lasted long enough; return how many."""
    started, counted = time.monotonic(), 0
    while time.monotonic() - started < _LONGEST and (one := next(due, None)):
        _count(connection, *one)
        counted += 1
    return counted


def _count(connection: Connection, level: Level, period: Period) -> None:
    if level is Level.HOUR:
        _count_hour(connection, period)
    elif _is_whole(connection, period):
        _count_day(connection, period)


def _count_hour(connection: Connection, hour: Period) -> None:
    """Roll up an hour and delete its late changes; its day becomes due again."""
    within = [dials.c.dial_key >= first_key(hour.start), dials.c.dial_key < first_key(hour.finish)]
    found = count_dials(connection, within, [dials.c[name] for name in ALL_COLUMNS])
    connection.execute(
        delete(late_changes).where(
            late_changes.c.dial_key >= first_key(hour.start), late_changes.c.dial_key < first_key(hour.finish)
        )
    )
    _drop(connection, Level.DAY, hour)
    _store(connection, Level.HOUR, hour, found)


def _count_day(connection: Connection, day: Period) -> None:
    """Roll up a day from its hours."""
    rows = connection.execute(
        select(*(rollups.c[name] for name in (*ALL_COLUMNS, "dials", "calls", "talk_seconds", "waits"))).where(
            *rows_in(Level.HOUR, Grouping.ALL, day)
        )
    )
    found: Rollups = {}
    for *values, number, calls, talked, waits in rows:
        found.setdefault(tuple(values), Rollup()).add(number, calls, talked, read_waits(waits))
    _store(connection, Level.DAY, day, found)


def _is_whole(connection: Connection, day: Period) -> bool:
    """Return whether all hours of a day are rolled up and without late changes."""
    counted = connection.scalar(
        select(func.count()).where(
            rollup_periods.c.level == Level.HOUR.value,
            rollup_periods.c.start >= day.start,
            rollup_periods.c.finish <= day.finish,
        )
    )
    marked = connection.scalar(
        select(func.count()).where(
            late_changes.c.dial_key >= first_key(day.start), late_changes.c.dial_key < first_key(day.finish)
        )
    )
    return counted == len(hours_of(day)) and not marked


def _store(connection: Connection, level: Level, period: Period, found: Rollups) -> None:
    """Store a period in every grouping."""
    _drop(connection, level, period)
    connection.execute(insert(rollup_periods).values(level=level.value, start=period.start, finish=period.finish))
    rows = [row for grouping in Grouping for row in _rows(level, grouping, period, regroup(found, grouping))]
    if rows:
        connection.execute(insert(rollups), rows)


def _rows(level: Level, grouping: Grouping, period: Period, found: Rollups) -> Iterator[dict[str, Any]]:
    for number, (values, rollup) in enumerate(found.items()):
        yield {
            "level": level.value,
            "apart": grouping.value,
            "start": period.start,
            "number": number,
            **dict.fromkeys(ALL_COLUMNS),
            **dict(zip(COLUMNS[grouping], values, strict=True)),
            "dials": rollup.dials,
            "calls": rollup.calls,
            "talk_seconds": rollup.talk_seconds,
            "waits": pack_waits(rollup.waits),
        }


def _drop(connection: Connection, level: Level, period: Period) -> None:
    """Delete every period of a level that overlaps this one."""
    overlapping = select(rollup_periods.c.start).where(
        rollup_periods.c.level == level.value,
        rollup_periods.c.start < period.finish,
        rollup_periods.c.start >= period.start - 2 * 24 * HOUR,
        rollup_periods.c.finish > period.start,
    )
    for start in connection.scalars(overlapping).all():
        for grouping in Grouping:
            connection.execute(delete(rollups).where(*rows_in(level, grouping, Period(start, start + 1))))
        connection.execute(
            delete(rollup_periods).where(rollup_periods.c.level == level.value, rollup_periods.c.start == start)
        )


def _drop_other_days(connection: Connection, store: Store, zone: tzinfo) -> None:
    """Delete all rollups when the time zone has changed: its days begin at other times."""
    last = connection.scalar(select(func.max(rollup_periods.c.start)).where(rollup_periods.c.level == Level.DAY.value))
    if last is None or day_of(last, zone).start == last:
        return
    log.info("rollups_restarted", extra={"zone": str(zone)})
    with _writing(connection, store) as is_alone:
        if is_alone:
            connection.execute(delete(rollups))
            connection.execute(delete(rollup_periods))
