"""Figures over many dials: how many ended how, how long callers waited, how long they talked."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from enum import IntEnum, StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, case, func, null, or_, select

from app.records.keys import first_key, key_time
from app.records.spans import Cover, Level, Span, cover
from app.records.tables import call_begun, dials, tallies
from app.records.wanted import Wanted, alternatives, in_time, tallied
from app.voice.outcome import Outcome

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


class Detail(IntEnum):
    """How much is counted: the less, the quicker."""

    TOTALS = 0  # how many dials and calls, how long they talked
    OUTCOMES = 1  # and how they ended
    ALL = 2  # and Plivo's statuses, and how long callers waited


_COLUMNS = {
    Divided.ROUTE: "route",
    Divided.OUTCOME: "outcome",
    Divided.CAUSE: "dial_hangup_cause",
    Divided.NUMBER: "to_number",
}
_APART = frozenset({Divided.TARGET, Divided.OUTCOME, Divided.CAUSE})  # The dials of a call fall into several.
_OVER_TIME = frozenset({Divided.HOUR, Divided.DAY, Divided.WEEKDAY})


@dataclass(slots=True)
class Figures:
    """What is counted of a set of dials.

    `calls` counts those that are the first of their call, `waits` the answered ones by the whole seconds until then.
    """

    total: int = 0
    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    waits: Counter[int] = field(default_factory=Counter)
    talk_seconds: int = 0

    def add(
        self,
        number: int,
        outcome: str | None,
        status: str | None,
        waits: Mapping[int, int],
        *,
        calls: int,
        talked: int,
    ) -> None:
        """Count dials that ended alike."""
        self.total += number
        self.calls += calls
        self.talk_seconds += talked
        if number:
            if outcome is not None:
                self.outcomes[outcome] += number
            if status is not None:
                self.statuses[status] += number
        if waits:
            self.waits.update(waits)

    def merge(self, other: "Figures") -> None:
        """Count another set of dials too."""
        self.total += other.total
        self.calls += other.calls
        self.outcomes.update(other.outcomes)
        self.statuses.update(other.statuses)
        self.waits.update(other.waits)
        self.talk_seconds += other.talk_seconds

    def answered(self, *, of_calls: bool) -> tuple[int, int]:
        """Give how many were answered and of how many that have ended: calls, or else dials.

        A call has one dial at a time and, unless the plan rings on after an answer, one that is answered. Where more
        were answered than began, since their calls began before the range, the rate is that of all.
        """
        answered = self.outcomes[Outcome.ANSWERED]
        ended = (self.calls if of_calls else self.total) - self.outcomes[Outcome.IN_PROGRESS]
        return answered, max(ended, answered)

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


def holds_calls(wanted: Wanted, divided: Divided) -> bool:
    """Tell whether the dials of one call are wanted, and fall into one part, all together or not at all.

    Where they do not, there is no saying which calls were answered, only which dials. Time is no matter here: the
    dials of a call are minutes apart.
    """
    chooses = wanted.status or wanted.outcome or wanted.outcomes or wanted.cause or wanted.target or wanted.search
    return not chooses and divided not in _APART


def summarise(
    connection: Connection, wanted: Wanted, divided: Divided, zone: tzinfo, *, detail: Detail = Detail.ALL
) -> Summary:
    """Count the dials that are wanted, as a whole and divided; hours and days are those of `zone`.

    By target, a dial that somebody answered counts for who answered, and any other for everybody it rang.
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
        _add(summary, _of_dials(connection, divided, conditions, detail=detail), divided, zone)
    for level, runs in ((Level.DAY, pieces.days), (Level.HOUR, pieces.hours)):
        for run in runs:
            conditions = [*_of_span(level, run), *tallied(connection, wanted)]
            _add(summary, _of_tallies(connection, divided, conditions, detail=detail), divided, zone)
    summary.parts = _in_order(divided, summary.parts)
    if divided is not Divided.TARGET:  # Any other part holds dials that no other part holds.
        for part in summary.parts.values():
            summary.whole.merge(part)
    return summary


_Row = tuple[int, int, int, str | None, str | None, Mapping[int, int], Sequence[Any]]


def _counted(detail: Detail, divided: Divided, *columns: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    """Give what rows are told apart by: the outcome, and for all details the columns that follow it."""
    if detail is Detail.TOTALS and divided is not Divided.TARGET:  # For whom a dial counts depends on its outcome.
        return ()
    return columns if detail is Detail.ALL else columns[:1]


def _of_dials(
    connection: Connection, divided: Divided, conditions: Sequence[ColumnElement[bool]], *, detail: Detail
) -> Iterator[_Row]:
    """Count dials one by one."""
    columns = _columns(divided, dials, dials.c.dial_key // _QUARTER_OF_KEYS)
    waited = case((dials.c.outcome == "answered", dials.c.ring_seconds), else_=null())
    counted = _counted(detail, divided, dials.c.outcome, dials.c.dial_status, waited)
    rows = connection.execute(
        select(func.count(), func.sum(call_begun), func.coalesce(func.sum(dials.c.talk_seconds), 0), *counted, *columns)
        .where(*conditions)
        .group_by(*counted, *columns)
    )
    for number, calls, talked, *values in rows:
        outcome, status, seconds = (*values[: len(counted)], None, None, None)[:3]
        group = values[len(counted) :]
        if divided in _OVER_TIME:
            group = [key_time(group[0] * _QUARTER_OF_KEYS)]
        yield number, int(calls), int(talked), outcome, status, {} if seconds is None else {seconds: number}, group


def _of_tallies(
    connection: Connection, divided: Divided, conditions: Sequence[ColumnElement[bool]], *, detail: Detail
) -> Iterator[_Row]:
    """Add up what was counted, the waits apart: they are kept as text."""
    columns = _columns(divided, tallies, tallies.c.start)
    counted = _counted(detail, divided, tallies.c.outcome, tallies.c.dial_status)
    rows = connection.execute(
        select(*(func.sum(tallies.c[name]) for name in ("dials", "calls", "talk_seconds")), *counted, *columns)
        .where(*conditions)
        .group_by(*counted, *columns)
    )
    for number, calls, talked, *values in rows:
        outcome, status = (*values[: len(counted)], None, None)[:2]
        yield int(number), int(calls), int(talked), outcome, status, {}, values[len(counted) :]
    if detail is Detail.ALL:
        kept = connection.execute(select(tallies.c.waits, *columns).where(*conditions, tallies.c.waits.is_not(None)))
        for group, waits in _added_up(kept).items():
            yield 0, 0, 0, "answered", None, waits, group


def _added_up(rows: Iterable[Sequence[Any]]) -> dict[tuple[Any, ...], dict[int, int]]:
    """Add the waits of each group up; there are many, so each is touched once."""
    sums: dict[tuple[Any, ...], dict[str, int]] = {}
    for text, *group in rows:
        waits = sums.setdefault(tuple(group), {})
        for seconds, times in json.loads(text).items():
            waits[seconds] = waits.get(seconds, 0) + times
    return {group: {int(seconds): times for seconds, times in waits.items()} for group, waits in sums.items()}


def _add(summary: Summary, rows: Iterable[_Row], divided: Divided, zone: tzinfo) -> None:
    parts = summary.parts
    labels: dict[int, list[str]] = {}
    for number, calls, talked, outcome, status, waited, group in rows:
        names: Iterable[str | None]
        if divided in _OVER_TIME:
            at = group[0]
            names = labels[at] = labels.get(at) or [_label(divided, datetime.fromtimestamp(at / 1000, zone))]
        else:
            names = _names(divided, group, outcome)
        if divided is Divided.TARGET:
            summary.whole.add(number, outcome, status, waited, calls=calls, talked=talked)
        for name in names:
            part = parts.get(name)
            if part is None:
                part = parts[name] = Figures()
            part.add(number, outcome, status, waited, calls=calls, talked=talked)


def _of_span(level: Level, span: Span) -> list[ColumnElement[bool]]:
    return [tallies.c.level == level.value, tallies.c.start >= span.start, tallies.c.start < span.finish]


def _fits(span: Span, divided: Divided, zone: tzinfo) -> bool:
    """Tell whether everything in a span belongs to one part."""
    if divided not in _OVER_TIME:
        return True
    first, last = (datetime.fromtimestamp(at / 1000, zone) for at in (span.start, span.finish - 1))
    if first.date() != last.date():
        return False
    return divided is not Divided.HOUR or (first.hour, first.utcoffset()) == (last.hour, last.utcoffset())


def _columns(divided: Divided, table: Table, at: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    if divided in _OVER_TIME:
        return (at,)
    if divided is Divided.TARGET:
        return table.c.targets, table.c.answered_by
    return (table.c[_COLUMNS[divided]],)


def _names(divided: Divided, group: Sequence[Any], outcome: str | None) -> Iterable[str | None]:
    if divided is Divided.TARGET:
        targets, answered_by = group
        if outcome == "answered" or not targets:
            return [None if answered_by is None else str(answered_by)]
        return [str(target) for target in json.loads(str(targets))]
    return [None if group[0] is None else str(group[0])]


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
