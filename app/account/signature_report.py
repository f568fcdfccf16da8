"""Why a signature was refused, in full: `flask doctor --signature` reads one request as it was captured."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, parse_headers

from app.account.errors import SettingError
from app.account.local_checks import Check, failed, passed
from app.voice.signature import Offer, Verdict, Verification, advise, read_offer
from app.voice.signed_content import find_ambiguity
from app.voice.signed_text import show_url

Pairs = Sequence[tuple[str, str]]

_HEADERS = tuple(f"X-Plivo-Signature-{name}" for name in ("V3", "Ma-V3", "V3-Nonce", "V2", "Ma-V2", "V2-Nonce"))
_LONGEST = 1024 * 1024  # Bytes; the server takes 64 KiB.


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedRequest:
    """One HTTP request as it went over the wire."""

    method: str
    target: str
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What the server verifies: the URL as Plivo called it, and the decoded parameters of query and body."""

    method: str
    url: str
    query: Pairs
    form: Pairs
    other_urls: Sequence[str]


def parse_request(text: bytes) -> CapturedRequest:
    """Parse an HTTP request: request line, headers, an empty line, body. Raises SettingError.

    Line ends may be those of a text editor. What follows Content-Length, such as a last line end, is left out.
    """
    what = "write request line, headers, an empty line and the body, as ngrok's inspector shows them under Raw"
    if len(text) > _LONGEST:
        raise SettingError(f"The request has more than a mebibyte; {what}")
    stream = io.BytesIO(text.lstrip())
    words = stream.readline().decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        raise SettingError(f"The first line is no request line such as `POST /dialstatus/ HTTP/1.1`; {what}")
    try:
        headers = parse_headers(stream)
    except HTTPException as error:
        raise SettingError(f"The headers cannot be read ({type(error).__name__}); {what}") from error
    body, length = stream.read(), str(headers.get("Content-Length", ""))
    if length.isdecimal():
        if len(body) < int(length):
            raise SettingError(f"The body has {len(body)} bytes, but its Content-Length is {length}; {what}")
        body = body[: int(length)]
    return CapturedRequest(method=words[0], target=words[1], headers=headers, body=body)


def signature_checks(
    signed: SignedRequest, headers: Message, *, tokens: Sequence[str], accept_v2: bool
) -> Iterator[Check]:
    """Yield what was checked, and why the signature is refused, or that it is valid."""
    yield passed(
        "request",
        f"{signed.method} {show_url(signed.url)}, {len(signed.query)} parameter{'' if len(signed.query) == 1 else 's'} "
        f"in the query, {len(signed.form)} in the body",
    )
    brought = [name for name in _HEADERS if headers.get(name) is not None]
    yield passed("headers", ", ".join(brought)) if brought else failed("headers", "no signature of Plivo's")
    offer = read_offer(method=signed.method, headers=dict(headers.items()), tokens=tokens, accept_v2=accept_v2)
    if isinstance(offer, Verification):
        yield _refused(advise(offer))
        return
    verification = offer.verify(url=signed.url, params=signed.form, query=signed.query)
    if verification.verdict is not Verdict.VALID:
        yield _refused(_what_matches(offer, signed, headers, tokens) or _explain(offer, signed))
        return
    ambiguity = find_ambiguity(method=signed.method, query=signed.query, form=signed.form)
    if ambiguity:
        yield _refused(f"content: the signature is valid, but {ambiguity}; somebody else changed this request")
    else:
        yield passed("signature", f"valid ({verification.scheme})")


def _explain(offer: Offer, signed: SignedRequest) -> str:
    return offer.explain(url=signed.url, params=signed.form, other_urls=signed.other_urls)


def _what_matches(offer: Offer, signed: SignedRequest, headers: Message, tokens: Sequence[str]) -> str | None:
    """Return which part of the request was changed on its way, if leaving it out makes a signature valid."""
    base, _, query = signed.url.partition("?")
    posted = signed.method == "POST"
    variants = {
        "body: the signature is that of an empty body": (signed.method, signed.url, ()),
        "query: the signature is that of the URL without its query": (signed.method, base, signed.form),
        f"method: the signature is that of a {'GET' if posted else 'POST'}": (
            "GET" if posted else "POST",
            f"{base}?{query}" if query else base,
            signed.form,
        ),
    }
    for what, (method, url, params) in variants.items():
        if offer._replace(method=method).verify(url=url, params=params).verdict is Verdict.VALID:
            return f"{what}; a proxy in front, or another sender, changed it"
    v2 = {name: value for name, value in headers.items() if "-v2" in name.lower()}
    if offer.scheme.name == "V3" and v2:
        second = read_offer(method=signed.method, headers=v2, tokens=tokens)
        if isinstance(second, Offer) and second.verify(url=signed.url, params=()).verdict is Verdict.VALID:
            return (
                "content: the V2 signature of the same request is valid, so token and URL are right; "
                "query or body were changed on the way, or decoded in another way"
            )
    return None


def _refused(explanation: str) -> Check:
    problem, _, advice = explanation.partition("; ")
    return failed("signature", problem, f"{advice[:1].upper()}{advice[1:]}." if advice else "")
