"""One call, from the ring to the hang-up notice: fetch XML, carry it out, report, follow what is answered."""

from app.simulator import hangups as ends
from app.simulator.carrier import payloads
from app.simulator.carrier.a_leg import ALeg
from app.simulator.carrier.player import Performer
from app.simulator.ground_truth import CallTruth, Kind
from app.simulator.hangups import CallEnd
from app.simulator.scenario import Does, Person
from app.simulator.xml.findings import Asked
from app.simulator.xml.parser import Document, read_document


class Call:
    """One call in progress."""

    def __init__(self, a_leg: ALeg) -> None:
        """Prepare a call; nothing is sent before `play`."""
        self.a_leg = a_leg
        self.truth = a_leg.truth
        self.performer = Performer(a_leg)

    def play(self) -> CallTruth:
        """Play the call to its end and return what happened."""
        if self.a_leg.scenario.phlo:
            self._play_phlo()
        elif self.a_leg.scenario.called is None or self._is_picked_up(self.a_leg.scenario.called):
            document = self._ask_answer_url()
            while document is not None and self.a_leg.end is None:
                document = self.performer.perform(document)
            self._finish(self.a_leg.end or ends.XML_RAN_OUT)
        self.a_leg.postman.finish()
        return self.truth

    def _ask_answer_url(self) -> Document | None:
        """Ask the answer URL, then the fallback URL if there is one and the first gave nothing to do."""
        asked = len(self.truth.verdicts)
        params = payloads.answer(self.a_leg.line)
        document = self.a_leg.follow(Asked.ANSWER, Kind.ANSWER, self.a_leg.urls.answer, self.a_leg.urls.method, params)
        if document is None and self.a_leg.urls.fallback and len(self.truth.verdicts) > asked:
            self.a_leg.end = None
            url = self.a_leg.urls.fallback
            document = self.a_leg.follow(Asked.ANSWER, Kind.FALLBACK, url, self.a_leg.urls.method, params)
        return document

    def _play_phlo(self) -> None:
        """Play a Call Forward, and the HTTP Request node after it."""
        xml = f"<Response><Dial><Number>{self.a_leg.line.to_number}</Number></Dial></Response>"
        dial = read_document(xml.encode(), content_type="text/xml").root.children[0]
        self.performer.dial(dial)
        params = payloads.phlo(self.a_leg.line, self.truth.dials[0])
        self.a_leg.postman.tell(self.a_leg.errands.phlo_letter(self.a_leg.urls, params, self.a_leg.now))
        self.truth.ended_at = self.a_leg.now

    def _is_picked_up(self, person: Person) -> bool:
        """Ring the person an outbound call is for; without an answer the call ends here."""
        self.a_leg.tell(Kind.RING, self.a_leg.urls.ring, "POST", payloads.ring(self.a_leg.line))
        self.a_leg.advance(self.a_leg.now + person.after)
        if person.does is Does.ANSWERS:
            self.a_leg.answered()
            return True
        self._finish(ends.end_of_called(person.does))
        return False

    def _finish(self, end: CallEnd) -> None:
        """End the A leg: what was recorded is reported, then the hang-up."""
        self.truth.end, self.truth.ended_at = end, self.a_leg.now
        self.truth.answered_at = self.a_leg.line.answered_at
        for element, recording_id, begun, seconds in self.a_leg.recorder.finish(self.a_leg.now):
            self.truth.recordings += 1
            url, method = element.get("callbackUrl"), element.get("callbackMethod", "POST")
            if url:
                params = payloads.recording(self.a_leg.line, recording_id, begun, seconds)
                self.a_leg.tell(Kind.RECORDING, url, method, params, recording_id)
        url, method = (
            (self.a_leg.urls.hangup, "POST")
            if self.a_leg.scenario.hangup_url
            else (self.a_leg.urls.answer, self.a_leg.urls.method)
        )
        self.a_leg.tell(Kind.HANGUP, url, method, payloads.hangup(self.a_leg.line, end, self.a_leg.now))
