"""Build the requests of a call, send them, and judge the XML that comes back."""

import json
from dataclasses import dataclass, field

from app.simulator.carrier.payloads import CallContext, Params
from app.simulator.ground_truth import RequestKind
from app.simulator.wire.delivery import FaultyDelivery, OutgoingRequest, UndeliveredError
from app.simulator.wire.http_exchange import split_url
from app.simulator.wire.transport import HttpRequest
from app.simulator.xml import verdicts
from app.simulator.xml.grammar import is_absolute
from app.simulator.xml.parser import DocumentError, XmlDocument, read_document
from app.simulator.xml.verdicts import PlivoVerdict, XmlSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationUrls:
    """The URLs of a Plivo application, with their fragments, and the method of the answer URL."""

    answer: str
    hangup: str
    ring: str
    phlo: str
    fallback: str | None = None
    method: str = "POST"
    phlo_token: str | None = field(default=None, repr=False)


class CallRequests:
    """The requests of one call; `at` in seconds from its beginning."""

    def __init__(self, delivery: FaultyDelivery, context: CallContext) -> None:
        """Send through this delivery, on behalf of this call."""
        self.delivery = delivery
        self.context = context

    def fetch_document(
        self,
        source: XmlSource,
        kind: RequestKind,
        url: str,
        method: str,
        params: Params,
        at: float,
        *,
        about: str = "",
        byte: int | None = None,
    ) -> XmlDocument | PlivoVerdict:
        """Return the document at a URL, or Plivo's verdict; `byte` is the URL's offset in the document naming it."""
        if not is_absolute(url):
            return verdicts.invalid_url(source, url, byte)
        if method not in {"GET", "POST"}:
            return verdicts.invalid_method(source, url, method, byte)
        try:
            delivered = self.delivery.send_control(self._outgoing(kind, url, method, params, at, about))
        except UndeliveredError as error:
            return verdicts.unreachable(source, url, error.reason, excused=error.excused)
        reply = delivered.reply
        if not reply.is_success:
            reason = f"the status is {reply.status}"
            return verdicts.unreachable(source, url, reason, status=reply.status, excused=delivered.excused)
        try:
            return read_document(reply.body, content_type=reply.content_type)
        except DocumentError as error:
            return verdicts.invalid_xml(source, url, error.reason, error.advice, error.byte)

    def check_prompt(
        self, kind: RequestKind, attribute: str, url: str, params: Params, at: float
    ) -> PlivoVerdict | None:
        """Fetch what a confirmSound or dialMusic plays, by POST, and return its fault, if any."""
        advice = "answer it with status 200 and Plivo XML"
        try:
            delivered = self.delivery.send_control(self._outgoing(kind, url, "POST", params, at))
        except UndeliveredError as error:
            return verdicts.without_code(url, f"{attribute}: {error.reason}", advice, excused=error.excused)
        reply = delivered.reply
        if not reply.is_success:
            reason = f"{attribute}: the status is {reply.status}"
            return verdicts.without_code(url, reason, advice, excused=delivered.excused)
        try:
            read_document(reply.body, content_type=reply.content_type, prompts_only=True)
        except DocumentError as error:
            return verdicts.without_code(url, f"{attribute}: {error.reason}", error.advice, byte=error.byte)
        return None

    def notify(self, kind: RequestKind, url: str, method: str, params: Params, at: float, about: str = "") -> None:
        """Send a notice."""
        self.delivery.send_notice(self._outgoing(kind, url, method, params, at, about))

    def notify_phlo(self, urls: ApplicationUrls, params: Params, at: float) -> None:
        """Send a PHLO's HTTP Request: unsigned JSON with a bearer token."""
        request = HttpRequest(
            method="POST",
            url=urls.phlo,
            params=params,
            at=self.context.at(at),
            headers={"Authorization": f"Bearer {urls.phlo_token}"} if urls.phlo_token else {},
            json=json.dumps(params).encode(),
        )
        self.delivery.send_notice(OutgoingRequest(kind=RequestKind.PHLO, request=request, at=at, about="0"))

    def _outgoing(
        self, kind: RequestKind, url: str, method: str, params: Params, at: float, about: str = ""
    ) -> OutgoingRequest:
        """Build a request; faults in its URL's fragment become remarks."""
        self.delivery.truth.remarks += [f"{url}: {remark}" for remark in split_url(url)[2]]
        request = HttpRequest(method=method, url=url, params=params, at=self.context.at(at))
        return OutgoingRequest(kind=kind, request=request, at=at, about=about)
