"""Dials that are alike, counted together: told apart by everything that filters ask for, or by less.

Of a busy hour or day there are hundreds of kinds of dials, and most questions ask for one or two of the columns that
tell them apart. So what is counted is kept more than once: by everything, and by less, which is few rows however many
numbers, targets and causes there are.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, null, select

from app.records.spans import Level, Span
from app.records.tables import call_begun, dials, tallies
from app.voice.outcome import Outcome

NAMES = ("outcome", "dial_status", "dial_hangup_cause", "route", "to_number", "targets", "answered_by")
_ENDED = NAMES[:2]  # Everything is told apart by these.


class Apart(IntEnum):
    """By what the rows of a span are told apart; each row of the table says it."""

    EVERYTHING = 0
    OUTCOME = 1
    TARGET = 2
    CAUSE = 3
    NUMBER = 4
    ROUTE = 5


COLUMNS: Mapping[Apart, tuple[str, ...]] = {
    Apart.EVERYTHING: NAMES,
    Apart.OUTCOME: _ENDED,
    Apart.TARGET: (*_ENDED, "targets", "answered_by"),
    Apart.CAUSE: (*_ENDED, "dial_hangup_cause"),
    Apart.NUMBER: (*_ENDED, "to_number"),
    Apart.ROUTE: (*_ENDED, "route"),
}
_FEWEST_FIRST = (Apart.OUTCOME, Apart.CAUSE, Apart.ROUTE, Apart.NUMBER, Apart.TARGET, Apart.EVERYTHING)


def fewest(needed: Collection[str]) -> Apart:
    """Choose the fewest rows that know the needed columns."""
    return next(apart for apart in _FEWEST_FIRST if set(needed) <= set(COLUMNS[apart]))


def rows_of(level: Level, apart: Apart, span: Span) -> list[ColumnElement[bool]]:
    """Choose the rows of all spans of a level that begin within one: they lie beside one another."""
    return [
        tallies.c.level == level.value,
        tallies.c.apart == apart.value,
        tallies.c.start >= span.start,
        tallies.c.start < span.finish,
    ]


def read_waits(text: str | None) -> dict[int, int]:
    """Read the waits as a row keeps them."""
    return {int(seconds): times for seconds, times in json.loads(text).items()} if text else {}


class Tally:
    """How many dials are alike, and what they add up to."""

    __slots__ = ("calls", "dials", "talk_seconds", "waits")

    def __init__(self) -> None:
        """Begin with none."""
        self.dials = 0
        self.calls = 0
        self.talk_seconds = 0
        self.waits: dict[int, int] = {}  # of answered dials: from seconds until the answer to how many

    def add(self, number: int, calls: int, talked: int, waits: Mapping[int, int]) -> None:
        """Count more of them."""
        self.dials += number
        self.calls += calls
        self.talk_seconds += talked
        for seconds, times in waits.items():
            self.waits[seconds] = self.waits.get(seconds, 0) + times


Tallies = dict[tuple[Any, ...], Tally]


def count_dials(
    connection: Connection,
    conditions: Iterable[ColumnElement[bool]],
    columns: Sequence[ColumnElement[Any]],
    *,
    waits: bool = True,
) -> Tallies:
    """Count dials one by one, told apart by the columns."""
    waited = case((dials.c.outcome == Outcome.ANSWERED.value, dials.c.ring_seconds), else_=null())
    apart = [*columns, waited] if waits else columns
    rows = connection.execute(
        select(func.count(), func.sum(call_begun), func.coalesce(func.sum(dials.c.talk_seconds), 0), *apart)
        .where(*conditions)
        .group_by(*reversed(apart))  # What differs most stands last: sorted by it first, rows differ sooner.
    )
    found: Tallies = {}
    for number, calls, talked, *names in rows:
        seconds = names.pop() if waits else None
        found.setdefault(tuple(names), Tally()).add(
            number, int(calls), int(talked), {} if seconds is None else {seconds: number}
        )
    return found


def by_less(found: Tallies, apart: Apart) -> Tallies:
    """Add up what everything but fewer columns tells apart."""
    places = [NAMES.index(name) for name in COLUMNS[apart]]
    sums: Tallies = {}
    for names, tally in found.items():
        sums.setdefault(tuple(names[place] for place in places), Tally()).add(
            tally.dials, tally.calls, tally.talk_seconds, tally.waits
        )
    return sums
