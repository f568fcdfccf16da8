"""Which dials are wanted: the filters of a report, and what they mean in SQL.

Every filter stands for an index that holds its rows newest first. Where several values fit (a number that rings in
several groups, callers whose numbers end alike), the few values are found first by skipping through the index, and
their walks are merged.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, and_, func, literal_column, select

from app.records.model.ids import first_key
from app.records.model.tables import ENDING_LENGTH, calls, dials, ending, tallies

_MOST_VALUES = 1000
_WRITTEN_NUMBER = re.compile(r"[0-9 ().+/-]+", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class TooMany(ValueError):
    """So much fits that walking through it would take long; the message says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which dials. Times in milliseconds since 1970 UTC, of when a dial was first heard of, `until` excluded.

    `search` is a number, its last digits, a SIP user, a call's UUID or a dial's id. Numbers are normalised.
    """

    since: int | None = None
    until: int | None = None
    status: str | None = None
    outcome: str | None = None
    outcomes: tuple[str, ...] = ()  # Any of these; all when there are none.
    cause: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    target: str | None = None
    route: str | None = None
    search: str | None = None
    sets: tuple[tuple[str | None, str], ...] | None = None  # What `with_sets` found of the target.


Branches = list[ColumnElement[bool]]


def in_time(wanted: Wanted) -> Branches:
    """Give the bounds of the range as conditions on the dial's key."""
    bounds = []
    if wanted.since is not None:
        bounds.append(dials.c.dial_key >= first_key(wanted.since))
    if wanted.until is not None:
        bounds.append(dials.c.dial_key < first_key(wanted.until))
    return bounds


def alternatives(connection: Connection, wanted: Wanted) -> list[Branches]:
    """Translate each filter into its alternatives, each of which one index can walk newest first.

    No alternative at all means that nothing fits.
    """
    found: list[Branches] = []
    if wanted.search is not None:
        found.append(_search(connection, wanted.search))
    if wanted.from_number is not None:
        found.append([_has_number(connection, dials.c.from_number, wanted.from_number)])
    for column, value in ((dials.c.dial_hangup_cause, wanted.cause), (dials.c.dial_status, wanted.status)):
        if value is not None:
            found.append([column == value])
    if wanted.target is not None:
        found.append([_is_set(*one) for one in _sets(connection, wanted)])
    if wanted.outcome is not None:
        found.append([dials.c.outcome == wanted.outcome])
    if wanted.outcomes:
        found.append([dials.c.outcome == outcome for outcome in wanted.outcomes])
    if wanted.to_number is not None:
        found.append([_has_number(connection, dials.c.to_number, wanted.to_number)])
    if wanted.route is not None:
        found.append([_is_set(*one) for one in _target_sets(connection) if one[0] == wanted.route])
    return found


def tallied(connection: Connection, wanted: Wanted) -> list[tuple[Column[Any], ColumnElement[bool]]]:
    """Translate the filters, but for those that name a caller, for what was counted: columns and their conditions."""
    conditions = [
        (column, column == value)
        for column, value in (
            (tallies.c.dial_status, wanted.status),
            (tallies.c.outcome, wanted.outcome),
            (tallies.c.dial_hangup_cause, wanted.cause),
            (tallies.c.to_number, wanted.to_number),
            (tallies.c.route, wanted.route),
        )
        if value is not None
    ]
    if wanted.outcomes:
        conditions.append((tallies.c.outcome, tallies.c.outcome.in_(wanted.outcomes)))
    if wanted.target is not None:
        targets = sorted({targets for _, targets in _sets(connection, wanted)})
        conditions.append((tallies.c.targets, tallies.c.targets.in_(targets)))
    return conditions


def with_sets(connection: Connection, wanted: Wanted) -> Wanted:
    """Find once in which groups a target rings, for who asks several times."""
    return wanted if wanted.target is None else replace(wanted, sets=_sets(connection, wanted))


def _sets(connection: Connection, wanted: Wanted) -> tuple[tuple[str | None, str], ...]:
    if wanted.sets is not None:
        return wanted.sets
    return tuple(one for one in _target_sets(connection) if wanted.target in json.loads(one[1]))


def find_routes(connection: Connection) -> list[str]:
    """Name each route that any dial has."""
    return _distinct(connection, dials.c.route, [])


def _target_sets(connection: Connection) -> list[tuple[str | None, str]]:
    """Give each pair of route and targets (a JSON array) that any dial has."""
    return [
        (route, targets)
        for route in (None, *find_routes(connection))
        for targets in _distinct(
            connection, dials.c.targets, [dials.c.route.is_(None) if route is None else dials.c.route == route]
        )
    ]


def _is_set(route: str | None, targets: str) -> ColumnElement[bool]:
    return and_(dials.c.route.is_(None) if route is None else dials.c.route == route, dials.c.targets == targets)


def _has_number(connection: Connection, column: Column[str | None], number: str) -> ColumnElement[bool]:
    return and_(_ends_with(column, number), _is(connection, column, number))


def _is(connection: Connection, column: Column[str | None], number: str) -> ColumnElement[bool]:
    # SQLite would put the value of an = into the expression beside it, and no longer see that the index holds that.
    operator = "IS" if connection.dialect.name == "sqlite" else "="
    return column.op(operator, is_comparison=True)(number)


def _ends_with(column: Column[str | None], end: str) -> ColumnElement[bool]:
    return literal_column(ending(f"dials.{column.name}")) == end.rjust(ENDING_LENGTH, "0")[-ENDING_LENGTH:]


def _search(connection: Connection, text: str) -> Branches:
    if not _WRITTEN_NUMBER.fullmatch(text) or _UUID.fullmatch(text):
        return _named(connection, text)
    digits = "".join(character for character in text if character.isdigit())
    if len(digits) < ENDING_LENGTH:
        return _named(connection, text)  # An emergency number or a short code, as it is.
    return [
        *(
            walk
            for column in (dials.c.from_number, dials.c.to_number)
            for walk in _ending_with(connection, column, digits)
        ),
        *(
            _is_set(*one)
            for one in _target_sets(connection)
            if any(target.endswith(digits) for target in json.loads(one[1]))
        ),
    ]


def _named(connection: Connection, text: str) -> Branches:
    """Look text up that is no number: a SIP user or a word as a number, a call's UUID, a dial's id."""
    call_key = connection.scalar(select(calls.c.call_key).where(calls.c.call_uuid == text))
    dial_key = connection.scalar(select(dials.c.dial_key).where(dials.c.dial_id == text))
    return [
        *([dials.c.call_key == call_key] if call_key is not None else []),
        *([dials.c.dial_key == dial_key] if dial_key is not None else []),
        _has_number(connection, dials.c.from_number, text),
        _has_number(connection, dials.c.to_number, text),
        *(_is_set(*one) for one in _target_sets(connection) if text in json.loads(one[1])),
    ]


def _ending_with(connection: Connection, column: Column[str | None], digits: str) -> Iterator[ColumnElement[bool]]:
    ends = _ends_with(column, digits)
    for number in _distinct(connection, column, [ends]):
        if number.endswith(digits):
            yield and_(ends, _is(connection, column, number))


def _distinct(connection: Connection, column: Column[str | None], where: Branches) -> list[str]:
    """Give a column's values by skipping through its index from one to the next."""
    walk = select(func.min(column).label("value")).where(*where).cte("walk", recursive=True)
    following = select(func.min(column)).where(column > walk.c.value, *where).scalar_subquery()
    walk = walk.union_all(select(following).where(walk.c.value.is_not(None)))
    found = connection.scalars(select(walk.c.value).where(walk.c.value.is_not(None)).limit(_MOST_VALUES + 1)).all()
    if len(found) > _MOST_VALUES:
        raise TooMany("that fits too many different numbers; write more of it")
    return [str(value) for value in found]
