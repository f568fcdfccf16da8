"""Calls newest first, and how many there are of each outcome."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from app.records.model.state import CallState, DialState, RecordingState
from app.records.model.tables import calls, dials, recordings
from app.records.model.tables_followup import followup_calls, followups
from app.records.reading.call_filters import CallFilters, all_conditions, matching_keys
from app.records.reading.followups import states_of
from app.records.reading.queries import with_fitting_times
from app.records.reading.read_session import call_of, dial_of, recording_of

MOST_SORTED = 20_000  # No index holds the order, so a list of the longest reads at most so many calls.


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCall:
    """A call with its dials, in their order, and the caller's message."""

    call: CallState
    dials: list[DialState]
    message: RecordingState | None
    followup: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """Calls, newest first, and the key before which the next page begins; None on the last page."""

    calls: list[ListedCall]
    before: int | None


def find_calls(connection: Connection, filters: CallFilters, *, limit: int, before: int | None = None) -> CallPage:
    """Return the newest calls that match, with keys smaller than `before`.

    A page may hold fewer than `limit` calls and still not be the last.
    """
    keys, floor = matching_keys(connection, filters, before=before)
    found = list(connection.scalars(keys.limit(limit + 1)))
    if len(found) > limit:
        found, floor = found[:limit], found[limit - 1]
    return CallPage(calls=_read(connection, found), before=floor)


def find_longest(connection: Connection, filters: CallFilters, by: str, *, limit: int) -> list[ListedCall]:
    """Return those of the newest `MOST_SORTED` matching calls with the most seconds in the column `by`."""
    keys, _ = matching_keys(connection, filters, before=None)
    newest = keys.limit(MOST_SORTED).subquery()
    seconds = calls.c[by]
    longest = select(calls.c.call_key).join(newest, newest.c.call_key == calls.c.call_key).where(seconds.is_not(None))
    ranked = longest.order_by(seconds.desc(), calls.c.call_key.desc()).limit(limit)
    return _read(connection, list(connection.scalars(ranked)))


def count_followups(connection: Connection, filters: CallFilters) -> dict[str, int]:
    """Return how many of the matching calls belong to a follow-up, by its state."""
    counted = (
        select(followups.c.state, func.count().label("calls"))
        .join(followup_calls, followup_calls.c.followup_key == followups.c.followup_key)
        .join(calls, calls.c.call_key == followup_calls.c.call_key)
        .where(*all_conditions(connection, filters))
        .group_by(followups.c.state)
    )
    return {row.state: row.calls for row in connection.execute(counted)}


def find_call_by_key(connection: Connection, call_key: int) -> ListedCall | None:
    """Return one call by its row key."""
    known = connection.scalar(select(calls.c.call_key).where(calls.c.call_key == call_key))
    return _read(connection, [call_key])[0] if known is not None else None


def message_of(call: CallState, made: Sequence[RecordingState]) -> RecordingState | None:
    """Return the caller's message among the recordings of a call."""
    message_id = call.message_id
    return next((recording for recording in made if recording.recording_id == message_id), None)


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
    followups = states_of(connection, keys)
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
            followup=followups.get(key),
        )
        for key in keys
    ]
