"""Dials that are alike, counted together: told apart by everything that filters ask for, or by less.

Of a busy hour or day there are hundreds of kinds of dials, and most questions ask for one or two of the columns that
tell them apart. So what is counted is kept more than once: by everything, and by less, which is few rows however many
numbers, targets and causes there are.
"""

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, null, select

from app.records.model.tables import dials, rollups, starts_call
from app.records.rollups.periods import Level, Period
from app.voice.outcome import Outcome

NAMES = ("outcome", "dial_status", "dial_hangup_cause", "route", "to_number", "targets", "answered_by")
ENDED = NAMES[:2]  # Everything is told apart by these.

# Seconds; who waited longer is counted with those who waited so long. No dial rings for an hour.
LONGEST_WAIT = 3600


class Grouping(IntEnum):
    """By what the rows of a span are told apart; each row of the table says it."""

    EVERYTHING = 0
    OUTCOME = 1
    TARGET = 2
    CAUSE = 3
    NUMBER = 4
    ROUTE = 5


COLUMNS: Mapping[Grouping, tuple[str, ...]] = {
    Grouping.EVERYTHING: NAMES,
    Grouping.OUTCOME: ENDED,
    Grouping.TARGET: (*ENDED, "targets", "answered_by"),
    Grouping.CAUSE: (*ENDED, "dial_hangup_cause"),
    Grouping.NUMBER: (*ENDED, "to_number"),
    Grouping.ROUTE: (*ENDED, "route"),
}
_FEWEST_FIRST = (
    Grouping.OUTCOME,
    Grouping.CAUSE,
    Grouping.ROUTE,
    Grouping.NUMBER,
    Grouping.TARGET,
    Grouping.EVERYTHING,
)


def coarsest(needed: Collection[str]) -> Grouping:
    """Choose the fewest rows that know the needed columns."""
    return next(apart for apart in _FEWEST_FIRST if set(needed) <= set(COLUMNS[apart]))


def rows_in(level: Level, apart: Grouping, period: Period) -> list[ColumnElement[bool]]:
    """Choose the rows of all spans of a level that begin within one: they lie beside one another."""
    return [
        rollups.c.level == level.value,
        rollups.c.apart == apart.value,
        rollups.c.start >= period.start,
        rollups.c.start < period.finish,
    ]


def pack_waits(waits: Mapping[int, int]) -> bytes | None:
    """Write how many waited for how many seconds as a row keeps it.

    The n-th four bytes, the lowest first, tell how many waited for n seconds. Read as one whole number, many rows are
    added up by as many additions.
    """
    if not waits:
        return None
    return struct.pack(f"<{max(waits) + 1}I", *(waits.get(seconds, 0) for seconds in range(max(waits) + 1)))


def read_waits(packed: bytes | None) -> dict[int, int]:
    """Read what `pack_waits` wrote."""
    if not packed:
        return {}
    return {seconds: times for seconds, (times,) in enumerate(struct.iter_unpack("<I", packed)) if times}


def add_waits(rows: Iterable[Sequence[Any]]) -> dict[tuple[Any, ...], dict[int, int]]:
    """Add the waits of each group up. A row holds the packed waits, then what tells the group."""
    sums: dict[tuple[Any, ...], int] = {}
    for packed, *names in rows:
        group = tuple(names)
        sums[group] = sums.get(group, 0) + int.from_bytes(packed, "little")
    return {group: read_waits(sum_.to_bytes(-(-sum_.bit_length() // 32) * 4, "little")) for group, sum_ in sums.items()}


class Rollup:
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


Rollups = dict[tuple[Any, ...], Rollup]


def count_dials(
    connection: Connection,
    conditions: Iterable[ColumnElement[bool]],
    columns: Sequence[ColumnElement[Any]],
    *,
    waits: bool = True,
) -> Rollups:
    """Count dials one by one, told apart by the columns."""
    waited = case((dials.c.outcome == Outcome.ANSWERED.value, dials.c.ring_seconds), else_=null())
    apart = [*columns, waited] if waits else columns
    rows = connection.execute(
        select(func.count(), func.sum(starts_call), func.coalesce(func.sum(dials.c.talk_seconds), 0), *apart)
        .where(*conditions)
        .group_by(*reversed(apart))  # What differs most stands last: sorted by it first, rows differ sooner.
    ).all()
    found: Rollups = {}
    for number, calls, talked, *names in rows:
        seconds = names.pop() if waits else None
        found.setdefault(tuple(names), Rollup()).add(
            number, int(calls), int(talked), {} if seconds is None else {min(seconds, LONGEST_WAIT): number}
        )
    return found


def regroup(found: Rollups, apart: Grouping) -> Rollups:
    """Add up what everything but fewer columns tells apart."""
    places = [NAMES.index(name) for name in COLUMNS[apart]]
    sums: Rollups = {}
    for names, rollup in found.items():
        sums.setdefault(tuple(names[place] for place in places), Rollup()).add(
            rollup.dials, rollup.calls, rollup.talk_seconds, rollup.waits
        )
    return sums
