"""Figures over many dials, grouped: from rollups where there are any, from the dials elsewhere."""

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
from app.records.reading.filters import Branches, DialFilters, alternatives, rollup_conditions, time_bounds
from app.records.rollups.groupings import (
    ALL_COLUMNS,
    OUTCOME_COLUMNS,
    Rollups,
    add_waits,
    coarsest_grouping,
    count_dials,
    rows_in,
)
from app.records.rollups.periods import Cover, Level, Period, cover, marked_times

_QUARTER = 15 * 60 * 1000  # Milliseconds; in every time zone hours begin at a multiple of it.
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

# Dials, calls, talk seconds, outcome, status, waits, and the values that determine the group.
_Row = tuple[int, int, int, str | None, str | None, Mapping[int, int], Sequence[Any]]


def summarise(
    connection: Connection, filters: DialFilters, group_by: GroupBy, zone: tzinfo, *, detail: Detail = Detail.ALL
) -> GroupedFigures:
    """Return the grouped figures of the dials that match; see `Summaries`."""
    return Summaries(connection, zone, columns=_COLUMNS.get(group_by, ())).summarise(filters, group_by, detail=detail)


class Summaries:
    """Figures of one snapshot of the store; hours and days are those of `zone`.

    Use one instance for several groupings of the same dials: dials without rollups are then read once. `columns` are
    those that the groupings need; fewer are faster.
    """

    def __init__(self, connection: Connection, zone: tzinfo, *, columns: Sequence[str] = ALL_COLUMNS) -> None:
        """Take the connection of a read session."""
        self._connection = connection
        self._zone = zone
        self._names = tuple(dict.fromkeys((*OUTCOME_COLUMNS, *columns)))
        self._filters: dict[DialFilters, list[Branches]] = {}
        self._covers: dict[tuple[int | None, int | None, GroupBy | None], Cover] = {}
        self._counted: dict[tuple[DialFilters, bool, bool], Rollups] = {}

    def summarise(self, filters: DialFilters, group_by: GroupBy, *, detail: Detail = Detail.ALL) -> GroupedFigures:
        """Return the figures of the dials that match, grouped and in total.

        By target, an answered dial counts for the target that answered, any other for every target it rang.
        """
        summary = GroupedFigures(counted_once=Figures() if group_by is GroupBy.TARGET else None)
        if not all(self._alternatives(filters)):
            return summary
        pieces = self._cover(filters, group_by)
        for low, high in pieces.rest:
            _add(
                summary,
                self._from_dials(replace(filters, since=low, until=high), group_by, detail),
                group_by,
                self._zone,
            )
        for level, runs in ((Level.DAY, pieces.days), (Level.HOUR, pieces.hours)):
            for run in runs:
                _add(summary, self._from_rollups(level, run, filters, group_by, detail), group_by, self._zone)
        summary.parts = _in_order(group_by, summary.parts)
        return summary

    @cached_property
    def _marks(self) -> list[int]:
        return marked_times(self._connection)

    def _cover(self, filters: DialFilters, group_by: GroupBy) -> Cover:
        if filters.from_number is not None or filters.search is not None:
            # Rollups know no callers.
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

    def _from_dials(self, filters: DialFilters, group_by: GroupBy, detail: Detail) -> Iterator[_Row]:
        """Yield counts read from the dials: one query for all groupings by time, one for all others."""
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
            conditions = [*time_bounds(filters), *(or_(*branches) for branches in self._alternatives(filters))]
            self._counted[key] = count_dials(self._connection, conditions, columns, waits=key[2])
        return self._counted[key]

    def _from_rollups(
        self, level: Level, run: Period, filters: DialFilters, group_by: GroupBy, detail: Detail
    ) -> Iterator[_Row]:
        """Yield sums of rollups. Waits are added up here, because databases cannot add packed counts."""
        filter_conditions = rollup_conditions(self._connection, filters)
        group_columns = _COLUMNS.get(group_by, ())
        grouping = coarsest_grouping({*group_columns, *(column.name for column, _ in filter_conditions)})
        conditions = [*rows_in(level, grouping, run), *(condition for _, condition in filter_conditions)]
        columns = [rollups.c[name] for name in group_columns] or [rollups.c.start]
        counted = [rollups.c.outcome, rollups.c.dial_status][: _outcome_columns(detail, group_by)]
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


def _outcome_columns(detail: Detail, group_by: GroupBy) -> int:
    """Return how many of (outcome, status) to group by."""
    if detail is Detail.TOTALS:  # Which target a dial counts for depends on its outcome.
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
    """Return whether all of a period falls into one group."""
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


@lru_cache(maxsize=4096)  # The same few values are in nearly every row.
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
