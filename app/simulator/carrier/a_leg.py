"""The caller's side of a call: its clock, its patience, and the requests made on its behalf."""

import random
import time
import uuid

from app.simulator import hangups as ends
from app.simulator.carrier import payloads
from app.simulator.carrier.call_requests import Errands, Urls
from app.simulator.carrier.payloads import Line
from app.simulator.carrier.recorder import Recorder
from app.simulator.ground_truth import Kind, LegTruth
from app.simulator.hangups import CallEnd
from app.simulator.scenario import Scenario
from app.simulator.wire.delivery import Postman
from app.simulator.xml import findings as verdict
from app.simulator.xml.findings import Asked, Verdict
from app.simulator.xml.grammar import is_absolute
from app.simulator.xml.parser import Document, Element


class ALeg:
    """The A leg of one call. `now` counts seconds from its beginning; `end` is None while it lasts."""

    def __init__(
        self,
        *,
        scenario: Scenario,
        line: Line,
        urls: Urls,
        postman: Postman,
        chance: random.Random,
        real_time: bool = False,
    ) -> None:
        """Begin at second 0 with nothing sent."""
        self.scenario = scenario
        self.line = line
        self.urls = urls
        self.postman = postman
        self.truth = postman.truth
        self.errands = Errands(postman, line)
        self.chance = chance
        self.real_time = real_time
        self.now = 0.0
        self.end: CallEnd | None = None
        self.gives_up_at = scenario.caller_gives_up_after
        self.recorder = Recorder(self.make_uuid)

    def fail(self, why: verdict.Verdict) -> None:
        """Keep a verdict, and end the call by it if it has not ended."""
        self.truth.verdicts.append(why)
        if self.end is None:
            self.end = ends.end_by_verdict(why, answered=self.line.answered_at is not None)

    def answered(self) -> None:
        """Note when the caller's side was answered, the first time."""
        if self.line.answered_at is None:
            self.line.answered_at = self.now

    def pass_time(self, seconds: float) -> None:
        """Let time pass on the line, unless the caller's patience ends before."""
        to = self.now + seconds
        if self.gives_up_at is not None and to >= self.gives_up_at:
            self.advance(self.gives_up_at)
            self.caller_left()
        else:
            self.advance(to)

    # What a Dial needs of the call around it.

    def advance(self, to: float) -> None:
        """Let simulated time pass; really, where asked for."""
        if self.real_time and to > self.now:
            time.sleep(to - self.now)
        self.now = max(self.now, to)

    def make_uuid(self) -> str:
        """Return the next UUID of this call."""
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def report_leg(self, dial: Element, leg: LegTruth, event: str) -> None:
        """Tell the Dial's callback URL about a leg."""
        params = payloads.leg_event(self.line, leg, event)
        self.call_back(dial, params, f"{leg.b_leg_uuid} {event}")

    def report_digits(self, dial: Element, leg: LegTruth, pressed: str, by: str) -> None:
        """Tell the Dial's callback URL about digits."""
        params = payloads.digits(self.line, leg, pressed, by)
        self.call_back(dial, params, f"{leg.b_leg_uuid} digits")

    def fetch_confirm_sound(self, dial: Element) -> bool:
        """Fetch what the callee hears, by POST, and tell whether it can be played."""
        return self.fetch_prompt(Kind.CONFIRM, dial, "confirmSound")

    def connected(self) -> None:
        """Note that the caller's side is answered, because somebody picked up."""
        self.answered()
        self.gives_up_at = None
        for element, recording_id in self.recorder.start_waiting(self.now):
            self.follow_record(element, recording_id, self.now, None, "")

    def caller_left(self) -> None:
        """Note that the caller hung up."""
        if self.end is None:
            if self.line.answered_at is None:
                self.end = ends.CALLER_GONE_UNANSWERED
            else:
                self.end = ends.CALLED_GONE if self.line.outbound else ends.CALLER_GONE

    # Requests.

    def follow(
        self,
        asked: Asked,
        kind: Kind,
        url: str,
        method: str,
        params: payloads.Params,
        *,
        about: str = "",
        byte: int | None = None,
    ) -> Document | None:
        """Ask a URL for XML; what Plivo cannot use ends the call, if it is still there to be ended."""
        was_gone = self.end is not None
        letter = self.errands.letter(kind, url, method, params, self.now, about)
        answer = self.errands.ask_for_xml(asked, letter, byte)
        if isinstance(answer, Verdict):
            self.fail(answer)
            return None
        return None if was_gone else answer

    def fetch_prompt(self, kind: Kind, dial: Element, attribute: str) -> bool:
        """Fetch what is to be played, by POST; a fault is a verdict, but the call goes on."""
        params = payloads.redirected(self.line)
        letter = self.errands.letter(kind, dial.get(attribute), "POST", params, self.now)
        fault = self.errands.ask_for_prompt(attribute, letter)
        if fault is not None:
            self.truth.verdicts.append(fault)
        return fault is None

    def call_back(self, element: Element, params: payloads.Params, about: str) -> None:
        """Send a notice to an element's callback URL, if it has one."""
        url = element.get("callbackUrl")
        if url:
            self.tell(Kind.CALLBACK, url, element.get("callbackMethod", "POST"), params, about)

    def tell(self, kind: Kind, url: str, method: str, params: payloads.Params, about: str = "") -> None:
        """Send a notice."""
        self.postman.tell(self.errands.letter(kind, url, method, params, self.now, about))

    def follow_action(self, kind: Kind, element: Element, params: payloads.Params, about: str = "") -> Document | None:
        """Ask an element's action URL and return what to do next; nothing without redirect or a caller."""
        url, method = element.get("action"), element.get("method", "POST")
        if not url:
            return None
        if element.is_true("redirect", default=True):
            return self.follow(Asked.ACTION, kind, url, method, params, about=about, byte=element.byte_of("action"))
        if is_absolute(url) and method in {"GET", "POST"}:
            self.tell(kind, url, method, params, about)
            return None
        reason = f"action {url!r} with method {method!r} is never asked"
        advice = "write an absolute URL, and GET or POST"
        self.truth.verdicts.append(verdict.undocumented(url, reason, advice, byte=element.byte_of("action")))
        return None

    def follow_record(
        self, element: Element, recording_id: str, begun: float, seconds: float | None, key: str
    ) -> Document | None:
        """Ask a Record's action URL; `seconds` None while it still records."""
        params = payloads.recording(self.line, recording_id, begun, seconds) | {"Digits": key}
        return self.follow_action(Kind.RECORD, element, params)
