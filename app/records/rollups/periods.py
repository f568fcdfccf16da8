"""How a range of time is put together: from days and hours that are counted, and from the dials of what is left."""

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
    """What is counted as one."""

    HOUR = 0
    DAY = 1


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A piece of time in milliseconds since 1970 UTC, without its finish."""

    start: int
    finish: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A range put together: runs of counted days and of counted hours, and ranges that are not counted.

    The bounds of the latter are None where the range has none.
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
    """Put a range together of the largest counted spans.

    `marks` are the `marked_times`; `fits` tells whether a span may be taken as a whole.
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
    """Give the moments, sorted, of the dials that changed after their hour and were not counted again since."""
    return sorted(key_time(key) for key in connection.scalars(select(late_changes.c.dial_key)))


def holds_any(period: Period, moments: Sequence[int]) -> bool:
    """Tell whether one of the moments, which are sorted, lies in the span."""
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
    """Give what of a range the spans, in their order, leave over."""
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
    """Join spans that follow on one another."""
    runs: list[Period] = []
    for period in periods:
        if runs and runs[-1].finish == period.start:
            runs[-1] = Period(runs[-1].start, period.finish)
        else:
            runs.append(period)
    return runs


def day_of(moment: int, zone: tzinfo) -> Period:
    """Give the local day of a moment."""
    day = datetime.fromtimestamp(moment / 1000, zone).date()
    return Period(_midnight(day, zone), _midnight(day + timedelta(1), zone))


def hours_of(day: Period) -> list[Period]:
    """Divide a day into hours from midnight on; the last is shorter where the clocks move by half an hour."""
    return [Period(start, min(start + HOUR, day.finish)) for start in range(day.start, day.finish, HOUR)]


def _midnight(day: date, zone: tzinfo) -> int:
    return round(datetime.combine(day, time_of_day(), zone).astimezone(UTC).timestamp() * 1000)
