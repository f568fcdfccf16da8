"""Carry out the elements of a document, one after another, on behalf of a call."""

from collections.abc import Callable

from app.simulator import hangups as ends
from app.simulator.carrier import payloads
from app.simulator.carrier.a_leg import ALeg
from app.simulator.carrier.dialling import Dialling
from app.simulator.ground_truth import Kind
from app.simulator.scenario import MessageEndedBy
from app.simulator.xml import findings as verdict
from app.simulator.xml.findings import Asked
from app.simulator.xml.grammar import is_absolute
from app.simulator.xml.parser import Document, Element

MOST_DOCUMENTS = 50
CHARACTERS_PER_SECOND = 15
PLAY_SECONDS = 8
BEEP_SECONDS = 1


class Performer:
    """Plays elements for one call; a handler returns the document that replaces the present one, if any."""

    def __init__(self, a_leg: ALeg) -> None:
        """Play for this caller."""
        self.a_leg = a_leg
        self.documents = 0
        self.handlers: dict[str, Callable[[Element], Document | None]] = {
            "Speak": self._speak,
            "Play": self._speak,
            "Wait": self._wait,
            "Dial": self.dial,
            "Record": self._record,
            "Hangup": self._hang_up,
            "Redirect": self._redirect,
            "GetDigits": self._get_digits,
            "PreAnswer": self._pre_answer,
        }

    def perform(self, document: Document) -> Document | None:
        """Play a document and return the one that follows it, if any; past 50 the call is cut."""
        self.documents += 1
        self.a_leg.truth.remarks.extend(document.remarks)
        if self.documents > MOST_DOCUMENTS:
            reason = f"the call was led through {MOST_DOCUMENTS} documents without an end"
            self.a_leg.fail(verdict.undocumented(self.a_leg.urls.answer, reason, "end the loop with <Hangup/>"))
            return None
        for element in document.root.children:
            handler = self.handlers.get(element.name, self._skip)
            following = handler(element)
            if following is not None or self.a_leg.end is not None:
                return following
        return None

    def _skip(self, element: Element) -> None:
        self.a_leg.truth.remarks.append(f"<{element.name}> is valid, but this simulator does not play it")

    def _speak(self, element: Element) -> None:
        self.a_leg.answered()
        length = PLAY_SECONDS if element.name == "Play" else len(element.text) / CHARACTERS_PER_SECOND
        self.a_leg.pass_time(length * max(1, element.seconds("loop", 1)))

    def _wait(self, element: Element) -> None:
        self.a_leg.pass_time(element.seconds("length", 1))

    def _pre_answer(self, element: Element) -> None:
        self.a_leg.pass_time(PLAY_SECONDS * len(element.children))

    def _hang_up(self, element: Element) -> None:
        self.a_leg.end = ends.HANGUP_ELEMENT[element.get("reason")]

    def _redirect(self, element: Element) -> Document | None:
        url, method = element.text.strip(), element.get("method", "POST")
        if is_absolute(url) and not self.a_leg.postman.wire.may_call(url):
            self.a_leg.truth.remarks.append(f"the call goes on at {url}, not on this machine, and is not followed")
            self.a_leg.caller_left()
            return None
        params = payloads.redirected(self.a_leg.line)
        return self.a_leg.follow(Asked.REDIRECT, Kind.REDIRECT, url, method, params, byte=element.byte)

    def _get_digits(self, element: Element) -> Document | None:
        self.a_leg.answered()
        self.a_leg.pass_time(element.seconds("timeout", 5))
        if self.a_leg.scenario.digits is None or self.a_leg.end is not None:
            return None
        params = payloads.redirected(self.a_leg.line) | {"Digits": self.a_leg.scenario.digits}
        return self.a_leg.follow_action(Kind.DIGITS, element, params)

    def _record(self, element: Element) -> Document | None:
        later = element.is_true("startOnDialAnswer", default=False)
        if later or element.is_true("recordSession", default=False):
            recording_id = self.a_leg.recorder.prepare(element, None if later else self.a_leg.now)
            return None if later else self.a_leg.follow_record(element, recording_id, self.a_leg.now, None, "")
        self.a_leg.answered()
        self.a_leg.pass_time(BEEP_SECONDS)
        if self.a_leg.scenario.message is None or self.a_leg.end is not None:
            self.a_leg.caller_left()
            return None
        begun = self.a_leg.now
        self.a_leg.advance(begun + min(self.a_leg.scenario.message, element.seconds("maxLength", 60)))
        recording_id = self.a_leg.recorder.prepare(element, begun, self.a_leg.now)
        if self.a_leg.scenario.message_ended_by is MessageEndedBy.HANGUP:
            self.a_leg.caller_left()
            return None
        key = element.get("finishOnKey", "#")[:1]
        return self.a_leg.follow_record(element, recording_id, begun, self.a_leg.now - begun, key)

    def dial(self, element: Element) -> Document | None:
        """Play a Dial, then ask its action URL."""
        if element.get("dialMusic").startswith("http"):
            self.a_leg.fetch_prompt(Kind.MUSIC, element, "dialMusic")
        number = len(self.a_leg.truth.dials)
        people = [self.a_leg.scenario.person(number, index) for index in range(len(element.children))]
        dialling = Dialling(self.a_leg, element, people, number=number, caller_gives_up_at=self.a_leg.gives_up_at)
        dial = dialling.play()
        self.a_leg.truth.dials.append(dial)
        is_asked = self.a_leg.end is None or self.a_leg.scenario.asks_action_after_caller_left
        if not dial.has_action or not is_asked:
            return None
        params = payloads.action(self.a_leg.line, dial, self.a_leg.end)
        return self.a_leg.follow_action(Kind.ACTION, element, params, str(number))
