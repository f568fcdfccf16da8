"""Which changes of a batch are announced, as rows of the outbox."""

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

from app.records.model.state import CallRecord, CallState, DialState, RecordingState
from app.records.writing.outbox import EventType, event_row
from app.voice.events import Source
from app.voice.outcome import CallOutcome

# Milliseconds between an end and its event: the last reports arrive in between.
SETTLING = 2000
# The same where an answered call has no hangup notice yet: it may never come, or the caller may be rung on.
_UNCONFIRMED = 20_000
# What a call's event is about; a change to any of them announces the call again.
_announced_of = attrgetter("outcome", "answered_by", "recording_id", "ended_by")


def announce_dials(dials: Iterable[DialState]) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each dial."""
    for dial in dials:
        yield event_row(EventType.DIAL_ENDED, subject_key=dial.dial_key, call_key=dial.call_key, delay=SETTLING)


def announce_calls(records: Iterable[CallRecord], stored: Mapping[int, tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each call that has an outcome, if that is new or has changed; the sender sees whether it is over.

    `stored` holds the rows as read, by id() of the state.
    """
    for record in records:
        call, before = record.call, stored.get(id(record.call))
        if call.outcome == CallOutcome.IN_PROGRESS:
            continue
        is_known = before is not None and _announced_of(CallState(*before)) == _announced_of(call)
        if is_known and not _has_new_text(record, stored):
            continue
        is_confirmed = call.ended_by is not None or call.heard_from == Source.PHLO
        delay = SETTLING if is_confirmed else _UNCONFIRMED
        yield event_row(EventType.CALL_ENDED, subject_key=call.call_key, call_key=call.call_key, delay=delay)


def _has_new_text(record: CallRecord, stored: Mapping[int, tuple[Any, ...]]) -> bool:
    """Return whether a transcription has come. Recordings are read only with a report on one."""
    for recording in record.recordings.values():
        before = stored.get(id(recording))
        if recording.transcription and (before is None or not RecordingState(*before).transcription):
            return True
    return False
