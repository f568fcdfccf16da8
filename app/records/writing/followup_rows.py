"""Keep the rows of follow-ups equal to what follows from the calls, in the transaction that changes a call.

Only a call that is answered, ends or changes its outcome is looked at: each such change costs one look for a follow-up
of its caller. Calls are read from the beginning of the follow-up that the change may concern. Transactions on calls of
one number take turns.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from app.records.model.ids import first_key
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
    has_reached,
    needs_followup,
    parties,
)
from app.records.writing.outbox import EventType, event_row, time_of
from app.voice.outcome import CallOutcome

# The newest calls of a number that are read; follow-ups that began before them are kept as they are.
MOST_CALLS = 200
EVERY_CALL = 1_000_000_000
# Milliseconds by which a call may begin after the time in its key: a record in a wrong time zone made the key.
_SKEW = 24 * 3_600_000

_FACTS = FollowedCall._fields[2:-1]
_COLUMNS = [field.name for field in fields(CallState)]
_facts_of = attrgetter(*_FACTS)
_facts_before = itemgetter(*map(_COLUMNS.index, _FACTS))
_NOT_ENDED = frozenset({None, CallOutcome.IN_PROGRESS.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A follow-up before and after a transaction; None where it did not exist or does not any more."""

    before: FollowupState | None
    after: FollowupState | None


class Touch(NamedTuple):
    """Since when a number's follow-ups may change, in milliseconds, and whether a call of theirs needs one."""

    since: int = 0
    is_needed: bool = True

    def joined(self, other: "Touch") -> "Touch":
        """Return the touch that covers both."""
        return Touch(min(self.since, other.since), self.is_needed or other.is_needed)

    def reaches(self, followup: FollowupState) -> bool:
        """Return whether a follow-up was open at that time or later; an earlier one stays as it is."""
        return followup.state == Followup.OPEN or max(followup.last_at, followup.closed_at or 0) >= self.since

    def start(self, stored: Iterable[FollowupState]) -> int:
        """Return since when calls have to be read."""
        return min([self.since, *(one.opened_at for one in stored if self.reaches(one))])


def touched_by(states: Iterable[tuple[CallState, tuple[Any, ...] | None]], rules: Rules) -> dict[str, Touch]:
    """Return the numbers whose follow-ups may change. Each call comes with its row as read, None for a new one."""
    touched: dict[str, Touch] = {}
    for call, row in states:
        if _is_undecided(call) and (row is None or _is_undecided(CallState(*row))):
            continue
        if row is not None and _facts_before(row) == _facts_of(call):
            continue
        touch, numbers = Touch(call.started_at, needs_followup(call, rules)), parties(call)
        if row is not None:
            before = CallState(*row)
            touch, numbers = touch.joined(Touch(before.started_at, is_needed=False)), numbers | parties(before)
        touched.update((number, touch.joined(touched.get(number, touch))) for number in numbers)
    return touched


def _is_undecided(call: CallState) -> bool:
    """Return whether nothing follows from a call yet: it has not ended, and nobody talks."""
    return call.outcome in _NOT_ENDED and not has_reached(call)


def update_followups(
    cursor: Cursor, sql: Statements, touched: Mapping[str, Touch], rules: Rules, *, limit: int = MOST_CALLS
) -> list[Change]:
    """Derive the follow-ups of these numbers again, write what differs, and return it.

    A number is skipped where no call needs a follow-up and the touch reaches no stored one.
    """
    sql.take_turns(cursor, [lock_name(number) for number in touched])
    cursor.execute(sql.followups_of_callers, (sql.many(touched),))
    stored: dict[str, list[FollowupState]] = {number: [] for number in touched}
    for row in cursor.fetchall():
        followup = sql.followups.read(row)
        stored[followup.caller].append(followup)
    affected = [
        number for number, touch in touched.items() if touch.is_needed or any(map(touch.reaches, stored[number]))
    ]
    marks = _marks(cursor, sql, affected)
    changes, derived, owners = list[Change](), dict[int, FollowupState](), dict[int, int | None]()
    for number in affected:
        calls, since = _past_calls(cursor, sql, number, touched[number].start(stored[number]), limit)
        known = sorted(stored[number], key=attrgetter("opened_at"))
        earlier = {one.route: one for one in known if one.opened_at < since}
        found, owner_of = derive_followups(number, calls, marks.get(number, ()), rules, earlier.values())
        before = {
            one.followup_key: one for one in (*earlier.values(), *(one for one in known if one.opened_at >= since))
        }
        differing = _differing(before, {one.followup_key: one for one in found})
        if differing or limit == EVERY_CALL:
            owners.update((call.call_key, owner_of.get(call.call_key)) for call in calls if caller_of(call) == number)
        derived.update((one.followup_key, one) for one in found)
        changes += differing
    _write(cursor, sql, changes)
    lacking = _write_owners(cursor, sql, owners)
    return changes + [Change(before=derived[key], after=derived[key]) for key in lacking]


def lock_name(number: str) -> str:
    """Return the name of the lock on a number's follow-ups."""
    return f"follow-ups of {number}"


def _differing(before: Mapping[int, FollowupState], after: Mapping[int, FollowupState]) -> list[Change]:
    return [
        Change(before=before.get(key), after=after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    ]


def _write(cursor: Cursor, sql: Statements, changes: Iterable[Change]) -> None:
    """Write follow-ups. Deletions come first: a follow-up may pass to another number under the same key."""
    if gone := [(change.before.followup_key,) for change in changes if change.before and not change.after]:
        cursor.executemany(sql.delete_followup, gone)
    values = sql.followups.values
    sql.store(
        cursor,
        sql.followups,
        [
            (values(change.before) if change.before else None, values(change.after))
            for change in changes
            if change.after
        ],
    )


def _past_calls(cursor: Cursor, sql: Statements, number: str, start: int, limit: int) -> tuple[list[FollowedCall], int]:
    """Return the calls between a number and us, and since when they are complete: `start`, or later at the limit."""
    if number.startswith(ANONYMOUS):
        cursor.execute(sql.past_call, (number.removeprefix(ANONYMOUS),))
        return [FollowedCall(*row) for row in cursor.fetchall()], 0
    cursor.execute(sql.past_calls, (number, first_key(start - _SKEW), limit) * 3)
    ways: dict[int, list[FollowedCall]] = {}
    for way, *row in cursor.fetchall():
        ways.setdefault(way, []).append(FollowedCall(*row))
    full = [min(call.started_at for call in found) for found in ways.values() if len(found) == limit]
    since = max([start, *full])
    calls = {call.call_key: call for found in ways.values() for call in found if call.started_at >= since}
    return list(calls.values()), since


def _marks(cursor: Cursor, sql: Statements, numbers: Collection[str]) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = {}
    if numbers:
        cursor.execute(sql.marks_of_callers, (sql.many(numbers),))
        for caller, *mark in cursor.fetchall():
            found.setdefault(caller, []).append(Mark(*mark))
    return found


def _write_owners(cursor: Cursor, sql: Statements, owners: Mapping[int, int | None]) -> set[int]:
    """Write to which follow-up each of these calls belongs, if any; return the keys of those that lacked a call."""
    if not owners:
        return set()
    cursor.execute(sql.owners_of_calls, (sql.many(owners),))
    known = dict(cursor.fetchall())
    if gone := [(key,) for key in known if owners[key] is None]:
        cursor.executemany(sql.disown_call, gone)
    changed = {key: owner for key, owner in owners.items() if owner is not None and owner != known.get(key)}
    if changed:
        cursor.executemany(sql.own_call, list(changed.items()))
    return set(changed.values())


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
