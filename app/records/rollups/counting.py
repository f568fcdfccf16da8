"""Count calls or dials, grouped by any columns, with one statement: past hours and reports are counted alike.

A call has several targets, causes and reasons. Grouped by these it counts once for each combination that one of its
dials has, so a group is as large as the list of calls with that target or cause.
"""

from collections.abc import Collection, Iterable, Sequence
from enum import IntEnum, StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    FromClause,
    Select,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    true,
)

from app.records.model.ids import first_key, key_time
from app.records.model.tables import WAIT_BOUNDS, calls, dials
from app.voice.explanation import REASON_OF_CAUSE, REASON_OF_CODE
from app.voice.outcome import CallOutcome

HOUR = 3_600_000  # milliseconds
_QUARTER_OF_KEYS = first_key(key_time(0) + HOUR // 4)


class Unit(StrEnum):
    """What is counted. A dial belongs to the hour of its call."""

    CALLS = "calls"
    DIALS = "dials"


class Kind(IntEnum):
    """What a row of the rollups counts: one call or dial for each combination of the columns in `KINDS`."""

    CALL = 0
    CALL_TARGET = 1
    CALL_CAUSE = 2
    CALL_REASON = 3
    CALL_TARGET_REASON = 4
    DIAL = 5
    DIAL_TARGET = 6


# The columns with several values per call or dial that rows of a kind have.
KINDS: dict[tuple[Unit, frozenset[str]], Kind] = {
    (Unit.CALLS, frozenset()): Kind.CALL,
    (Unit.CALLS, frozenset({"target"})): Kind.CALL_TARGET,
    (Unit.CALLS, frozenset({"cause"})): Kind.CALL_CAUSE,
    (Unit.CALLS, frozenset({"reason"})): Kind.CALL_REASON,
    (Unit.CALLS, frozenset({"target", "reason"})): Kind.CALL_TARGET_REASON,
    (Unit.DIALS, frozenset()): Kind.DIAL,
    (Unit.DIALS, frozenset({"target"})): Kind.DIAL_TARGET,
}
_SEVERAL = {Unit.CALLS: frozenset({"target", "dial_status", "cause", "reason"}), Unit.DIALS: frozenset({"target"})}
WAITS = tuple(f"waits_{bound}" for bound in (*WAIT_BOUNDS, "longer"))
MEASURES = ("calls", "dials", "talk_seconds", *WAITS)

REASON: ColumnElement[str | None] = case(
    REASON_OF_CODE,
    value=dials.c.hangup_code,
    else_=case(REASON_OF_CAUSE, value=dials.c.dial_hangup_cause, else_=dials.c.dial_hangup_cause),
)
_OF_DIALS = {"dial_status": dials.c.dial_status, "cause": dials.c.dial_hangup_cause, "reason": REASON}
_COLUMNS: dict[Unit, dict[str, ColumnElement[Any]]] = {
    Unit.CALLS: {
        "direction": calls.c.direction,
        "route": calls.c.route,
        "to_number": calls.c.to_number,
        "outcome": func.coalesce(calls.c.outcome, CallOutcome.UNKNOWN.value),
        "answered_by": calls.c.answered_by,
        **_OF_DIALS,
    },
    Unit.DIALS: {
        **{name: dials.c[name] for name in ("route", "to_number", "outcome", "answered_by")},
        **_OF_DIALS,
    },
}
# Texts, because statements are built for each report. `one` is the name of the rows to count.
_SUMS: list[ColumnElement[int]] = [
    literal_column(f"{text}").label(name)
    for text, name in zip(
        (
            "sum(one.calls)",
            "sum(one.dials)",
            "coalesce(sum(one.talk_seconds), 0)",
            *(
                f"sum(CASE WHEN one.waited > {low} AND one.waited <= {high} THEN 1 ELSE 0 END)"
                for low, high in zip((-1, *WAIT_BOUNDS), (*WAIT_BOUNDS, 1 << 31), strict=True)
            ),
        ),
        MEASURES,
        strict=True,
    )
]


def several_of(unit: Unit, names: Collection[str]) -> frozenset[str]:
    """Return which of these columns may have several values per call or dial."""
    return _SEVERAL[unit] & frozenset(names)


def columns_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns that rows of a kind have."""
    unit, several = next(key for key, found in KINDS.items() if found is kind)
    return tuple(name for name in (*_COLUMNS[unit], "target") if name not in _SEVERAL[unit] - several)


def count(
    unit: Unit,
    names: Sequence[str],
    conditions: Iterable[ColumnElement[bool]],
    *,
    is_sqlite: bool,
    by_quarter: bool = False,
    also: Sequence[str] = (),
) -> tuple[FromClause, Select[Any]]:
    """Return the rows to count, and the statement that counts them by `names`, and by quarter hour if asked to.

    `conditions` are of the tables. The rows have the columns `names` and `also`, for conditions of those.
    """
    every = dict.fromkeys((*names, *also))
    several = several_of(unit, every)
    row = _rows(unit, every, several, is_sqlite).where(*conditions)
    one = (row.distinct() if several and unit is Unit.CALLS else row).subquery("one")
    groups = [one.c.quarter, *(one.c[name] for name in names)] if by_quarter else [one.c[name] for name in names]
    counted = select(*groups, *_SUMS)
    return one, counted.group_by(*groups)


def quarter_time(quarter: int) -> int:
    """Return the beginning, in milliseconds, of a quarter hour that `count` grouped by."""
    return key_time(quarter * _QUARTER_OF_KEYS)


def _rows(unit: Unit, names: Iterable[str], several: Collection[str], is_sqlite: bool) -> Select[Any]:
    """Return the statement for one row per call or dial and combination of the columns with several values."""
    source: FromClause = dials if unit is Unit.DIALS else calls
    if several and unit is Unit.CALLS:
        source = source.outerjoin(dials, dials.c.call_key == calls.c.call_key)
    columns = dict(_COLUMNS[unit])
    if "target" in several:
        array = dials.c.targets if is_sqlite else cast(dials.c.targets, JSON)
        targets = (func.json_each if is_sqlite else func.json_array_elements_text)(array).table_valued("value")
        source, columns["target"] = source.outerjoin(targets, true()), targets.c.value
    one: ColumnElement[int] = literal_column("1")
    if unit is Unit.CALLS:
        table, row_key, waited = calls, calls.c.call_key, calls.c.waited_seconds
        numbers = [one.label("calls"), calls.c.dial_count.label("dials")]
    else:
        table, row_key, waited = dials, dials.c.dial_key, dials.c.ring_seconds
        # The first dial of a call, and a dial that no plan placed.
        numbers = [case((dials.c.round > 1, 0), else_=1).label("calls"), one.label("dials")]
    return select(
        row_key.label("row_key"),
        (table.c.call_key // _QUARTER_OF_KEYS).label("quarter"),
        table.c.talk_seconds.label("talk_seconds"),
        case((table.c.outcome == CallOutcome.ANSWERED.value, waited), else_=null()).label("waited"),
        *numbers,
        *(columns[name].label(name) for name in names),
    ).select_from(source)
