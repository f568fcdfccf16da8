"""Figures over many calls or dials, grouped: from counted hours where there are any, from the records elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select

from app.records.model.ids import first_key
from app.records.model.tables import call_rollups, calls, dials
from app.records.reading.call_filters import CallFilters, all_conditions
from app.records.reading.counted_hours import CountedHours, subtract
from app.records.reading.figures import OVER_TIME, WEEKDAYS, Figures, GroupBy, GroupedFigures
from app.records.reading.filters import DialFilters, alternatives
from app.records.reading.scope import EVERYTHING
from app.records.rollups.counting import KINDS, MEASURES, Unit, count, quarter_time, several_of
from app.voice.outcome import CallOutcome

_MOST_RANGES = 100  # of one statement
_END = 1 << 62  # milliseconds; later than any call
# The filters that counted hours know, and their columns.
_KNOWN = {
    **{name: name for name in ("direction", "route", "to_number", "target", "cause", "reason")},
    "status": "dial_status",
}

_Filters = CallFilters | DialFilters


_COLUMNS = {
    GroupBy.TARGET: ("target", "answered_by"),
    GroupBy.NUMBER: ("to_number",),
    **{GroupBy(name): (name,) for name in ("route", "outcome", "cause", "reason")},
}


def summarise(connection: Connection, filters: _Filters, group_by: GroupBy, zone: tzinfo) -> GroupedFigures:
    """Return the grouped figures of the calls or the dials that match; hours and days are those of `zone`."""
    return Summaries(connection, zone).summarise(filters, group_by)


class Summaries:
    """Figures of one read session; what was counted once is not read again."""

    def __init__(self, connection: Connection, zone: tzinfo) -> None:
        self._connection = connection
        self._zone = zone
        self._hours = CountedHours(connection, zone)
        self._found: dict[tuple[_Filters, GroupBy, bool], GroupedFigures] = {}

    def summarise(self, filters: _Filters, group_by: GroupBy, *, with_waits: bool = True) -> GroupedFigures:
        """Return the grouped figures of the calls or the dials that match. `with_waits=False` is faster."""
        for has_waits in (True, with_waits):
            if (known := self._found.get((filters, group_by, has_waits))) is not None:
                return known
        unit = Unit.DIALS if isinstance(filters, DialFilters) else Unit.CALLS
        columns = _COLUMNS.get(group_by, ())
        parts: dict[str | None, Figures] = {}
        for at, values in self._rows(filters, unit, group_by, MEASURES if with_waits else MEASURES[:3]):
            group = values[columns[0]] if columns else _label(group_by, datetime.fromtimestamp(at / 1000, self._zone))
            parts.setdefault(group, Figures()).add(values, unit)
        whole = Figures()
        if several_of(unit, columns):
            whole = self.summarise(filters, GroupBy.OUTCOME, with_waits=with_waits).whole
        else:
            for part in parts.values():
                whole.merge(part)
        found = GroupedFigures(parts=_in_order(group_by, parts), whole=whole)
        self._found[filters, group_by, with_waits] = found
        return found

    def count_pruned(self, filters: CallFilters) -> int:
        """Return how many of the matching calls were deleted, and count only in figures."""
        allowed, of = _allowed(filters), call_rollups.c
        kind = KINDS.get((Unit.CALLS, several_of(Unit.CALLS, allowed)))
        hours = self._hours.pruned(_ranges(filters))
        if kind is None or self._others(filters) is not None:
            return 0
        found = 0
        for ranges in _batches(hours):
            within = or_(*(and_(of.hour >= low, of.hour < high) for low, high in ranges))
            matching = [of.kind == kind, within, *(of[name].in_(allowed[name]) for name in allowed)]
            found += self._connection.scalar(select(func.sum(of.calls)).where(*matching)) or 0
        return found

    def _rows(
        self, filters: _Filters, unit: Unit, group_by: GroupBy, measures: Sequence[str]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield sums by the columns of the grouping, by outcome and, of dials, by status; with the time if that counts.

        `allowed` are the conditions that counted hours know, `others` those that only the records know.
        """
        allowed = _allowed(filters)
        others = self._others(filters)
        status = ("dial_status",) if unit is Unit.DIALS else ()
        names = tuple(dict.fromkeys((*_COLUMNS.get(group_by, ()), "outcome", *status)))
        kind = KINDS.get((unit, several_of(unit, {*names, *allowed}))) if others is None else None
        asked = _ranges(filters)
        hours = [] if kind is None else self._hours.usable(asked, group_by)
        is_timed = group_by in OVER_TIME
        of, key = call_rollups.c, (dials if unit is Unit.DIALS else calls).c.call_key
        for ranges in _batches(hours):
            within = or_(*(and_(of.hour >= low, of.hour < high) for low, high in ranges))
            sums = (func.sum(of[name]) for name in measures)
            counted = select(func.min(of.hour), *(of[name] for name in names), *sums)
            counted = counted.where(of.kind == kind, within, *(of[name].in_(allowed[name]) for name in allowed))
            local = [self._hours.group_of(group_by, hours)] if is_timed else []
            for row in self._connection.execute(counted.group_by(*local, *(of[name] for name in names))):
                yield row[0], dict(zip((*names, *measures), row[1:], strict=True))
        is_sqlite = self._connection.dialect.name == "sqlite"
        for ranges in _batches(subtract(asked, hours)):
            within = or_(*(and_(key >= first_key(low), key < first_key(high)) for low, high in ranges))
            one, counted = count(
                unit, names, [within, *(others or [])], is_sqlite=is_sqlite, by_quarter=is_timed, also=tuple(allowed)
            )
            for row in self._connection.execute(counted.where(*(one.c[name].in_(allowed[name]) for name in allowed))):
                at, values = (quarter_time(row[0]), row[1:]) if is_timed else (0, row)
                yield at, dict(zip((*names, *MEASURES), values, strict=True))

    def _others(self, filters: _Filters) -> list[ColumnElement[bool]] | None:
        """Return the conditions that counted hours do not know; None without any."""
        known = (*_KNOWN, "since", "until", "spans", "outcome", "has_message", "target_groups")
        cleared: dict[str, Any] = {name: None for name in known if hasattr(filters, name)}
        rest = replace(filters, **cleared, outcomes=(), scope=EVERYTHING)
        if rest == type(filters)():
            return None
        if isinstance(rest, DialFilters):
            return [or_(false(), *branches) for branches in alternatives(self._connection, rest)]
        return all_conditions(self._connection, rest)


def _allowed(filters: _Filters) -> dict[str, list[str]]:
    """Return which values each column may have."""
    allowed = {
        column: [value] for name, column in _KNOWN.items() if (value := getattr(filters, name, None)) is not None
    }
    if (seen := filters.scope.routes) is not None:
        allowed["route"] = sorted(set(seen) & set(allowed.get("route", seen)))
    outcomes = set(filters.outcomes or CallOutcome)
    if isinstance(filters, DialFilters):
        outcomes &= {filters.outcome} if filters.outcome else outcomes
    elif filters.has_message is not None:
        outcomes &= {outcome for outcome in CallOutcome if (outcome == CallOutcome.MESSAGE_LEFT) is filters.has_message}
    return allowed if outcomes == set(CallOutcome) else {**allowed, "outcome": sorted(outcomes)}


def _ranges(filters: _Filters) -> list[tuple[int, int]]:
    """Return the ranges of time that the filters allow, in order."""
    low, high = filters.since or 0, _END if filters.until is None else filters.until
    spans = getattr(filters, "spans", None)
    within = [(low, high)] if spans is None else [(max(low, one), min(high, other)) for one, other in sorted(spans)]
    return [(one, other) for one, other in within if one < other]


def _batches(ranges: Sequence[tuple[int, int]]) -> Iterator[Sequence[tuple[int, int]]]:
    """Yield as many ranges as one statement takes."""
    return (ranges[first : first + _MOST_RANGES] for first in range(0, len(ranges), _MOST_RANGES))


def _label(group_by: GroupBy, at: datetime) -> str:
    if group_by is GroupBy.HOUR:
        return at.replace(minute=0, second=0, microsecond=0).isoformat()
    if group_by is GroupBy.DAY:
        return at.date().isoformat()
    weekday = WEEKDAYS[at.weekday()]
    return weekday if group_by is GroupBy.WEEKDAY else f"{weekday} {at.hour:02d}:00"


def _in_order(group_by: GroupBy, parts: dict[str | None, Figures]) -> dict[str | None, Figures]:
    if group_by in {GroupBy.HOUR, GroupBy.DAY}:
        return dict(sorted(parts.items(), key=lambda part: datetime.fromisoformat(part[0] or "")))
    if group_by in OVER_TIME:
        places = {weekday: place for place, weekday in enumerate(WEEKDAYS)}
        return dict(sorted(parts.items(), key=lambda part: (places[(part[0] or "").split()[0]], part[0])))
    return dict(sorted(parts.items(), key=lambda part: (-part[1].total, part[0] or "")))
