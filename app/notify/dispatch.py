"""From the outbox to events: what a change is called, what it says, and which addresses want it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple

from sqlalchemy import Connection

from app.notify.addresses import Address
from app.records.model.state import RecordingState
from app.records.reading.calls import ListedCall, find_call_by_key
from app.records.reading.queries import FoundDial, find_dial_by_key
from app.records.reading.read_session import read_session
from app.records.store.store import Store
from app.records.writing.outbox import (
    NOTICE,
    Announcement,
    EventType,
    NewEvent,
    Queued,
    announcement_of,
    count_receipts,
    due_events,
    noticed_addresses,
    publish,
    time_of,
)
from app.voice.outcome import CallOutcome

_BATCH = 64
_NOTICED_WITHIN = 24 * 3_600_000  # Milliseconds after its end; of an older call, read from a record, nobody is told.
Made = tuple[Queued, Sequence[NewEvent], Announcement | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptions:
    """How a call and a dial are written as JSON: as the API writes them."""

    call: Callable[[ListedCall], str]
    dial: Callable[[FoundDial], str]


class _About(NamedTuple):
    """What an event is about."""

    call_key: int | None
    route: str | None
    subject: str
    revision: int


class Dispatcher:
    """Makes events of what waits in the outbox. Not thread-safe."""

    def __init__(self, store: Store, addresses: Sequence[Address], descriptions: Descriptions, zone: tzinfo) -> None:
        self._store = store
        self._addresses = addresses
        self._descriptions = descriptions
        self._zone = zone
        self._moment = 0  # Of this dispatch, in milliseconds.

    def dispatch(self) -> int:
        """Publish what is due; return how many rows of the outbox were taken. Raises `StoreUnavailable`."""
        with read_session(self._store) as connection:
            self._moment = self._store.clock(connection)
            due = due_events(connection, self._moment, limit=_BATCH)
            made = [self._made_of(connection, queued) for queued in due]
        if made:
            publish(self._store, made)
        return len(made)

    def _made_of(self, connection: Connection, queued: Queued) -> Made:
        if queued.type == EventType.CALL_ENDED:
            return self._of_call(connection, queued)
        if queued.type == EventType.DIAL_ENDED:
            return queued, self._of_dial(connection, queued), None
        about = _About(queued.call_key, queued.route, queued.subject or "", 1)
        return queued, self._events([queued.type], about, at=queued.due_at, data=queued.body or "{}"), None

    def _of_dial(self, connection: Connection, queued: Queued) -> list[NewEvent]:
        found = find_dial_by_key(connection, queued.subject_key)
        if found is None:
            return []  # An erased dial has no event.
        dial = found.dial
        about = _About(dial.call_key, dial.route, dial.dial_id, count_receipts(connection, dial.call_key))
        return self._events([queued.type], about, at=dial.ended_at, data=self._descriptions.dial(found))

    def _of_call(self, connection: Connection, queued: Queued) -> Made:
        """Return the events of a call: its end once, a correction where a later report changed it, its message once."""
        found = find_call_by_key(connection, queued.subject_key)
        if found is None or not _is_over(found):
            return queued, [], None
        call, before = found.call, announcement_of(connection, queued.subject_key)
        message = _mark_of(found.message)
        known = (before.outcome, before.answered_by, before.message_id) if before else None
        if known == (call.outcome, call.answered_by, message):
            return queued, [], None
        types = [EventType.CALL_CORRECTED if before else EventType.CALL_ENDED]
        has_news = message is not None and (before is None or before.message_id != message)
        if has_news:
            types.append(EventType.MESSAGE_LEFT)
            types = types[known is not None and known[:2] == (call.outcome, call.answered_by) :]
        about = _About(call.call_key, call.route, call.call_uuid, count_receipts(connection, call.call_key))
        data = self._descriptions.call(found)
        made = self._events(types, about, at=call.ended_at, data=data)
        told = self._told(connection, found, before, has_news=has_news)
        if told:
            made.append(NewEvent(type=NOTICE, body=data, addresses=told, **about._asdict()))
        announcement = Announcement(
            call_key=call.call_key,
            outcome=call.outcome or CallOutcome.UNKNOWN,
            answered_by=call.answered_by,
            message_id=message,
            revision=about.revision,
        )
        return queued, made, announcement

    def _told(
        self, connection: Connection, found: ListedCall, before: Announcement | None, *, has_news: bool
    ) -> dict[str, int]:
        """Return the people's addresses that get a notice of a call: once, and again for a message that came later."""
        call, moment = found.call, self._moment
        if max(call.ended_at or 0, call.started_at) < moment - _NOTICED_WITHIN:
            return {}
        known = noticed_addresses(connection, call.call_key) if before and not has_news else set()
        return {
            one.name: one.next_moment(moment, self._zone)
            for one in self._addresses
            if one.is_for_people and one.takes(call.outcome or "", call.route) and one.name not in known
        }

    def _events(self, types: Sequence[str], about: _About, *, at: int | None, data: str) -> list[NewEvent]:
        """Return an event of each type that an address wants."""
        moment = self._moment
        made = []
        for type_ in types:
            addresses = {
                one.name: one.next_moment(moment, self._zone)
                for one in self._addresses
                if one.takes(type_, about.route)
            }
            head = {
                "type": type_,
                "timestamp": time_of(at or moment),
                "subject": about.subject,
                "revision": about.revision,
            }
            body = f'{json.dumps(head)[:-1]}, "data": {data}}}'
            if addresses:
                made.append(NewEvent(type=type_, body=body, addresses=addresses, **about._asdict()))
        return made


def _mark_of(message: RecordingState | None) -> str | None:
    """Return what identifies a message; with a transcription it is news once more."""
    if message is None:
        return None
    return f"{message.recording_id} with text" if message.transcription else message.recording_id


def _is_over(found: ListedCall) -> bool:
    """Return whether nothing more can happen in a call, as far as is known."""
    call = found.call
    if call.outcome is None or call.outcome == CallOutcome.IN_PROGRESS:
        return False
    return call.ended_by is not None or all(dial.ended_at is not None for dial in found.dials)
