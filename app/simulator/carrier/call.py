"""One call from start to end: fetch XML, carry it out, report, follow the reply, hang up."""

from app.simulator import hangups
from app.simulator.carrier import payloads
from app.simulator.carrier.a_leg import ALeg
from app.simulator.carrier.document_player import DocumentPlayer
from app.simulator.ground_truth import CallTruth, RequestKind
from app.simulator.hangups import CallEnd
from app.simulator.scenario import Behaviour, Person
from app.simulator.xml.parser import XmlDocument, read_document
from app.simulator.xml.verdicts import XmlSource


def play_call(a_leg: ALeg) -> CallTruth:
    """Play a call to its end and return what happened."""
    player = DocumentPlayer(a_leg)
    if a_leg.scenario.phlo:
        _play_phlo(a_leg, player)
    elif a_leg.scenario.called is None or _is_picked_up(a_leg, a_leg.scenario.called):
        document = _request_answer_url(a_leg)
        while document is not None and a_leg.end is None:
            document = player.play(document)
        player.report_recordings()
        _finish(a_leg, a_leg.end or hangups.XML_RAN_OUT)
    a_leg.delivery.release_all()
    return a_leg.truth


def _request_answer_url(a_leg: ALeg) -> XmlDocument | None:
    """Return the document of the answer URL or, if that fails, of the fallback URL."""
    params, method = payloads.answer(a_leg.context), a_leg.urls.method
    document = a_leg.follow(XmlSource.ANSWER, RequestKind.ANSWER, a_leg.urls.answer, method, params)
    if document is None and a_leg.urls.fallback:
        a_leg.end = None
        document = a_leg.follow(XmlSource.ANSWER, RequestKind.FALLBACK, a_leg.urls.fallback, method, params)
    return document


def _play_phlo(a_leg: ALeg, player: DocumentPlayer) -> None:
    """Play a Call Forward, and the HTTP Request node after it."""
    xml = f"<Response><Dial><Number>{a_leg.context.to_number}</Number></Dial></Response>"
    player.play_dial(read_document(xml.encode(), content_type="text/xml").root.children[0])
    params = payloads.dial_fields(a_leg.context, a_leg.truth.dials[0])
    a_leg.requests.notify_phlo(a_leg.urls, params, a_leg.now)
    a_leg.truth.ended_at = a_leg.now


def _is_picked_up(a_leg: ALeg, callee: Person) -> bool:
    """Ring the callee of an outbound call and return whether they answered; if not, the call ends here."""
    a_leg.notify(RequestKind.RING, a_leg.urls.ring, "POST", payloads.ring(a_leg.context))
    a_leg.advance(a_leg.now + callee.after)
    if callee.does is Behaviour.ANSWERS:
        a_leg.answer()
        return True
    _finish(a_leg, hangups.end_of_outbound(callee.does))
    return False


def _finish(a_leg: ALeg, end: CallEnd) -> None:
    """End the A leg and report its hangup."""
    truth, urls = a_leg.truth, a_leg.urls
    truth.end, truth.ended_at, truth.answered_at = end, a_leg.now, a_leg.context.answered_at
    url, method = (urls.hangup, "POST") if a_leg.scenario.hangup_url else (urls.answer, urls.method)
    a_leg.notify(RequestKind.HANGUP, url, method, payloads.hangup(a_leg.context, end, a_leg.now))
