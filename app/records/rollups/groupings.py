"""Rollup rows: counts of dials grouped by all columns of the filters, or by a few.

A busy hour has hundreds of combinations of all columns, and most reports need one or two columns. So each period is
kept in several groupings: the coarse ones have few rows however many numbers, targets and causes there are.
"""

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, null, select

from app.records.model.tables import dials, rollups
from app.records.rollups.periods import Level, Period
from app.voice.outcome import Outcome

ALL_COLUMNS = ("outcome", "dial_status", "dial_hangup_cause", "route", "to_number", "targets", "answered_by")
OUTCOME_COLUMNS = ALL_COLUMNS[:2]  # Every grouping has these.

# 1 for the first dial of a call and for a dial that no plan placed: calls are counted by it. Otherwise 0.
_starts_call = case((dials.c.round > 1, 0), else_=1)

# Seconds; longer waits count as this long. No dial rings for an hour.
LONGEST_WAIT = 3600


class Grouping(IntEnum):
    """Which columns a rollup row is grouped by; each row of the table says it."""

    ALL = 0
    OUTCOME = 1
    TARGET = 2
    CAUSE = 3
    NUMBER = 4
    ROUTE = 5


COLUMNS: Mapping[Grouping, tuple[str, ...]] = {
    Grouping.ALL: ALL_COLUMNS,
    Grouping.OUTCOME: OUTCOME_COLUMNS,
    Grouping.TARGET: (*OUTCOME_COLUMNS, "targets", "answered_by"),
    Grouping.CAUSE: (*OUTCOME_COLUMNS, "dial_hangup_cause"),
    Grouping.NUMBER: (*OUTCOME_COLUMNS, "to_number"),
    Grouping.ROUTE: (*OUTCOME_COLUMNS, "route"),
}
_FEWEST_FIRST = (
    Grouping.OUTCOME,
    Grouping.CAUSE,
    Grouping.ROUTE,
    Grouping.NUMBER,
    Grouping.TARGET,
    Grouping.ALL,
)


def coarsest_grouping(needed: Collection[str]) -> Grouping:
    """Return the grouping with the fewest rows that has the needed columns."""
    return next(grouping for grouping in _FEWEST_FIRST if set(needed) <= set(COLUMNS[grouping]))


def rows_in(level: Level, grouping: Grouping, period: Period) -> list[ColumnElement[bool]]:
    """Return the conditions for the rows of all periods that begin within one; the rows are adjacent."""
    return [
        rollups.c.level == level.value,
        rollups.c.apart == grouping.value,
        rollups.c.start >= period.start,
        rollups.c.start < period.finish,
    ]


def pack_waits(waits: Mapping[int, int]) -> bytes | None:
    """Return counts by seconds as the bytes of a row: the n-th little-endian 32-bit number counts n seconds.

    Rows read as big integers add up with one addition each.
    """
    if not waits:
        return None
    return struct.pack(f"<{max(waits) + 1}I", *(waits.get(seconds, 0) for seconds in range(max(waits) + 1)))


def read_waits(packed: bytes | None) -> dict[int, int]:
    """Return the counts that `pack_waits` packed."""
    if not packed:
        return {}
    return {seconds: times for seconds, (times,) in enumerate(struct.iter_unpack("<I", packed)) if times}


def add_waits(rows: Iterable[Sequence[Any]]) -> dict[tuple[Any, ...], dict[int, int]]:
    """Return the sum of the waits of each group. A row holds packed waits, then the values of the group."""
    sums: dict[tuple[Any, ...], int] = {}
    for packed, *values in rows:
        group = tuple(values)
        sums[group] = sums.get(group, 0) + int.from_bytes(packed, "little")
    return {
        group: read_waits(total.to_bytes(-(-total.bit_length() // 32) * 4, "little")) for group, total in sums.items()
    }


class Rollup:
    """The counts of a group of dials."""

    __slots__ = ("calls", "dials", "talk_seconds", "waits")

    def __init__(self) -> None:
        """Start at zero."""
        self.dials = 0
        self.calls = 0
        self.talk_seconds = 0
        self.waits: dict[int, int] = {}  # seconds until the answer -> answered dials

    def add(self, number: int, calls: int, talked: int, waits: Mapping[int, int]) -> None:
        """Add more dials."""
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
    """Return counts read from the dials, grouped by the columns."""
    waited = case((dials.c.outcome == Outcome.ANSWERED.value, dials.c.ring_seconds), else_=null())
    grouping = [*columns, waited] if waits else columns
    rows = connection.execute(
        select(func.count(), func.sum(_starts_call), func.coalesce(func.sum(dials.c.talk_seconds), 0), *grouping)
        .where(*conditions)
        .group_by(*reversed(grouping))  # The most selective column first: sorting is faster.
    ).all()
    found: Rollups = {}
    for number, calls, talked, *values in rows:
        seconds = values.pop() if waits else None
        found.setdefault(tuple(values), Rollup()).add(
            number, int(calls), int(talked), {} if seconds is None else {min(seconds, LONGEST_WAIT): number}
        )
    return found


def regroup(found: Rollups, grouping: Grouping) -> Rollups:
    """Re-aggregate full-detail rows by a coarser set of columns."""
    places = [ALL_COLUMNS.index(name) for name in COLUMNS[grouping]]
    sums: Rollups = {}
    for values, rollup in found.items():
        sums.setdefault(tuple(values[place] for place in places), Rollup()).add(
            rollup.dials, rollup.calls, rollup.talk_seconds, rollup.waits
        )
    return sums
