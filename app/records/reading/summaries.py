"""Sums over many dials, whole and divided: put together of what was counted ahead and of the dials of what is left."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from app.records.model.ids import first_key, key_time
from app.records.model.tables import dials, rollups
from app.records.reading.figures import OVER_TIME, Detail, Figures, GroupBy, GroupedFigures
from app.records.reading.filters import Branches, DialFilters, alternatives, in_time, rollup_conditions
from app.records.rollups.groupings import ENDED, NAMES, Rollups, add_waits, coarsest, count_dials, rows_in
from app.records.rollups.periods import Cover, Level, Period, cover, marked_times

_QUARTER = 15 * 60 * 1000  # Every time zone of today begins its hours at a multiple of it.
_QUARTER_OF_KEYS = first_key(key_time(0) + _QUARTER)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_COLUMNS = {
    GroupBy.TARGET: ("targets", "answered_by"),
    GroupBy.ROUTE: ("route",),
    GroupBy.OUTCOME: ("outcome",),
    GroupBy.CAUSE: ("dial_hangup_cause",),
    GroupBy.NUMBER: ("to_number",),
}

_HOURLY = frozenset({GroupBy.HOUR, GroupBy.HOUR_OF_WEEK})

# How many dials and calls, how long they talked, outcome, status, waits, and the values that tell the part.
_Row = tuple[int, int, int, str | None, str | None, Mapping[int, int], Sequence[Any]]


def summarise(
    connection: Connection, filters: DialFilters, group_by: GroupBy, zone: tzinfo, *, detail: Detail = Detail.ALL
) -> GroupedFigures:
    """Count the dials that are wanted once; see `Summaries`."""
    return Summaries(connection, zone, told_apart=_COLUMNS.get(group_by, ())).summarise(
        filters, group_by, detail=detail
    )


class Summaries:
    """Sums at one moment of the store; hours and days are those of `zone`.

    Whoever asks for several divisions of the same dials asks one of these: what is not counted ahead is read once.
    `told_apart` are the columns that its divisions need; fewer are read sooner.
    """

    def __init__(self, connection: Connection, zone: tzinfo, *, told_apart: Sequence[str] = NAMES) -> None:
        """Read nothing yet."""
        self._connection = connection
        self._zone = zone
        self._names = tuple(dict.fromkeys((*ENDED, *told_apart)))
        self._filters: dict[DialFilters, list[Branches]] = {}
        self._covers: dict[tuple[int | None, int | None, GroupBy | None], Cover] = {}
        self._counted: dict[tuple[DialFilters, bool, bool], Rollups] = {}

    def summarise(self, filters: DialFilters, group_by: GroupBy, *, detail: Detail = Detail.ALL) -> GroupedFigures:
        """Count the dials that are wanted, as a whole and divided.

        By target, a dial that somebody answered counts for who answered, and any other for everybody it rang.
        """
        summary = GroupedFigures(counted_once=Figures() if group_by is GroupBy.TARGET else None)
        if not all(self._alternatives(filters)):
            return summary
        pieces = self._cover(filters, group_by)
        for low, high in pieces.rest:
            _add(
                summary, self._of_dials(replace(filters, since=low, until=high), group_by, detail), group_by, self._zone
            )
        for level, runs in ((Level.DAY, pieces.days), (Level.HOUR, pieces.hours)):
            for run in runs:
                _add(summary, self._of_tallies(level, run, filters, group_by, detail), group_by, self._zone)
        summary.parts = _in_order(group_by, summary.parts)
        return summary

    @cached_property
    def _marks(self) -> list[int]:
        return marked_times(self._connection)

    def _cover(self, filters: DialFilters, group_by: GroupBy) -> Cover:
        if filters.from_number is not None or filters.search is not None:
            # Callers are not counted ahead.
            return Cover(days=[], hours=[], rest=[(filters.since, filters.until)])
        key = filters.since, filters.until, group_by if group_by in OVER_TIME else None
        if key not in self._covers:
            self._covers[key] = cover(
                self._connection,
                filters.since,
                filters.until,
                marks=self._marks,
                fits=lambda period: _fits(period, group_by, self._zone),
            )
        return self._covers[key]

    def _alternatives(self, filters: DialFilters) -> list[Branches]:
        key = replace(filters, since=None, until=None, outcomes=())
        if key not in self._filters:
            self._filters[key] = alternatives(self._connection, key)
        return self._filters[key]

    def _of_dials(self, filters: DialFilters, group_by: GroupBy, detail: Detail) -> Iterator[_Row]:
        """Count dials one by one: once for all that have no time in them, and once over time."""
        found = self._count(replace(filters, outcomes=()), group_by in OVER_TIME, detail)
        places = [self._names.index(name) for name in _COLUMNS.get(group_by, ())]
        for names, rollup in found.items():
            outcome, status = names[:2]
            if not filters.outcomes or outcome in filters.outcomes:
                group = [names[place] for place in places] or [key_time(names[2] * _QUARTER_OF_KEYS)]
                yield rollup.dials, rollup.calls, rollup.talk_seconds, outcome, status, rollup.waits, group

    def _count(self, filters: DialFilters, over_time: bool, detail: Detail) -> Rollups:
        key = filters, over_time, detail is Detail.ALL or not over_time
        if key not in self._counted:
            columns: list[ColumnElement[Any]] = [dials.c[name] for name in self._names]
            if over_time:
                columns = [*columns[:2], dials.c.dial_key // _QUARTER_OF_KEYS]
            conditions = [*in_time(filters), *(or_(*branches) for branches in self._alternatives(filters))]
            self._counted[key] = count_dials(self._connection, conditions, columns, waits=key[2])
        return self._counted[key]

    def _of_tallies(
        self, level: Level, run: Period, filters: DialFilters, group_by: GroupBy, detail: Detail
    ) -> Iterator[_Row]:
        """Add up what was counted, the waits apart: no database can do it."""
        conditions_of_filters = rollup_conditions(self._connection, filters)
        told_by = _COLUMNS.get(group_by, ())
        apart = coarsest({*told_by, *(column.name for column, _ in conditions_of_filters)})
        conditions = [*rows_in(level, apart, run), *(condition for _, condition in conditions_of_filters)]
        columns = [rollups.c[name] for name in told_by] or [rollups.c.start]
        counted = [rollups.c.outcome, rollups.c.dial_status][: _told_apart(detail, group_by)]
        rows = self._connection.execute(
            select(*(func.sum(rollups.c[name]) for name in ("dials", "calls", "talk_seconds")), *counted, *columns)
            .where(*conditions)
            .group_by(*counted, *columns)
        ).all()
        for number, calls, talked, *values in rows:
            outcome, status = (*values[: len(counted)], None, None)[:2]
            yield int(number), int(calls), int(talked), outcome, status, {}, values[len(counted) :]
        if detail is Detail.ALL:
            waited = select(rollups.c.waits, *columns).where(*conditions, rollups.c.waits.is_not(None))
            for group, waits in add_waits(self._connection.execute(waited).all()).items():
                yield 0, 0, 0, "answered", None, waits, group


def _told_apart(detail: Detail, group_by: GroupBy) -> int:
    """Tell how many of outcome and status are to be told apart."""
    if detail is Detail.TOTALS:  # For whom a dial counts depends on its outcome.
        return 1 if group_by is GroupBy.TARGET else 0
    return 2 if detail is Detail.ALL else 1


def _add(summary: GroupedFigures, rows: Iterable[_Row], group_by: GroupBy, zone: tzinfo) -> None:
    parts = summary.parts
    labels: dict[int, list[str]] = {}
    for number, calls, talked, outcome, status, waited, group in rows:
        names: Iterable[str | None]
        if group_by in OVER_TIME:
            at = group[0]
            names = labels[at] = labels.get(at) or [_label(group_by, datetime.fromtimestamp(at / 1000, zone))]
        else:
            names = _names(group_by, group, outcome)
        if summary.counted_once is not None:
            summary.counted_once.add(number, outcome, status, waited, calls=calls, talked=talked)
        for name in names:
            part = parts.get(name)
            if part is None:
                part = parts[name] = Figures()
            part.add(number, outcome, status, waited, calls=calls, talked=talked)


def _fits(period: Period, group_by: GroupBy, zone: tzinfo) -> bool:
    """Tell whether everything in a span belongs to one part."""
    if group_by not in OVER_TIME:
        return True
    first, last = (datetime.fromtimestamp(at / 1000, zone) for at in (period.start, period.finish - 1))
    if first.date() != last.date():
        return False
    return group_by not in _HOURLY or (first.hour, first.utcoffset()) == (last.hour, last.utcoffset())


def _names(group_by: GroupBy, group: Sequence[Any], outcome: str | None) -> Iterable[str | None]:
    if group_by is GroupBy.TARGET:
        targets, answered_by = group
        if outcome == "answered" or not targets:
            return [None if answered_by is None else str(answered_by)]
        return _read_targets(str(targets))
    return [None if group[0] is None else str(group[0])]


@lru_cache(maxsize=4096)  # The same few stand in nearly every row.
def _read_targets(written: str) -> tuple[str, ...]:
    return tuple(str(target) for target in json.loads(written))


def _label(group_by: GroupBy, at: datetime) -> str:
    if group_by is GroupBy.HOUR:
        return at.replace(minute=0, second=0, microsecond=0).isoformat()
    if group_by is GroupBy.DAY:
        return at.date().isoformat()
    weekday = WEEKDAYS[at.weekday()]
    return weekday if group_by is GroupBy.WEEKDAY else f"{weekday} {at.hour:02d}:00"


def _in_order(group_by: GroupBy, parts: dict[str | None, Figures]) -> dict[str | None, Figures]:
    if group_by in (GroupBy.WEEKDAY, GroupBy.HOUR_OF_WEEK):
        return dict(sorted(parts.items(), key=lambda part: _place_in_week(part[0] or "")))
    if group_by in OVER_TIME:
        return dict(sorted(parts.items(), key=lambda part: datetime.fromisoformat(part[0] or "")))
    return dict(sorted(parts.items(), key=lambda part: (-part[1].total, part[0] or "")))


def _place_in_week(name: str) -> tuple[int, str]:
    weekday, _, hour = name.partition(" ")
    return WEEKDAYS.index(weekday), hour
