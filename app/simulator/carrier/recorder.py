"""The recordings of one call: those of the whole session, those of a dial, and voicemail."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.simulator.xml.parser import Element


@dataclass(slots=True, kw_only=True)
class _Recording:
    element: Element
    recording_id: str
    begun: float | None
    ended: float | None = None


class Recorder:
    """Remembers what is being recorded. Times in seconds from the beginning of the call."""

    def __init__(self, make_uuid: Callable[[], str]) -> None:
        """Begin with nothing recorded."""
        self._make_uuid = make_uuid
        self._recordings: list[_Recording] = []

    def prepare(self, element: Element, begun: float | None, ended: float | None = None) -> str:
        """Add a recording and return its id; without `begun` it waits for a dial to be answered."""
        recording = _Recording(element=element, recording_id=self._make_uuid(), begun=begun, ended=ended)
        self._recordings.append(recording)
        return recording.recording_id

    def start_waiting(self, now: float) -> Iterator[tuple[Element, str]]:
        """Begin those that waited for a dial to be answered, and yield each."""
        for recording in self._recordings:
            if recording.begun is None:
                recording.begun = now
                yield recording.element, recording.recording_id

    def finish(self, now: float) -> Iterator[tuple[Element, str, float, float]]:
        """Yield each recording that began: its element, id, beginning and length in seconds."""
        for recording in self._recordings:
            if recording.begun is not None:
                ended = now if recording.ended is None else recording.ended
                yield recording.element, recording.recording_id, recording.begun, ended - recording.begun
