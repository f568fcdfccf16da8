"""Which counted hours the figures of a grouping may use, and the records they still need: all as ranges of time."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from functools import cached_property
from operator import itemgetter

from sqlalchemy import BigInteger, ColumnElement, Connection, case, func, literal, select

from app.records.model.tables import call_rollups, rollup_hours
from app.records.reading.figures import OVER_TIME, GroupBy
from app.records.rollups.counting import HOUR
from app.records.rollups.update import marked_hours

_DAY = 24 * HOUR

Range = tuple[int, int]  # Milliseconds since 1970 UTC; the end is excluded.
Ranges = list[Range]  # In order, without overlaps.


class CountedHours:
    """The counted hours that one read session sees, and the local time that they have in a time zone."""

    def __init__(self, connection: Connection, zone: tzinfo) -> None:
        self._connection = connection
        self._zone = zone
        self._known: dict[Range, dict[bool, Ranges]] = {}

    def usable(self, ranges: Ranges, group_by: GroupBy) -> Ranges:
        """Return the counted hours that lie within the ranges and in one group each.

        The calls of a pruned hour are gone, so it is used wherever it begins within a range.
        """
        if not ranges:
            return []
        whole = [(_next_hour(low), high // HOUR * HOUR) for low, high in ranges]
        counted = intersect(self._runs(ranges)[False], whole)
        torn = self._torn(group_by, counted) if counted and group_by in OVER_TIME else ()
        inexact = joined(sorted([*self._marked, *torn]))
        return joined(sorted([*subtract(counted, inexact), *self.pruned(ranges)]))

    def pruned(self, ranges: Ranges) -> Ranges:
        """Return the hours that begin within the ranges and whose calls were deleted."""
        begun = [(_next_hour(low), _next_hour(high)) for low, high in ranges]
        return intersect(self._runs(ranges)[True], begun) if ranges else []

    def group_of(self, group_by: GroupBy, hours: Ranges) -> ColumnElement[int]:
        """Return the expression that is the same for those of the hours that are in one group."""
        hour = call_rollups.c.hour
        if group_by is GroupBy.HOUR:
            return hour
        ahead = [(hour < until, literal(offset, BigInteger)) for _, until, offset in self._spans(hours)]
        size = HOUR if group_by is GroupBy.HOUR_OF_WEEK else _DAY
        number = (hour + case(*ahead, else_=literal(0, BigInteger))) // size
        many = {GroupBy.HOUR_OF_WEEK: 7 * 24, GroupBy.WEEKDAY: 7}.get(group_by)
        return number if many is None else number % many

    def _runs(self, ranges: Ranges) -> dict[bool, Ranges]:
        """Return the runs of adjacent counted hours about the ranges, by whether the hours are pruned."""
        low, high = ranges[0][0], ranges[-1][1]
        if (known := self._known.get((low, high))) is not None:
            return known
        hour, is_pruned = rollup_hours.c.hour, rollup_hours.c.is_pruned
        place = func.row_number().over(partition_by=is_pruned, order_by=hour)
        within = [hour >= low, hour < high]
        one = select(hour, is_pruned, (hour - place * HOUR).label("run")).where(*within).subquery()
        runs = select(one.c.is_pruned, func.min(one.c.hour), func.max(one.c.hour)).group_by(one.c.is_pruned, one.c.run)
        found: dict[bool, Ranges] = {False: [], True: []}
        for pruned, first, last in self._connection.execute(runs):
            found[bool(pruned)].append((first, last + HOUR))
        self._known[low, high] = {pruned: sorted(hours) for pruned, hours in found.items()}
        return self._known[low, high]

    @cached_property
    def _marked(self) -> Ranges:
        return [(hour, hour + HOUR) for hour in marked_hours(self._connection)]

    def _torn(self, group_by: GroupBy, hours: Ranges) -> Iterator[Range]:
        """Yield the hours in which a group of local time ends."""
        for since, until, offset in self._spans(hours):
            if since % HOUR:
                yield since // HOUR * HOUR, _next_hour(since)
            if offset % HOUR and group_by in {GroupBy.HOUR, GroupBy.HOUR_OF_WEEK}:
                yield since, until
            elif offset % HOUR:
                for midnight in range(since - (since + offset) % _DAY, until, _DAY):
                    yield midnight // HOUR * HOUR, _next_hour(midnight)

    def _spans(self, hours: Ranges) -> list[tuple[int, int, int]]:
        """Return the spans of one offset from UTC that the hours reach over, as (from, until, milliseconds)."""
        since = low = hours[0][0]
        spans = []
        for high in [*range(low + _DAY, hours[-1][1], _DAY), hours[-1][1]]:
            if self._offset(high) != self._offset(low):
                changed = self._change(low, high)
                spans.append((since, changed, self._offset(low)))
                since = changed
            low = high
        return [*spans, (since, low, self._offset(low))]

    def _change(self, low: int, high: int) -> int:
        """Return the second between two times at which the offset changes."""
        while high - low > 1000:
            middle = (low + high) // 2000 * 1000
            low, high = (low, middle) if self._offset(middle) != self._offset(low) else (middle, high)
        return high

    def _offset(self, at: int) -> int:
        offset = datetime.fromtimestamp(at / 1000, self._zone).utcoffset()
        return round(offset.total_seconds() * 1000) if offset is not None else 0


def joined(ranges: Iterable[Range]) -> Ranges:
    """Return sorted ranges with those that touch or overlap made one, and without empty ones."""
    found: Ranges = []
    for low, high in ranges:
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        elif low < high:
            found.append((low, high))
    return found


def intersect(ones: Ranges, others: Ranges) -> Ranges:
    """Return the time that is in both."""
    return [
        (max(low, other_low), min(high, other_high))
        for (low, high), overlapping in _overlaps(ones, others)
        for other_low, other_high in overlapping
    ]


def subtract(ones: Ranges, others: Ranges) -> Ranges:
    """Return the time of the first that is not in the second."""
    found: Ranges = []
    for (low, high), overlapping in _overlaps(ones, others):
        for other_low, other_high in overlapping:
            if low < other_low:
                found.append((low, other_low))
            low = other_high
        if low < high:
            found.append((low, high))
    return found


def _overlaps(ones: Ranges, others: Ranges) -> Iterator[tuple[Range, Ranges]]:
    """Yield each of the first with those of the second that overlap it; all are sorted and apart."""
    place = 0
    for low, high in ones:
        while place < len(others) and others[place][1] <= low:
            place += 1
        yield (low, high), others[place : bisect_left(others, high, place, key=itemgetter(0))]


def _next_hour(at: int) -> int:
    return -(-at // HOUR) * HOUR
