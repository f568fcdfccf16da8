"""Keep the rows of follow-ups equal to what follows from the calls, in the transaction that changes a call.

Only a call that ends, or whose outcome changes, is looked at: an answered call costs one look for a follow-up of its
caller. Transactions on calls of one number take turns.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter, itemgetter
from typing import Any

from app.records.model.state import CallState, FollowupState
from app.records.store.statements import Cursor, Statements
from app.records.writing.followups import (
    ANONYMOUS,
    FollowedCall,
    Followup,
    Mark,
    Rules,
    caller_of,
    derive_followups,
    needs_followup,
    parties,
)
from app.records.writing.outbox import EventType, event_row, time_of
from app.voice.outcome import CallOutcome

# The newest calls of a number that are read; follow-ups that began before them are kept as they are.
MOST_CALLS = 200
EVERY_CALL = 1_000_000_000

_FACTS = FollowedCall._fields[2:-1]
_COLUMNS = [field.name for field in fields(CallState)]
_facts_of = attrgetter(*_FACTS)
_facts_before = itemgetter(*map(_COLUMNS.index, _FACTS))
_OUTCOME = _COLUMNS.index("outcome")
_NOT_ENDED = frozenset({None, CallOutcome.IN_PROGRESS.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A follow-up before and after a transaction; None where it did not exist or does not any more."""

    before: FollowupState | None
    after: FollowupState | None


def touched_by(states: Iterable[tuple[CallState, tuple[Any, ...] | None]], rules: Rules) -> dict[str, bool]:
    """Return the numbers whose follow-ups may change, and whether a call of theirs needs one.

    Each call comes with its row as read, None for a new one.
    """
    touched: dict[str, bool] = {}
    for call, row in states:
        if call.outcome in _NOT_ENDED and (row is None or row[_OUTCOME] in _NOT_ENDED):
            continue
        if row is not None and _facts_before(row) == _facts_of(call):
            continue
        is_needed = needs_followup(call, rules)
        numbers = parties(call) if row is None else parties(call) | parties(CallState(*row))
        touched.update((number, is_needed or touched.get(number, False)) for number in numbers)
    return touched


def update_followups(
    cursor: Cursor, sql: Statements, touched: Mapping[str, bool], rules: Rules, *, limit: int = MOST_CALLS
) -> list[Change]:
    """Derive the follow-ups of these numbers again; those without a row are skipped unless a call needs one."""
    sql.take_turns(cursor, [lock_name(number) for number in touched])
    cursor.execute(sql.followups_of_callers, (sql.many(touched),))
    stored: dict[str, list[FollowupState]] = {number: [] for number, is_needed in touched.items() if is_needed}
    for row in cursor.fetchall():
        followup = sql.followups.read(row)
        stored.setdefault(followup.caller, []).append(followup)
    return [change for number, known in stored.items() for change in _rewrite(cursor, sql, number, known, rules, limit)]


def lock_name(number: str) -> str:
    """Return the name of the lock on a number's follow-ups."""
    return f"follow-ups of {number}"


def _rewrite(
    cursor: Cursor, sql: Statements, number: str, stored: list[FollowupState], rules: Rules, limit: int
) -> list[Change]:
    """Derive the follow-ups of one number, write what differs from the stored ones, and return that."""
    calls, since = _past_calls(cursor, sql, number, limit)
    earlier = {one.route: one for one in sorted(stored, key=attrgetter("opened_at")) if one.opened_at < since}
    before = {one.followup_key: one for one in (*earlier.values(), *(one for one in stored if one.opened_at >= since))}
    derived, owners = derive_followups(number, calls, _marks(cursor, sql, number), rules, earlier.values())
    after = {one.followup_key: one for one in derived}
    changes = [
        Change(before=before.get(key), after=after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    ]
    for change in changes:
        if change.after is None and change.before is not None:
            cursor.execute(sql.delete_followup, (change.before.followup_key,))
        elif change.after is not None:
            values = sql.followups.values(change.after)
            if change.before is None:
                cursor.execute(sql.followups.insert, values)
            else:
                cursor.execute(*sql.followups.update_changed(sql.followups.values(change.before), values))
    if changes or limit == EVERY_CALL:
        wrong = _write_owners(cursor, sql, [call.call_key for call in calls if caller_of(call) == number], owners)
        changes += [Change(before=after[key], after=after[key]) for key in wrong if not changes]
    return changes


def _past_calls(cursor: Cursor, sql: Statements, number: str, limit: int) -> tuple[list[FollowedCall], int]:
    """Return the calls between a number and us, and since when they are complete, in milliseconds."""
    if number.startswith(ANONYMOUS):
        cursor.execute(sql.past_call, (number.removeprefix(ANONYMOUS),))
        return [FollowedCall(*row) for row in cursor.fetchall()], 0
    cursor.execute(sql.past_calls, (number, limit) * 3)
    ways: dict[int, list[FollowedCall]] = {}
    for way, *row in cursor.fetchall():
        ways.setdefault(way, []).append(FollowedCall(*row))
    full = [min(call.started_at for call in found) for found in ways.values() if len(found) == limit]
    since = max(full, default=0)
    calls = {call.call_key: call for found in ways.values() for call in found if call.started_at >= since}
    return list(calls.values()), since


def _marks(cursor: Cursor, sql: Statements, number: str) -> list[Mark]:
    cursor.execute(sql.marks_of_caller, (number,))
    return [Mark(*row) for row in cursor.fetchall()]


def _write_owners(cursor: Cursor, sql: Statements, call_keys: list[int], owners: Mapping[int, int]) -> set[int]:
    """Write to which follow-up each call belongs; return the keys of those that lacked a call."""
    cursor.execute(sql.owners_of_calls, (sql.many(call_keys),))
    known = dict(cursor.fetchall())
    gone = [(key,) for key in known.keys() - owners.keys()]
    if gone:
        cursor.executemany(sql.disown_call, gone)
    if changed := [(key, owner) for key, owner in owners.items() if known.get(key) != owner]:
        cursor.executemany(sql.own_call, changed)
    return {owner for _, owner in changed}


def events_of(changes: Iterable[Change]) -> Iterator[tuple[Any, ...]]:
    """Yield a row of the outbox for each caller who began or ceased to wait.

    A follow-up that only got another first call, from a late report, is neither opened nor closed.
    """
    opened: dict[tuple[str, str | None], FollowupState] = {}
    closed: dict[tuple[str, str | None], FollowupState] = {}
    for change in changes:
        before, after = change.before, change.after
        was_open = before is not None and before.state == Followup.OPEN
        is_open = after is not None and after.state == Followup.OPEN
        if is_open and not was_open and after is not None:
            opened[after.caller, after.route] = after
        elif was_open and not is_open and before is not None:
            closed[before.caller, before.route] = after or before
    for key, one in opened.items():
        if key not in closed:
            yield _event_row(EventType.FOLLOWUP_OPENED, one)
    for key, one in closed.items():
        if key not in opened:
            yield _event_row(EventType.FOLLOWUP_CLOSED, one)


def _event_row(type_: EventType, one: FollowupState) -> tuple[Any, ...]:
    body = {
        "followup_id": str(one.followup_key),
        "caller": ANONYMOUS.rstrip(":") if one.caller.startswith(ANONYMOUS) else one.caller,
        "caller_name": one.caller_name,
        "route": one.route,
        "state": one.state,
        "opened_at": time_of(one.opened_at),
        "last_call_at": time_of(one.last_at),
        "calls": one.call_count,
        "first_call_uuid": one.first_call_uuid,
        "last_call_uuid": one.last_call_uuid,
        "closed_at": time_of(one.closed_at),
        "closed_by": one.closed_by,
        "closing_call_uuid": one.closing_call_uuid,
        "taken_by": one.taken_by,
    }
    return event_row(type_, subject=str(one.followup_key), body=body, call_key=one.followup_key, route=one.route)
