"""Figures over many dials: how many ended how, how long callers waited, how long they talked."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, case, func, null, or_, select

from app.records.keys import first_key, key_time
from app.records.spans import Cover, Level, Span, cover
from app.records.tables import dials, tallies
from app.records.wanted import Wanted, alternatives, in_time, tallied

_QUARTER = 15 * 60 * 1000  # Every time zone of today begins its hours at a multiple of it.
_QUARTER_OF_KEYS = first_key(key_time(0) + _QUARTER)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Divided(StrEnum):
    """By what figures are divided."""

    HOUR = "hour"
    DAY = "day"
    WEEKDAY = "weekday"
    TARGET = "target"
    ROUTE = "route"
    OUTCOME = "outcome"
    CAUSE = "cause"
    NUMBER = "number"


_COLUMNS = {
    Divided.ROUTE: "route",
    Divided.OUTCOME: "outcome",
    Divided.CAUSE: "dial_hangup_cause",
    Divided.NUMBER: "to_number",
}
_OVER_TIME = frozenset({Divided.HOUR, Divided.DAY, Divided.WEEKDAY})


@dataclass(slots=True)
class Figures:
    """What is counted of a set of dials. `waits` counts the answered ones by the whole seconds until then."""

    total: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    waits: Counter[int] = field(default_factory=Counter)
    talk_seconds: int = 0

    def add(self, number: int, outcome: str, status: str | None, waits: Mapping[int, int], talked: int) -> None:
        """Count dials that ended alike."""
        self.total += number
        self.talk_seconds += talked
        if number:
            self.outcomes[outcome] += number
            if status is not None:
                self.statuses[status] += number
        if waits:
            self.waits.update(waits)

    def merge(self, other: "Figures") -> None:
        """Count another set of dials too."""
        self.total += other.total
        self.outcomes.update(other.outcomes)
        self.statuses.update(other.statuses)
        self.waits.update(other.waits)
        self.talk_seconds += other.talk_seconds

    def wait(self, share: float) -> int | None:
        """Tell within how many seconds this share of the answered dials was answered; None where none was."""
        wanted = share * self.waits.total()
        so_far = 0
        for seconds in sorted(self.waits):
            so_far += self.waits[seconds]
            if so_far >= wanted:
                return seconds
        return None


@dataclass(slots=True, kw_only=True)
class Summary:
    """The figures of all dials wanted, and of each part of them in its order."""

    whole: Figures = field(default_factory=Figures)
    parts: dict[str | None, Figures] = field(default_factory=dict)


def summarise(
    connection: Connection, wanted: Wanted, divided: Divided, zone: tzinfo, *, brief: bool = False
) -> Summary:
    """Count the dials that are wanted, as a whole and divided; hours and days are those of `zone`.

    By target, a dial that somebody answered counts for who answered, and any other for everybody it rang. A `brief`
    summary takes less time: it counts neither statuses nor how long callers waited.
    """
    summary = Summary()
    filters = alternatives(connection, wanted)
    if not all(filters):
        return summary
    if wanted.from_number is not None or wanted.search is not None:
        pieces = Cover(days=[], hours=[], rest=[(wanted.since, wanted.until)])  # Callers are not counted ahead.
    else:
        pieces = cover(connection, wanted.since, wanted.until, fits=lambda span: _fits(span, divided, zone))
    for low, high in pieces.rest:
        bounds = in_time(replace(wanted, since=low, until=high))
        conditions = [*bounds, *(or_(*branches) for branches in filters)]
        _add(summary, _of_dials(connection, divided, conditions, brief=brief), divided, zone)
    for level, runs in ((Level.DAY, pieces.days), (Level.HOUR, pieces.hours)):
        for run in runs:
            conditions = [*_of_span(level, run), *tallied(connection, wanted)]
            _add(summary, _of_tallies(connection, divided, conditions, brief=brief), divided, zone)
    summary.parts = _in_order(divided, summary.parts)
    return summary


_Row = tuple[int, int, str, str | None, Mapping[int, int], Sequence[Any]]


def _of_dials(
    connection: Connection, divided: Divided, conditions: Sequence[ColumnElement[bool]], *, brief: bool
) -> Iterator[_Row]:
    """Count dials one by one."""
    columns = _columns(divided, dials, dials.c.dial_key // _QUARTER_OF_KEYS)
    waited = case((dials.c.outcome == "answered", dials.c.ring_seconds), else_=null())
    counted = (dials.c.outcome,) if brief else (dials.c.outcome, dials.c.dial_status, waited)
    rows = connection.execute(
        select(func.count(), func.coalesce(func.sum(dials.c.talk_seconds), 0), *counted, *columns)
        .where(*conditions)
        .group_by(*counted, *columns)
    )
    for number, talked, outcome, *group in rows:
        status, seconds = (None, None) if brief else (group.pop(0), group.pop(0))
        if divided in _OVER_TIME:
            group = [key_time(group[0] * _QUARTER_OF_KEYS)]
        yield number, int(talked), outcome, status, {} if seconds is None else {seconds: number}, group


def _of_tallies(
    connection: Connection, divided: Divided, conditions: Sequence[ColumnElement[bool]], *, brief: bool
) -> Iterator[_Row]:
    """Add up what was counted, the waits apart: they are kept as text."""
    columns = _columns(divided, tallies, tallies.c.start)
    counted = (tallies.c.outcome,) if brief else (tallies.c.outcome, tallies.c.dial_status)
    rows = connection.execute(
        select(func.sum(tallies.c.dials), func.sum(tallies.c.talk_seconds), *counted, *columns)
        .where(*conditions)
        .group_by(*counted, *columns)
    )
    for number, talked, outcome, *group in rows:
        status = None if brief else group.pop(0)
        yield int(number), int(talked), outcome, status, {}, group
    if not brief:
        kept = connection.execute(select(tallies.c.waits, *columns).where(*conditions, tallies.c.waits.is_not(None)))
        for text, *group in kept:
            yield 0, 0, "answered", None, {int(seconds): times for seconds, times in json.loads(text).items()}, group


def _add(summary: Summary, rows: Iterable[_Row], divided: Divided, zone: tzinfo) -> None:
    for number, talked, outcome, status, waited, group in rows:
        summary.whole.add(number, outcome, status, waited, talked)
        for name in _names(divided, group, outcome, zone):
            summary.parts.setdefault(name, Figures()).add(number, outcome, status, waited, talked)


def _of_span(level: Level, span: Span) -> list[ColumnElement[bool]]:
    return [tallies.c.level == level.value, tallies.c.start >= span.start, tallies.c.start < span.finish]


def _fits(span: Span, divided: Divided, zone: tzinfo) -> bool:
    """Tell whether everything in a span belongs to one part."""
    if divided not in _OVER_TIME:
        return True
    first, last = (datetime.fromtimestamp(at / 1000, zone) for at in (span.start, span.finish - 1))
    return _label(divided, first) == _label(divided, last) and last - first < timedelta(hours=26)


def _columns(divided: Divided, table: Table, at: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    if divided in _OVER_TIME:
        return (at,)
    if divided is Divided.TARGET:
        return table.c.targets, table.c.answered_by
    return (table.c[_COLUMNS[divided]],)


def _names(divided: Divided, group: Sequence[Any], outcome: str, zone: tzinfo) -> Iterable[str | None]:
    if divided is Divided.TARGET:
        targets, answered_by = group
        if outcome == "answered" or not targets:
            return [None if answered_by is None else str(answered_by)]
        return [str(target) for target in json.loads(str(targets))]
    value = group[0]
    if divided not in _OVER_TIME:
        return [None if value is None else str(value)]
    return [_label(divided, datetime.fromtimestamp(value / 1000, zone))]


def _label(divided: Divided, at: datetime) -> str:
    if divided is Divided.HOUR:
        return at.replace(minute=0, second=0, microsecond=0).isoformat()
    return at.date().isoformat() if divided is Divided.DAY else _WEEKDAYS[at.weekday()]


def _in_order(divided: Divided, parts: dict[str | None, Figures]) -> dict[str | None, Figures]:
    if divided is Divided.WEEKDAY:
        return {name: parts[name] for name in _WEEKDAYS if name in parts}
    if divided in _OVER_TIME:
        return dict(sorted(parts.items(), key=lambda part: datetime.fromisoformat(part[0] or "")))
    return dict(sorted(parts.items(), key=lambda part: (-part[1].total, part[0] or "")))
