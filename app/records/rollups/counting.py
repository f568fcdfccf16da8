"""Count the hours and days that are over, so that figures need not look at their dials again.

It runs beside the write path and never in it: no webhook waits for a counter, on one node or on several. What is
counted is exact all the same. The writer leaves a mark, in its own transaction, for each dial that changes once its
hour may have been counted; a span with a mark is not used, and counted anew.
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
from app.records.model.tables import dials, late_changes, tallies, tally_spans
from app.records.rollups.groupings import (
    COLUMNS,
    NAMES,
    Apart,
    Tallies,
    Tally,
    by_less,
    count_dials,
    pack_waits,
    read_waits,
    rows_of,
)
from app.records.rollups.periods import HOUR, Level, Span, day_of, holds_any, hours_of, marked_times
from app.records.store.store import Store

log = logging.getLogger(__name__)

LOCK = 0x74616C6C  # Any number that no other application takes on this database.
_PAUSE = 0.01  # seconds between two transactions: on SQLite, webhooks write in between
_LONGEST = 0.02  # seconds after which a transaction takes no further span


def count_spans(store: Store, zone: tzinfo, *, at: int | None = None, stop: threading.Event | None = None) -> int:
    """Count every hour and day of `zone` that is over and not counted, or marked; tell how many that were.

    Of two that run at once one stops: no two transactions count beside each other. `at` is the time in milliseconds.
    Raises `StoreUnavailable`.
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
        log.info("spans_counted", extra={"spans": counted})
    return counted


@contextmanager
def _writing(connection: Connection, store: Store) -> Iterator[bool]:
    """Hold one transaction in which everything read is of one moment; tell whether nobody else holds one.

    The lock ends with the transaction, so that it is never left behind on a connection that others share.
    """
    connection.exec_driver_sql("BEGIN IMMEDIATE" if store.is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ")
    try:
        yield store.is_sqlite or bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": LOCK}))
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def _due(connection: Connection, zone: tzinfo, horizon: int) -> Iterator[tuple[Level, Span]]:
    """Give what is to be counted: hours and days from where the last count ended, then those that are marked."""
    last = connection.scalar(select(func.max(tally_spans.c.finish)).where(tally_spans.c.level == Level.HOUR.value))
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


def _count_for_a_while(connection: Connection, due: Iterator[tuple[Level, Span]]) -> int:
    """Count what is due until a transaction has lasted long enough; tell how many spans that were."""
    started, counted = time.monotonic(), 0
    while time.monotonic() - started < _LONGEST and (one := next(due, None)):
        _count(connection, *one)
        counted += 1
    return counted


def _count(connection: Connection, level: Level, span: Span) -> None:
    if level is Level.HOUR:
        _count_hour(connection, span)
    elif _is_whole(connection, span):
        _count_day(connection, span)


def _count_hour(connection: Connection, hour: Span) -> None:
    """Count an hour's dials. Its marks are answered by that, but its day has to be counted anew."""
    within = [dials.c.dial_key >= first_key(hour.start), dials.c.dial_key < first_key(hour.finish)]
    found = count_dials(connection, within, [dials.c[name] for name in NAMES])
    connection.execute(
        delete(late_changes).where(
            late_changes.c.dial_key >= first_key(hour.start), late_changes.c.dial_key < first_key(hour.finish)
        )
    )
    _drop(connection, Level.DAY, hour)
    _store(connection, Level.HOUR, hour, found)


def _count_day(connection: Connection, day: Span) -> None:
    """Add a day's hours up."""
    rows = connection.execute(
        select(*(tallies.c[name] for name in (*NAMES, "dials", "calls", "talk_seconds", "waits"))).where(
            *rows_of(Level.HOUR, Apart.EVERYTHING, day)
        )
    )
    found: Tallies = {}
    for *names, number, calls, talked, waits in rows:
        found.setdefault(tuple(names), Tally()).add(number, calls, talked, read_waits(waits))
    _store(connection, Level.DAY, day, found)


def _is_whole(connection: Connection, day: Span) -> bool:
    """Tell whether every hour of a day is counted and none marked."""
    counted = connection.scalar(
        select(func.count()).where(
            tally_spans.c.level == Level.HOUR.value,
            tally_spans.c.start >= day.start,
            tally_spans.c.finish <= day.finish,
        )
    )
    marked = connection.scalar(
        select(func.count()).where(
            late_changes.c.dial_key >= first_key(day.start), late_changes.c.dial_key < first_key(day.finish)
        )
    )
    return counted == len(hours_of(day)) and not marked


def _store(connection: Connection, level: Level, span: Span, found: Tallies) -> None:
    """Keep what was counted, told apart by everything and by less."""
    _drop(connection, level, span)
    connection.execute(insert(tally_spans).values(level=level.value, start=span.start, finish=span.finish))
    rows = [row for apart in Apart for row in _rows(level, apart, span, by_less(found, apart))]
    if rows:
        connection.execute(insert(tallies), rows)


def _rows(level: Level, apart: Apart, span: Span, found: Tallies) -> Iterator[dict[str, Any]]:
    for number, (names, tally) in enumerate(found.items()):
        yield {
            "level": level.value,
            "apart": apart.value,
            "start": span.start,
            "number": number,
            **dict.fromkeys(NAMES),
            **dict(zip(COLUMNS[apart], names, strict=True)),
            "dials": tally.dials,
            "calls": tally.calls,
            "talk_seconds": tally.talk_seconds,
            "waits": pack_waits(tally.waits),
        }


def _drop(connection: Connection, level: Level, span: Span) -> None:
    """Drop every span of a level that has a moment in common with this one."""
    overlapping = select(tally_spans.c.start).where(
        tally_spans.c.level == level.value,
        tally_spans.c.start < span.finish,
        tally_spans.c.start >= span.start - 2 * 24 * HOUR,
        tally_spans.c.finish > span.start,
    )
    for start in connection.scalars(overlapping).all():
        for apart in Apart:
            connection.execute(delete(tallies).where(*rows_of(level, apart, Span(start, start + 1))))
        connection.execute(delete(tally_spans).where(tally_spans.c.level == level.value, tally_spans.c.start == start))


def _drop_other_days(connection: Connection, store: Store, zone: tzinfo) -> None:
    """Start again where the time zone was changed: its days begin at other moments."""
    last = connection.scalar(select(func.max(tally_spans.c.start)).where(tally_spans.c.level == Level.DAY.value))
    if last is None or day_of(last, zone).start == last:
        return
    log.info("tallies_start_again", extra={"zone": str(zone)})
    with _writing(connection, store) as is_alone:
        if is_alone:
            connection.execute(delete(tallies))
            connection.execute(delete(tally_spans))
