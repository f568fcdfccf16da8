"""Cover a time range with rolled-up days and hours, and what is left with dials."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from enum import IntEnum

from sqlalchemy import Connection, select

from app.records.model.ids import key_time
from app.records.model.tables import late_changes, rollup_periods

HOUR = 3_600_000


class Level(IntEnum):
    """The length of a period."""

    HOUR = 0
    DAY = 1


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A time range in milliseconds since 1970 UTC, `finish` excluded."""

    start: int
    finish: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A range as runs of rolled-up days, runs of rolled-up hours, and the rest, which has no rollups.

    The bounds of the rest are None where the range is open.
    """

    days: list[Period]
    hours: list[Period]
    rest: list[tuple[int | None, int | None]]


def cover(
    connection: Connection,
    since: int | None,
    until: int | None,
    *,
    marks: Sequence[int],
    fits: Callable[[Period], bool],
) -> Cover:
    """Cover a range with the longest usable periods.

    `marks` are the `marked_times`; `fits` decides whether a period may be used as a whole.
    """
    days = _usable(connection, Level.DAY, since, until, marks, fits)
    hours = [
        hour
        for low, high in _gaps(since, until, days)
        for hour in _usable(connection, Level.HOUR, low, high, marks, fits)
    ]
    taken = sorted([*days, *hours])
    return Cover(days=_runs(days), hours=_runs(sorted(hours)), rest=_gaps(since, until, taken))


def marked_times(connection: Connection) -> list[int]:
    """Return the sorted times of dials with late changes that are not rolled up yet."""
    return sorted(key_time(key) for key in connection.scalars(select(late_changes.c.dial_key)))


def holds_any(period: Period, moments: Sequence[int]) -> bool:
    """Return whether one of the sorted times lies in the period."""
    following = bisect_left(moments, period.start)
    return following < len(moments) and moments[following] < period.finish


def _usable(
    connection: Connection,
    level: Level,
    since: int | None,
    until: int | None,
    marks: Sequence[int],
    fits: Callable[[Period], bool],
) -> list[Period]:
    statement = select(rollup_periods.c.start, rollup_periods.c.finish).where(rollup_periods.c.level == level.value)
    if since is not None:
        statement = statement.where(rollup_periods.c.start >= since)
    if until is not None:
        statement = statement.where(rollup_periods.c.start < until)
    rows = connection.execute(statement.order_by(rollup_periods.c.start))
    periods = [Period(start, finish) for start, finish in rows if until is None or finish <= until]
    return [period for period in periods if fits(period) and not holds_any(period, marks)]


def _gaps(since: int | None, until: int | None, periods: Iterable[Period]) -> list[tuple[int | None, int | None]]:
    """Return the parts of a range that the sorted periods do not cover."""
    gaps: list[tuple[int | None, int | None]] = []
    at = since
    for period in periods:
        if at is None or period.start > at:
            gaps.append((at, period.start))
        at = period.finish
    if at is None or until is None or at < until:
        gaps.append((at, until))
    return gaps


def _runs(periods: Iterable[Period]) -> list[Period]:
    """Join adjacent periods."""
    runs: list[Period] = []
    for period in periods:
        if runs and runs[-1].finish == period.start:
            runs[-1] = Period(runs[-1].start, period.finish)
        else:
            runs.append(period)
    return runs


def day_of(moment: int, zone: tzinfo) -> Period:
    """Return the local day of a time."""
    day = datetime.fromtimestamp(moment / 1000, zone).date()
    return Period(_midnight(day, zone), _midnight(day + timedelta(1), zone))


def hours_of(day: Period) -> list[Period]:
    """Return the hours of a day from midnight on; the last is shorter where clocks change by half an hour."""
    return [Period(start, min(start + HOUR, day.finish)) for start in range(day.start, day.finish, HOUR)]


def _midnight(day: date, zone: tzinfo) -> int:
    return round(datetime.combine(day, time_of_day(), zone).astimezone(UTC).timestamp() * 1000)
