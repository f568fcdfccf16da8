"""The messages that callers left: newest first, with what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, func, insert, select, update

from app.records.model.ids import first_key, now
from app.records.model.state import CallState, RecordingState
from app.records.model.tables import calls, recordings
from app.records.model.tables_followup import followup_calls, followups, recording_marks
from app.records.reading.read_session import call_of, recording_of
from app.records.reading.scope import EVERYTHING, Scope
from app.records.store.store import Store
from app.voice.outcome import CallOutcome

MOST_UNHEARD = 100  # The count stops here.
_RECENT = 30 * 24 * 3_600_000  # Milliseconds; older messages that nobody heard are not counted.
_IS_MESSAGE = calls.c.outcome == CallOutcome.MESSAGE_LEFT.value
_OF_RECORDING = [column for column in recordings.c if column.name not in {"call_key", "recording_id"}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message, the call it was left in, and who heard it when; times in milliseconds since 1970 UTC."""

    call: CallState
    recording: RecordingState
    followup: str | None
    heard_at: int | None
    heard_by: str | None
    deleted_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilters:
    """Which messages a list is about."""

    route: str | None = None
    is_unheard: bool = False
    scope: Scope = EVERYTHING  # What the viewer may see at all.


def find_messages(
    connection: Connection, filters: MessageFilters, *, limit: int, before: int | None = None
) -> tuple[list[Message], int | None]:
    """Return the newest messages with call keys below `before`, and the key before which the next page begins."""
    query = _messages().order_by(calls.c.call_key.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(calls.c.call_key < before)
    if filters.route is not None:
        query = query.where(calls.c.route == filters.route)
    query = query.where(*filters.scope.on_route(calls.c.route))
    if filters.is_unheard:
        query = query.where(recording_marks.c.heard_at.is_(None), recording_marks.c.deleted_at.is_(None))
    found = _read(connection, query)
    return found[:limit], found[limit - 1].call.call_key if len(found) > limit else None


def find_message(connection: Connection, call_key: int) -> Message | None:
    """Return the message of one call."""
    return next(iter(_read(connection, _messages().where(calls.c.call_key == call_key))), None)


def messages_of(connection: Connection, call_keys: Sequence[int]) -> dict[int, Message]:
    """Return the messages of these calls by call key."""
    found = _read(connection, _messages().where(calls.c.call_key.in_(call_keys)))
    return {message.call.call_key: message for message in found}


def count_unheard(connection: Connection, scope: Scope = EVERYTHING) -> int:
    """Return how many messages of the last 30 days nobody has heard, up to `MOST_UNHEARD`."""
    unheard = (
        select(calls.c.call_key)
        .outerjoin(recording_marks, _is_marked())
        .where(_IS_MESSAGE, calls.c.call_key >= first_key(now() - _RECENT), *scope.on_route(calls.c.route))
        .where(recording_marks.c.heard_at.is_(None), recording_marks.c.deleted_at.is_(None))
        .limit(MOST_UNHEARD)
    )
    return connection.scalar(select(func.count()).select_from(unheard.subquery())) or 0


def mark_heard(store: Store, message: Message, *, actor: str | None) -> None:
    """Record who heard a message, or with None that nobody did. Raises `StoreUnavailable`."""
    mark_recording(
        store,
        message.call.call_key,
        message.recording.recording_id,
        heard_at=None if actor is None else now(),
        heard_by=actor,
    )


def mark_recording(store: Store, call_key: int, recording_id: str, **values: int | str | None) -> None:
    """Record what happened to a recording. Raises `StoreUnavailable`."""
    is_it = and_(recording_marks.c.call_key == call_key, recording_marks.c.recording_id == recording_id)
    with store.transaction() as connection:
        if not connection.execute(update(recording_marks).where(is_it).values(**values)).rowcount:
            connection.execute(insert(recording_marks).values(call_key=call_key, recording_id=recording_id, **values))


def _messages() -> Select[tuple[object, ...]]:
    marks = (recording_marks.c.heard_at, recording_marks.c.heard_by, recording_marks.c.deleted_at)
    return (
        select(calls, *_OF_RECORDING, followups.c.state.label("followup"), *marks)
        .join(
            recordings,
            and_(recordings.c.call_key == calls.c.call_key, recordings.c.recording_id == calls.c.recording_id),
        )
        .outerjoin(recording_marks, _is_marked())
        .outerjoin(followup_calls, followup_calls.c.call_key == calls.c.call_key)
        .outerjoin(followups, followups.c.followup_key == followup_calls.c.followup_key)
        .where(_IS_MESSAGE)
    )


def _is_marked() -> ColumnElement[bool]:
    return and_(recording_marks.c.call_key == calls.c.call_key, recording_marks.c.recording_id == calls.c.recording_id)


def _read(connection: Connection, query: Select[tuple[object, ...]]) -> list[Message]:
    return [
        Message(
            call=call_of(row),
            recording=recording_of(row),
            followup=row["followup"],
            heard_at=row["heard_at"],
            heard_by=row["heard_by"],
            deleted_at=row["deleted_at"],
        )
        for row in connection.execute(query).mappings()
    ]
