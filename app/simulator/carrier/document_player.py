"""Carry out the elements of a document, one after another, on behalf of a call."""

from collections.abc import Callable
from dataclasses import dataclass

from app.simulator import hangups
from app.simulator.carrier import payloads
from app.simulator.carrier.a_leg import ALeg
from app.simulator.carrier.dial_player import DialPlayer
from app.simulator.ground_truth import RequestKind
from app.simulator.scenario import MessageEndedBy
from app.simulator.xml import verdicts
from app.simulator.xml.grammar import is_absolute
from app.simulator.xml.parser import XmlDocument, XmlElement
from app.simulator.xml.verdicts import XmlSource

MOST_DOCUMENTS = 50
CHARACTERS_PER_SECOND = 15
PLAY_SECONDS = 8
BEEP_SECONDS = 1


@dataclass(slots=True, kw_only=True)
class SimulatedRecording:
    """One recording; in seconds from the beginning of the call.

    One that waits for a dial's answer is used up by the next Dial, answered or not, and ends with its B leg.
    """

    element: XmlElement
    recording_id: str
    begun: float | None = None
    ended: float | None = None
    is_waiting: bool = False

    @property
    def longest(self) -> int:
        """Return maxLength in seconds (Plivo, Record XML reference: 60 by default)."""
        return self.element.number("maxLength", 60)


class DocumentPlayer:
    """Plays documents for one call. A handler returns the document that replaces the present one, if any."""

    def __init__(self, a_leg: ALeg) -> None:
        """Play for this caller."""
        self.a_leg = a_leg
        self.documents = 0
        self.document_at = a_leg.now
        self.recordings: list[SimulatedRecording] = []
        self.handlers: dict[str, Callable[[XmlElement], XmlDocument | None]] = {
            "Speak": self._speak,
            "Play": self._speak,
            "Wait": self._wait,
            "Dial": self.play_dial,
            "Record": self._record,
            "Hangup": self._hang_up,
            "Redirect": self._redirect,
            "GetDigits": self._get_digits,
            "PreAnswer": self._pre_answer,
        }

    def play(self, document: XmlDocument) -> XmlDocument | None:
        """Play a document and return the one that follows it, if any; the call ends after 50 documents."""
        self.documents += 1
        self.document_at = self.a_leg.now
        self.a_leg.truth.remarks.extend(document.remarks)
        if self.documents > MOST_DOCUMENTS:
            reason = f"the call went through {MOST_DOCUMENTS} documents without an end"
            self.a_leg.fail(verdicts.without_code(self.a_leg.urls.answer, reason, "end the loop with <Hangup/>"))
            return None
        for element in document.root.children:
            following = self.handlers.get(element.name, self._skip)(element)
            if following is not None or self.a_leg.end is not None:
                return following
        return None

    def play_dial(self, element: XmlElement) -> XmlDocument | None:
        """Play a Dial, then request its action URL."""
        if element.get("dialMusic").startswith("http"):
            self.a_leg.fetch_prompt(RequestKind.MUSIC, element, "dialMusic")
        number = len(self.a_leg.truth.dials)
        people = [self.a_leg.scenario.person(number, index) for index in range(len(element.children))]
        dial = DialPlayer(
            self.a_leg,
            element,
            people,
            number=number,
            handed_out_at=self.document_at,
            on_connected=self._start_waiting,
        ).play()
        self.a_leg.truth.dials.append(dial)
        self._use_up_waiting()
        is_requested = self.a_leg.end is None or self.a_leg.scenario.asks_action_after_caller_left
        if not dial.has_action or not is_requested:
            return None
        params = payloads.action(self.a_leg.context, dial, self.a_leg.end)
        return self.a_leg.follow_action(RequestKind.ACTION, element, params, str(number))

    def report_recordings(self) -> None:
        """Report every recording that began, at the end of the call."""
        for recording in self.recordings:
            if recording.begun is None:
                continue
            self.a_leg.truth.recordings += 1
            ended = self.a_leg.now if recording.ended is None else recording.ended
            recording_id, seconds = recording.recording_id, ended - recording.begun
            params = payloads.recording(self.a_leg.context, recording_id, recording.begun, seconds)
            self.a_leg.call_back(RequestKind.RECORDING, recording.element, params, recording_id)
            if url := recording.element.get("transcriptionUrl"):
                method, params = recording.element.get("transcriptionMethod", "POST"), payloads.transcription(params)
                self.a_leg.notify(RequestKind.RECORDING, url, method, params, f"{recording_id} transcription")

    def _skip(self, element: XmlElement) -> None:
        self.a_leg.truth.remarks.append(f"<{element.name}> is valid, but this simulator does not play it")

    def _speak(self, element: XmlElement) -> None:
        self.a_leg.answer()
        self.a_leg.pass_time(_seconds(element))

    def _wait(self, element: XmlElement) -> None:
        self.a_leg.pass_time(_seconds(element))

    def _pre_answer(self, element: XmlElement) -> None:
        self.a_leg.pass_time(sum(map(_seconds, element.children)))

    def _hang_up(self, element: XmlElement) -> None:
        if schedule := element.number("schedule", 0):
            self.a_leg.cut_at = self.a_leg.now + schedule
        else:
            self.a_leg.end = hangups.HANGUP_ELEMENT[element.get("reason")]

    def _redirect(self, element: XmlElement) -> XmlDocument | None:
        url, method = element.text.strip(), element.get("method", "POST")
        if is_absolute(url) and not self.a_leg.delivery.transport.may_call(url):
            self.a_leg.truth.remarks.append(f"{url} is not on this machine, so the redirect is not followed")
            self.a_leg.hang_up()
            return None
        params = payloads.redirected(self.a_leg.context)
        return self.a_leg.follow(XmlSource.REDIRECT, RequestKind.REDIRECT, url, method, params, byte=element.byte)

    def _get_digits(self, element: XmlElement) -> XmlDocument | None:
        self.a_leg.answer()
        self.a_leg.pass_time(element.number("timeout", 5))
        if self.a_leg.scenario.digits is None or self.a_leg.end is not None:
            return None
        params = payloads.redirected(self.a_leg.context) | {"Digits": self.a_leg.scenario.digits}
        return self.a_leg.follow_action(RequestKind.DIGITS, element, params)

    def _record(self, element: XmlElement) -> XmlDocument | None:
        recording = SimulatedRecording(element=element, recording_id=self.a_leg.make_uuid())
        self.recordings.append(recording)
        if element.is_true("startOnDialAnswer", default=False):
            recording.is_waiting = True
            return None
        if element.is_true("recordSession", default=False):
            recording.begun = self.a_leg.now
            return self._follow_record(recording)
        return self._record_message(recording)

    def _record_message(self, recording: SimulatedRecording) -> XmlDocument | None:
        self.a_leg.answer()
        self.a_leg.pass_time(BEEP_SECONDS)
        message = self.a_leg.scenario.message
        if message is None or self.a_leg.end is not None:
            self.a_leg.hang_up()
            return None
        recording.begun = self.a_leg.now
        self.a_leg.pass_time(min(message, recording.longest))
        recording.ended = self.a_leg.now
        if self.a_leg.end is not None or self.a_leg.scenario.message_ended_by is MessageEndedBy.HANGUP:
            self.a_leg.hang_up()
            return None
        return self._follow_record(recording, key=recording.element.get("finishOnKey", "#")[:1])

    def _start_waiting(self) -> None:
        """Start the recordings that waited for a dial to be answered."""
        for recording in self.recordings:
            if recording.is_waiting:
                recording.begun = self.a_leg.now
                self._follow_record(recording)

    def _use_up_waiting(self) -> None:
        """End the recordings of the Dial that is over."""
        for recording in self.recordings:
            if recording.is_waiting:
                recording.is_waiting = False
                begun = self.a_leg.now if recording.begun is None else recording.begun
                recording.ended = min(self.a_leg.now, begun + recording.longest)

    def _follow_record(self, recording: SimulatedRecording, key: str = "") -> XmlDocument | None:
        """Request a Record's action URL; the length is unknown while it still records."""
        begun = self.a_leg.now if recording.begun is None else recording.begun
        seconds = None if recording.ended is None else recording.ended - begun
        params = payloads.recording(self.a_leg.context, recording.recording_id, begun, seconds) | {"Digits": key}
        return self.a_leg.follow_action(RequestKind.RECORD, recording.element, params)


def _seconds(element: XmlElement) -> float:
    """Return how long a Speak, Play or Wait lasts; any other element counts as a Play."""
    if element.name == "Wait":
        return element.number("length", 1)
    length = len(element.text) / CHARACTERS_PER_SECOND if element.name == "Speak" else PLAY_SECONDS
    return length * max(1, element.number("loop", 1))
