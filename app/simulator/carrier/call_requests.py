"""The requests of a call: build them, send them, and judge the XML that comes back."""

import json
from dataclasses import dataclass

from app.simulator.carrier.payloads import Line, Params
from app.simulator.ground_truth import Kind
from app.simulator.wire.callback_settings import split_url
from app.simulator.wire.delivery import Letter, Postman, UndeliveredError
from app.simulator.wire.transport import Request
from app.simulator.xml import findings as verdict
from app.simulator.xml.findings import Asked, Verdict
from app.simulator.xml.grammar import is_absolute
from app.simulator.xml.parser import Document, DocumentError, read_document


@dataclass(frozen=True, slots=True, kw_only=True)
class Urls:
    """What the Plivo console holds for a number: URLs with their fragments, and the answer URL's method."""

    answer: str
    hangup: str
    ring: str
    phlo: str
    fallback: str | None = None
    method: str = "POST"
    phlo_token: str | None = None


class Errands:
    """Everything a call asks and tells; times in seconds from the beginning of the call."""

    def __init__(self, postman: Postman, line: Line) -> None:
        """Send by this postman, on behalf of this line."""
        self.postman = postman
        self.line = line

    def letter(self, kind: Kind, url: str, method: str, params: Params, at: float, about: str = "") -> Letter:
        """Build a request; what is wrong with its URL's fragment becomes a remark."""
        for remark in split_url(url)[2]:
            self.postman.truth.remarks.append(f"{url}: {remark}")
        request = Request(method=method, url=url, params=params, at=self.line.at(at))
        return Letter(kind=kind, request=request, at=at, about=about)

    def phlo_letter(self, urls: Urls, params: Params, at: float) -> Letter:
        """Build a PHLO HTTP Request: JSON, unsigned, with a bearer token (its author's choice)."""
        headers = {"Authorization": f"Bearer {urls.phlo_token}"} if urls.phlo_token else {}
        request = Request(
            method="POST",
            url=urls.phlo,
            params=params,
            at=self.line.at(at),
            headers=headers,
            json=json.dumps(params).encode(),
        )
        return Letter(kind=Kind.PHLO, request=request, at=at, about="0")

    def ask_for_xml(self, asked: Asked, letter: Letter, byte: int | None) -> Document | Verdict:
        """Return the document that a URL answers, or Plivo's verdict on why there is none.

        `byte` is where the URL stands in the document that named it.
        """
        url, method = letter.request.url, letter.request.method
        if not is_absolute(url):
            return verdict.invalid_url(asked, url, byte)
        if method not in {"GET", "POST"}:
            return verdict.invalid_method(asked, url, method, byte)
        try:
            answer = self.postman.ask(letter)
        except UndeliveredError as error:
            return verdict.unreachable(asked, url, error.reason, excused=error.excused)
        reply = answer.reply
        if not reply.is_success:
            reason = f"the status is {reply.status}"
            return verdict.unreachable(asked, url, reason, status=reply.status, excused=answer.excused)
        try:
            return read_document(reply.body, content_type=reply.content_type)
        except DocumentError as error:
            return verdict.invalid_xml(asked, url, error.reason, error.advice, error.byte)

    def ask_for_prompt(self, attribute: str, letter: Letter) -> Verdict | None:
        """Fetch what a confirmSound or dialMusic plays; return what is wrong with it, if anything."""
        url = letter.request.url
        try:
            answer = self.postman.ask(letter)
        except UndeliveredError as error:
            advice = "answer it with status 200 and Plivo XML"
            return verdict.undocumented(url, f"{attribute}: {error.reason}", advice, excused=error.excused)
        reply = answer.reply
        if not reply.is_success:
            reason = f"{attribute}: the status is {reply.status}"
            advice = "answer it with status 200 and Plivo XML"
            return verdict.undocumented(url, reason, advice, excused=answer.excused)
        try:
            read_document(reply.body, content_type=reply.content_type, prompts_only=True)
        except DocumentError as error:
            return verdict.undocumented(url, f"{attribute}: {error.reason}", error.advice, byte=error.byte)
        return None
