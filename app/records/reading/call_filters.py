"""The filters of a list of calls and their SQL.

A list is walked newest first along one index, and the other filters are checked on each call of the walk. Numbers,
targets, causes and searches are walked along the indexes of the dials; calls without a dial have indexes of their own.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    column,
    false,
    or_,
    select,
    union_all,
    values,
)

from app.records.model.ids import first_key
from app.records.model.tables import calls, dials
from app.records.model.tables_followup import followup_calls, followups
from app.records.reading.filters import DialFilters, alternatives, call_is_numbered, call_is_searched
from app.records.reading.scope import EVERYTHING, Scope
from app.records.rollups.counting import REASON
from app.voice.outcome import CallOutcome

# The most rows that a page reads where another filter is checked on each. The page then ends early, with a cursor.
_LOOKED_AT_CALLS, _LOOKED_AT_DIALS = 20_000, 1000
_LONGEST_CALL = first_key(2 * 24 * 3_600_000) - first_key(24 * 3_600_000)  # A day, as a difference of keys.
_OF_DIALS = ("search", "from_number", "target", "cause", "status", "to_number")  # The most selective first.

_MESSAGE_LEFT = CallOutcome.MESSAGE_LEFT.value

_Condition = ColumnElement[bool]
Keys = Select[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilters:
    """Which calls a report is about.

    `since` and `until` (excluded) bound when a call was first heard of, in milliseconds since 1970 UTC; a call must
    also lie within one of the `spans`, unless they are None. `outcomes` are any of these; empty for all. `status`,
    `cause`, `reason` and `target` match a call when one of its dials matches all of them. `search` is a number, its
    last digits, a SIP user, a call's UUID or a dial's id. Numbers are normalised.
    """

    since: int | None = None
    until: int | None = None
    spans: tuple[tuple[int, int], ...] | None = None
    outcomes: tuple[str, ...] = ()
    direction: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    route: str | None = None
    has_message: bool | None = None
    status: str | None = None
    cause: str | None = None
    reason: str | None = None
    target: str | None = None
    search: str | None = None
    followup: str | None = None
    scope: Scope = EVERYTHING  # Which calls the viewer may see at all.

    def __post_init__(self) -> None:
        """Keep the range of time within the scope, also after `replace`."""
        since, until = self.scope.narrow(self.since, self.until)
        object.__setattr__(self, "since", since)
        object.__setattr__(self, "until", until)


def matching_keys(connection: Connection, filters: CallFilters, *, before: int | None) -> tuple[Keys, int | None]:
    """Return the query for the keys of the newest calls that match, below the key `before`, and its floor.

    Calls with keys below the floor were not looked at; it is None where the query reaches all.
    """
    bounds = _time_bounds(filters)
    if before is not None:
        bounds.append(calls.c.call_key < before)
    walked = next((name for name in _OF_DIALS if getattr(filters, name) is not None), None)
    nothing: dict[str, Any] = {walked: None} if walked else {}
    rest = replace(filters, **nothing)
    others = _conditions(connection, rest)
    if walked is None:
        outcomes = _outcomes(filters)
        walk = _walk_outcomes(outcomes, filters.spans, bounds)
        if not others:
            return walk, None
        rows = _LOOKED_AT_CALLS
    else:
        if outcomes := _outcomes(filters):
            others.append(calls.c.outcome.in_(outcomes))
        others += [*bounds, *_within(filters.spans)]
        walk = _walk_dials(connection, filters, walked, before)
        rows = _LOOKED_AT_DIALS
    walk = walk.limit(rows)
    floor = connection.scalar(select(walk.subquery()).limit(1).offset(rows - 1))
    # MATERIALIZED keeps the planner on the intended index.
    found = walk.cte("walked").prefix_with("MATERIALIZED")
    keys = select(calls.c.call_key).join(found, found.c.call_key == calls.c.call_key).where(*others).distinct()
    return keys.order_by(calls.c.call_key.desc()), floor


def all_conditions(connection: Connection, filters: CallFilters) -> list[_Condition]:
    """Return the conditions of all filters on a call."""
    found = [*_time_bounds(filters), *_within(filters.spans), *_conditions(connection, filters)]
    if outcomes := _outcomes(filters):
        found.append(calls.c.outcome.in_(outcomes))
    return found


def _time_bounds(filters: CallFilters) -> list[_Condition]:
    bounds = []
    if filters.since is not None:
        bounds.append(calls.c.call_key >= first_key(filters.since))
    if filters.until is not None:
        bounds.append(calls.c.call_key < first_key(filters.until))
    return bounds


def _outcomes(filters: CallFilters) -> tuple[str, ...]:
    """Return the outcomes that match; empty for all."""
    if not filters.has_message:
        return filters.outcomes
    return (_MESSAGE_LEFT,) if _MESSAGE_LEFT in (filters.outcomes or (_MESSAGE_LEFT,)) else ("",)


def _within(spans: tuple[tuple[int, int], ...] | None) -> list[_Condition]:
    if spans is None:
        return []
    within = (and_(calls.c.call_key >= first_key(low), calls.c.call_key < first_key(high)) for low, high in spans)
    return [or_(false(), *within)]


def _walk_outcomes(
    outcomes: tuple[str, ...], spans: tuple[tuple[int, int], ...] | None, bounds: list[_Condition]
) -> Keys:
    """Return the query for the keys of calls with any of these outcomes, newest first."""
    source = select(calls.c.call_key)
    if spans is not None:
        bound = values(column("low", BigInteger), column("high", BigInteger), name="spans")
        pairs = bound.data([(first_key(low), first_key(high)) for low, high in spans] or [(0, 0)]).cte("spans")
        source = source.join(pairs, and_(calls.c.call_key >= pairs.c.low, calls.c.call_key < pairs.c.high))
    if len(outcomes) < 2 or spans is not None:
        fits = [calls.c.outcome.in_(outcomes)] if outcomes else []
        return source.where(*fits, *bounds).order_by(calls.c.call_key.desc())
    # One walk of the index per outcome; in a subquery each, since SQLite sorts no part of a union.
    walks = (
        source.where(calls.c.outcome == one, *bounds).order_by(calls.c.call_key.desc()).limit(_LOOKED_AT_CALLS)
        for one in outcomes
    )
    every = union_all(*(select(walk.subquery()) for walk in walks)).subquery()
    return select(every.c.call_key).order_by(every.c.call_key.desc())


def _walk_dials(connection: Connection, filters: CallFilters, name: str, before: int | None) -> Keys:
    """Return the query for the keys of calls that one filter on dials matches, newest first, with repetitions."""
    bounds: list[_Condition] = []
    if filters.since is not None:
        bounds.append(dials.c.dial_key >= first_key(filters.since))
    if filters.until is not None:
        bounds.append(dials.c.dial_key < first_key(filters.until) + _LONGEST_CALL)
    if before is not None:
        bounds += [dials.c.dial_key < before + _LONGEST_CALL, dials.c.call_key < before]
    walks: list[Keys] = []
    for branch in _dial_branches(connection, filters, name):
        walk = select(dials.c.call_key).where(branch, *bounds).order_by(dials.c.dial_key.desc())
        walks.append(walk.limit(_LOOKED_AT_DIALS))
    below = [calls.c.call_key < before] if before is not None else []
    for claim in _call_branches(connection, filters, name):
        walk = select(calls.c.call_key).where(claim, *_time_bounds(filters), *below)
        walks.append(walk.order_by(calls.c.call_key.desc()).limit(_LOOKED_AT_DIALS))
    if not walks:
        return select(calls.c.call_key).where(false())
    every = union_all(*(select(walk.subquery()) for walk in walks)).subquery()
    return select(every.c.call_key).order_by(every.c.call_key.desc())


def _dial_branches(connection: Connection, filters: CallFilters, name: str) -> list[_Condition]:
    [branches] = alternatives(connection, DialFilters(**{name: getattr(filters, name)}))
    return branches


def _call_branches(connection: Connection, filters: CallFilters, name: str) -> list[_Condition]:
    """Return the claims about calls without a dial; a search by UUID finds any call."""
    value = getattr(filters, name)
    if name == "search":
        return call_is_searched(value)
    if name in {"from_number", "to_number"}:
        return [call_is_numbered(connection, calls.c[name], value)]
    return []


def _conditions(connection: Connection, filters: CallFilters) -> list[_Condition]:
    """Return the conditions of the filters other than time and outcome."""
    found: list[_Condition] = [
        calls.c[name] == value
        for name in ("direction", "from_number", "to_number", "route")
        if (value := getattr(filters, name)) is not None
    ]
    if filters.followup is not None:
        owned = select(followups.c.followup_key).where(
            followup_calls.c.call_key == calls.c.call_key,
            followups.c.followup_key == followup_calls.c.followup_key,
            followups.c.state == filters.followup,
        )
        found.append(owned.exists())
    found += filters.scope.on_route(calls.c.route)
    if filters.has_message is False:
        found.append(or_(calls.c.outcome.is_(None), calls.c.outcome != _MESSAGE_LEFT))
    of_dial = [
        or_(false(), *_dial_branches(connection, filters, name))
        for name in ("target", "cause", "status")
        if getattr(filters, name) is not None
    ]
    if filters.reason is not None:
        of_dial.append(REASON.in_([filters.reason]))
    if of_dial:
        found.append(select(dials.c.dial_key).where(dials.c.call_key == calls.c.call_key, *of_dial).exists())
    if filters.search is not None:
        rung = or_(false(), *_dial_branches(connection, filters, "search"))
        found.append(or_(calls.c.call_key.in_(select(dials.c.call_key).where(rung)), *call_is_searched(filters.search)))
    return found
