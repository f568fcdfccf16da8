"""The filters of a report and their SQL.

Each filter has an index that holds its dials newest first. When several values match (a number that rings in several
groups, callers whose numbers end alike), the values are found by a skip scan of the index, and one walk per value is
merged.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Column, ColumnElement, Connection, and_, func, literal_column, select, text

from app.records.model.ids import first_key
from app.records.model.tables import HAS_NO_DIAL, SUFFIX_LENGTH, calls, dials, suffix_of
from app.records.reading.scope import EVERYTHING, Scope

_MOST_VALUES = 1000
_WRITTEN_NUMBER = re.compile(r"[0-9 ().+/-]+", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class TooMany(ValueError):
    """Too many values match for a fast report; the message says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialFilters:
    """Which dials a report is about.

    `since` and `until` (excluded) bound when a dial was first heard of, in milliseconds since 1970 UTC. `search` is a
    number, its last digits, a SIP user, a call UUID or a dial id. Numbers are normalised.
    """

    since: int | None = None
    until: int | None = None
    status: str | None = None
    outcome: str | None = None
    outcomes: tuple[str, ...] = ()  # Any of these; empty for all.
    cause: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    target: str | None = None
    route: str | None = None
    search: str | None = None
    target_groups: tuple[tuple[str | None, str], ...] | None = None  # Found by `with_target_groups`.
    scope: Scope = EVERYTHING  # Which dials the viewer may see at all.

    def __post_init__(self) -> None:
        """Keep the range of time within the scope, also after `replace`."""
        since, until = self.scope.narrow(self.since, self.until)
        object.__setattr__(self, "since", since)
        object.__setattr__(self, "until", until)


Branches = list[ColumnElement[bool]]


def time_bounds(filters: DialFilters) -> Branches:
    """Return the conditions on the dial key for the time range."""
    bounds = []
    if filters.since is not None:
        bounds.append(dials.c.dial_key >= first_key(filters.since))
    if filters.until is not None:
        bounds.append(dials.c.dial_key < first_key(filters.until))
    return bounds


def alternatives(connection: Connection, filters: DialFilters) -> list[Branches]:
    """Return the alternatives of each filter; one index can walk each alternative newest first.

    A filter without alternatives matches no dial.
    """
    found: list[Branches] = []
    if filters.search is not None:
        found.append(_search(connection, filters.search))
    if filters.from_number is not None:
        found.append([_has_number(connection, dials.c.from_number, filters.from_number)])
    equal = ((dials.c.dial_hangup_cause, filters.cause), (dials.c.dial_status, filters.status))
    for column, value in (*equal, (dials.c.outcome, filters.outcome)):
        if value is not None:
            found.append([column == value])
    if filters.target is not None:
        found.append([_is_group(*one) for one in _groups_of_target(connection, filters)])
    if filters.outcomes:
        found.append([dials.c.outcome == outcome for outcome in filters.outcomes])
    if filters.to_number is not None:
        found.append([_has_number(connection, dials.c.to_number, filters.to_number)])
    for routes in ((filters.route,) if filters.route is not None else None, filters.scope.routes):
        if routes is not None:
            found.append([_is_group(*one) for one in _target_groups(connection) if one[0] in routes])
    return found


def with_target_groups(connection: Connection, filters: DialFilters) -> DialFilters:
    """Return the filters with the groups of the target looked up, for use in several queries."""
    return filters if filters.target is None else replace(filters, target_groups=_groups_of_target(connection, filters))


def _groups_of_target(connection: Connection, filters: DialFilters) -> tuple[tuple[str | None, str], ...]:
    if filters.target_groups is not None:
        return filters.target_groups
    return find_target_groups(connection, filters.target or "")


def find_target_groups(connection: Connection, target: str) -> tuple[tuple[str | None, str], ...]:
    """Return every pair of route and targets (a JSON array) in which a target rings."""
    return tuple(one for one in _target_groups(connection) if target in json.loads(one[1]))


def find_routes(connection: Connection) -> list[str]:
    """Return every route that a dial has."""
    return _distinct(connection, dials.c.route, [])


def _target_groups(connection: Connection) -> list[tuple[str | None, str]]:
    """Return every pair of route and targets (a JSON array) that a dial has."""
    return [
        (route, targets)
        for route in (None, *find_routes(connection))
        for targets in _distinct(
            connection, dials.c.targets, [dials.c.route.is_(None) if route is None else dials.c.route == route]
        )
    ]


def _is_group(route: str | None, targets: str) -> ColumnElement[bool]:
    return and_(dials.c.route.is_(None) if route is None else dials.c.route == route, dials.c.targets == targets)


def _has_number(connection: Connection, column: Column[str | None], number: str) -> ColumnElement[bool]:
    return and_(_ends_with(column, number), _is(connection, column, number))


def _is(connection: Connection, column: Column[str | None], number: str) -> ColumnElement[bool]:
    # With "=" SQLite would substitute the value into the indexed expression and no longer recognise it.
    operator = "IS" if connection.dialect.name == "sqlite" else "="
    return column.op(operator, is_comparison=True)(number)


def _ends_with(column: Column[str | None], end: str) -> ColumnElement[bool]:
    return (
        literal_column(suffix_of(f"{column.table.name}.{column.name}"))
        == end.rjust(SUFFIX_LENGTH, "0")[-SUFFIX_LENGTH:]
    )


def call_is_numbered(connection: Connection, column: Column[str | None], number: str) -> ColumnElement[bool]:
    """Return the condition that a call without a dial has this number."""
    return and_(text(HAS_NO_DIAL), _has_number(connection, column, number))


def call_is_searched(searched: str) -> Branches:
    """Return the conditions that a search finds a call: any call by its UUID, one without a dial by its numbers."""
    digits = _digits(searched)
    ends = digits or searched
    return [
        calls.c.call_uuid == searched,
        *(
            and_(
                text(HAS_NO_DIAL),
                _ends_with(column, ends),
                column.endswith(ends, autoescape=True) if digits else column == ends,
            )
            for column in (calls.c.from_number, calls.c.to_number)
        ),
    ]


def _digits(searched: str) -> str:
    """Return the digits of a searched phone number; empty for a UUID, a name, a short code."""
    if not _WRITTEN_NUMBER.fullmatch(searched) or _UUID.fullmatch(searched):
        return ""
    digits = "".join(character for character in searched if character.isdigit())
    return digits if len(digits) >= SUFFIX_LENGTH else ""  # Else an emergency number or a short code.


def _search(connection: Connection, searched: str) -> Branches:
    digits = _digits(searched)
    if not digits:
        return _named(connection, searched)
    return [
        *(
            walk
            for column in (dials.c.from_number, dials.c.to_number)
            for walk in _ending_with(connection, column, digits)
        ),
        *(
            _is_group(*one)
            for one in _target_groups(connection)
            if any(target.endswith(digits) for target in json.loads(one[1]))
        ),
    ]


def _named(connection: Connection, name: str) -> Branches:
    """Return the walks for a text that is no phone number: a SIP user, a call UUID, a dial id."""
    call_key = connection.scalar(select(calls.c.call_key).where(calls.c.call_uuid == name))
    dial_key = connection.scalar(select(dials.c.dial_key).where(dials.c.dial_id == name))
    return [
        *([dials.c.call_key == call_key] if call_key is not None else []),
        *([dials.c.dial_key == dial_key] if dial_key is not None else []),
        _has_number(connection, dials.c.from_number, name),
        _has_number(connection, dials.c.to_number, name),
        *(_is_group(*one) for one in _target_groups(connection) if name in json.loads(one[1])),
    ]


def _ending_with(connection: Connection, column: Column[str | None], digits: str) -> Iterator[ColumnElement[bool]]:
    ends = _ends_with(column, digits)
    for number in _distinct(connection, column, [ends]):
        if number.endswith(digits):
            yield and_(ends, _is(connection, column, number))


def _distinct(connection: Connection, column: Column[str | None], where: Branches) -> list[str]:
    """Return the distinct values of a column by a skip scan of its index."""
    walk = select(func.min(column).label("value")).where(*where).cte("walk", recursive=True)
    following = select(func.min(column)).where(column > walk.c.value, *where).scalar_subquery()
    walk = walk.union_all(select(following).where(walk.c.value.is_not(None)))
    found = connection.scalars(select(walk.c.value).where(walk.c.value.is_not(None)).limit(_MOST_VALUES + 1)).all()
    if len(found) > _MOST_VALUES:
        raise TooMany("too many different numbers match; enter more of the number")
    return [str(value) for value in found]
