"""Calls newest first, and how many there are of each outcome."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, union_all

from app.records.model.ids import first_key
from app.records.model.state import CallState, DialState, RecordingState
from app.records.model.tables import calls, dials, recordings
from app.records.reading.filters import find_target_groups
from app.records.reading.queries import with_fitting_times
from app.records.reading.read_session import call_of, dial_of, recording_of
from app.voice.outcome import CallOutcome

# The most calls that a page reads where no index finds those that match. The page then ends early, with a cursor.
_LOOKED_AT = 20_000

_Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilters:
    """Which calls a report is about.

    `since` and `until` (excluded) bound when a call was first heard of, in milliseconds since 1970 UTC. `outcomes` are
    any of these; empty for all. `status`, `cause` and `target` match a call when one of its dials matches all of them.
    Numbers are normalised.
    """

    since: int | None = None
    until: int | None = None
    outcomes: tuple[str, ...] = ()
    direction: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    route: str | None = None
    has_message: bool | None = None
    status: str | None = None
    cause: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCall:
    """A call with its dials, in their order, and the caller's message."""

    call: CallState
    dials: list[DialState]
    message: RecordingState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """Calls, newest first, and the key before which the next page begins; None on the last page."""

    calls: list[ListedCall]
    before: int | None


def find_calls(connection: Connection, filters: CallFilters, *, limit: int, before: int | None = None) -> CallPage:
    """Return the newest calls that match, with keys smaller than `before`.

    A page may hold fewer than `limit` calls and still not be the last.
    """
    bounds, others = _time_bounds(filters), _conditions(connection, filters)
    if before is not None:
        bounds.append(calls.c.call_key < before)
    outcomes = _outcomes(filters)
    if outcomes and others and len(outcomes) > 1:
        others.append(calls.c.outcome.in_(outcomes))
        outcomes = ()
    if not others:
        keys, floor = _walk(outcomes, bounds, limit + 1), None
    else:
        walk = _walk(outcomes, bounds, _LOOKED_AT)
        floor = connection.scalar(walk.limit(1).offset(_LOOKED_AT - 1))
        walked = walk.cte("walked").prefix_with("MATERIALIZED")
        matching = select(calls.c.call_key).join(walked, walked.c.call_key == calls.c.call_key).where(*others)
        keys = matching.order_by(calls.c.call_key.desc()).limit(limit + 1)
    found = list(connection.scalars(keys))
    if len(found) > limit:
        found, floor = found[:limit], found[limit - 1]
    return CallPage(calls=_read(connection, found), before=floor)


def count_outcomes(connection: Connection, filters: CallFilters) -> Counter[str]:
    """Return how many of the calls that match have each outcome. Reads every call of the time range."""
    where = [*_time_bounds(filters), *_conditions(connection, filters)]
    if outcomes := _outcomes(filters):
        where.append(calls.c.outcome.in_(outcomes))
    counted = select(calls.c.outcome, func.count()).where(*where).group_by(calls.c.outcome)
    counts: Counter[str] = Counter()
    for outcome, count in connection.execute(counted):
        counts[outcome or CallOutcome.UNKNOWN.value] += count
    return counts


def message_of(call: CallState, made: Sequence[RecordingState]) -> RecordingState | None:
    """Return the caller's message among the recordings of a call."""
    message_id = call.message_id
    return next((recording for recording in made if recording.recording_id == message_id), None)


def _time_bounds(filters: CallFilters) -> list[_Condition]:
    bounds = []
    if filters.since is not None:
        bounds.append(calls.c.call_key >= first_key(filters.since))
    if filters.until is not None:
        bounds.append(calls.c.call_key < first_key(filters.until))
    return bounds


def _outcomes(filters: CallFilters) -> tuple[str, ...]:
    """Return the outcomes that the index walks; empty for all."""
    return filters.outcomes or ((CallOutcome.MESSAGE_LEFT.value,) if filters.has_message else ())


def _conditions(connection: Connection, filters: CallFilters) -> list[_Condition]:
    """Return the conditions that no index of the calls serves."""
    found: list[_Condition] = [
        column == value
        for column, value in (
            (calls.c.direction, filters.direction),
            (calls.c.from_number, filters.from_number),
            (calls.c.to_number, filters.to_number),
            (calls.c.route, filters.route),
        )
        if value is not None
    ]
    if filters.has_message is not None:
        has_message = calls.c.outcome == CallOutcome.MESSAGE_LEFT.value
        if not filters.has_message:
            found.append(or_(calls.c.outcome.is_(None), ~has_message))
        elif filters.outcomes:
            found.append(has_message)
    of_dial = [
        column == value
        for column, value in ((dials.c.dial_status, filters.status), (dials.c.dial_hangup_cause, filters.cause))
        if value is not None
    ]
    if filters.target is not None:
        groups = sorted({targets for _, targets in find_target_groups(connection, filters.target)})
        of_dial.append(dials.c.targets.in_(groups))
    if of_dial:
        found.append(select(dials.c.dial_key).where(dials.c.call_key == calls.c.call_key, *of_dial).exists())
    return found


def _walk(outcomes: Sequence[str], bounds: list[_Condition], rows: int) -> Select[int]:
    """Return the query for the newest keys of calls with any of these outcomes."""
    walks: list[_Condition] = [calls.c.outcome == outcome for outcome in outcomes] or [and_(True)]
    newest = [
        select(calls.c.call_key).where(walk, *bounds).order_by(calls.c.call_key.desc()).limit(rows) for walk in walks
    ]
    if len(newest) == 1:
        return newest[0]
    every = union_all(*(select(one.subquery()) for one in newest)).subquery()
    return select(every.c.call_key).order_by(every.c.call_key.desc()).limit(rows)


def _read(connection: Connection, keys: Sequence[int]) -> list[ListedCall]:
    """Return the calls with these keys, in the order of the keys."""
    found = {
        row["call_key"]: call_of(row)
        for row in connection.execute(select(calls).where(calls.c.call_key.in_(keys))).mappings()
    }
    of_call: defaultdict[int, list[DialState]] = defaultdict(list)
    rows = connection.execute(select(dials).where(dials.c.call_key.in_(keys)).order_by(dials.c.dial_key))
    for dial in map(dial_of, rows.mappings()):
        of_call[dial.call_key].append(dial)
    with_message = [key for key, call in found.items() if call.message_id is not None]
    made: defaultdict[int, list[RecordingState]] = defaultdict(list)
    if with_message:
        rows = connection.execute(select(recordings).where(recordings.c.call_key.in_(with_message)))
        for recording in map(recording_of, rows.mappings()):
            made[recording.call_key].append(recording)
    return [
        ListedCall(
            call=with_fitting_times(found[key], of_call[key]),
            dials=of_call[key],
            message=message_of(found[key], made[key]),
        )
        for key in keys
    ]
