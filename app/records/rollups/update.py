"""Count the hours that are over, so that figures need not read their calls again.

Hours are counted beside the write path: no webhook waits for a counter. They are exact: when a call changes after its
hour may have been counted, the writer stores a late change in the same transaction, and the hour is counted again.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain

from sqlalchemy import BigInteger, Connection, Insert, bindparam, delete, func, insert, literal, select, text
from sqlalchemy.exc import DBAPIError

from app.records.model.ids import COUNTED_AFTER, first_key, key_time, now
from app.records.model.periodic_job import PeriodicJob
from app.records.model.receipt import StoreUnavailable
from app.records.model.tables import call_rollups, calls, dials, late_changes, rollup_hours
from app.records.rollups.counting import HOUR, KINDS, MEASURES, Kind, Unit, columns_of, count
from app.records.store.store import Store

log = logging.getLogger(__name__)

OnProgress = Callable[[int, int], None]  # Called after each step with the hours counted and those still to count.

LOCK = 0x74616C6C  # An advisory lock of PostgreSQL; no other application uses this number.
_HOUR_OF_KEYS = first_key(key_time(0) + HOUR)
_PAUSE = 0.01  # Seconds between two transactions; on SQLite webhooks write in between.
_LONGEST = 0.02  # Seconds after which a transaction takes no further hour.
_REPORTED = 30.0  # Seconds between two log lines of a long run.


def hour_of(call_key: int) -> int:
    """Return the beginning of the hour that a call belongs to, in milliseconds."""
    return key_time(call_key // _HOUR_OF_KEYS * _HOUR_OF_KEYS)


def update_rollups(
    store: Store, *, at: int | None = None, stop: threading.Event | None = None, step: OnProgress | None = None
) -> int:
    """Count every hour that is over and new or has late changes, the newest first; return how many.

    Of two concurrent runs one stops. `at` is the time in milliseconds. Raises `StoreUnavailable`.
    """
    stop = stop or threading.Event()
    horizon = ((now() if at is None else at) - COUNTED_AFTER) // HOUR * HOUR
    counted = 0
    try:
        with store.engine.connect() as connection:
            if not store.is_sqlite:
                connection.execution_options(isolation_level="AUTOCOMMIT")  # Transactions are begun below.
            while not stop.is_set():
                with _writing(connection, store) as is_alone:
                    done = _count_for_a_while(connection, store, horizon) if is_alone else 0
                if not done:
                    break
                counted += done
                if step is not None:
                    step(done, sum(map(len, _due(connection, horizon))))
                stop.wait(_PAUSE)
    except DBAPIError as error:
        raise StoreUnavailable("the store did not answer in time") from error
    if counted:
        log.info("rollups_updated", extra={"hours": counted})
    return counted


def marked_hours(connection: Connection, *, since: int = 0, until: int = 1 << 62) -> list[int]:
    """Return the hours with late changes that begin between two times in milliseconds, in order."""
    key = late_changes.c.call_key
    within = [key >= first_key(since), key < first_key(until)]
    found = connection.scalars(select(key // _HOUR_OF_KEYS).where(*within).distinct())
    return sorted(key_time(hour * _HOUR_OF_KEYS) for hour in found)


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


def _due(connection: Connection, horizon: int) -> tuple[Sequence[int], ...]:
    """Return the hours to count: those with late changes, those since the last count, then older ones."""
    first, last = connection.execute(select(func.min(rollup_hours.c.hour), func.max(rollup_hours.c.hour))).one()
    oldest = connection.scalar(select(func.min(calls.c.call_key)))
    if first is None:
        first, last = horizon, horizon - HOUR
    older = range(first - HOUR, (first if oldest is None else hour_of(oldest)) - HOUR, -HOUR)
    return marked_hours(connection, since=first, until=last + HOUR), range(last + HOUR, horizon, HOUR), older


def _count_for_a_while(connection: Connection, store: Store, horizon: int) -> int:
    """Count due hours until the transaction has lasted long enough; return how many."""
    started = time.monotonic()
    counted = 0
    for hour in chain(*_due(connection, horizon)):
        _count_hour(connection, hour, is_sqlite=store.is_sqlite)
        counted += 1
        if time.monotonic() - started > _LONGEST:
            break
    return counted


def _count_hour(connection: Connection, hour: int, *, is_sqlite: bool) -> None:
    """Count an hour and delete its late changes. What a pruned hour has lost cannot be counted."""
    low, high = first_key(hour), first_key(hour + HOUR)
    connection.execute(delete(late_changes).where(late_changes.c.call_key >= low, late_changes.c.call_key < high))
    if connection.scalar(select(rollup_hours.c.is_pruned).where(rollup_hours.c.hour == hour)):
        return
    kinds = [kind.value for kind in Kind]
    connection.execute(delete(call_rollups).where(call_rollups.c.kind.in_(kinds), call_rollups.c.hour == hour))
    connection.execute(delete(rollup_hours).where(rollup_hours.c.hour == hour))
    connection.execute(insert(rollup_hours).values(hour=hour, is_pruned=False))
    within = select(calls.c.call_key).where(calls.c.call_key >= low, calls.c.call_key < high)
    if connection.scalar(select(within.exists())):
        for kind in Kind:
            connection.execute(_insert(kind, is_sqlite=is_sqlite), {"hour": hour, "low": low, "high": high})


@cache
def _insert(kind: Kind, *, is_sqlite: bool) -> Insert:
    """Return the statement that counts the calls with keys from `low` to `high` for one kind of rows."""
    unit = next(unit for (unit, _), found in KINDS.items() if found is kind)
    key = calls.c.call_key if unit is Unit.CALLS else dials.c.call_key
    names = columns_of(kind)
    within = [key >= bindparam("low", type_=BigInteger), key < bindparam("high", type_=BigInteger)]
    found = count(unit, names, within, is_sqlite=is_sqlite)[1].subquery()
    hour = bindparam("hour", type_=BigInteger)
    rows = select(literal(kind.value), hour, func.row_number().over(), *found.c)
    return insert(call_rollups).from_select(["kind", "hour", "number", *names, *MEASURES], rows)


class RollupJob(PeriodicJob):
    """Counts the hours that are over, every hour; stops after the current transaction."""

    name = "rollups"

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self._reported = 0.0

    def work(self) -> float:
        """Bring the counts of every hour up to date."""
        try:
            update_rollups(self._store, stop=self.stopping, step=self._report)
        except StoreUnavailable as error:
            log.info("rollups_wait", extra={"error": str(error)})
        return HOUR / 1000

    def _report(self, _counted: int, left: int) -> None:
        if left and time.monotonic() - self._reported > _REPORTED:
            self._reported = time.monotonic()
            log.info("rollups_under_way", extra={"hours_left": left})
