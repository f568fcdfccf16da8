"""Sign requests as Plivo signs them, and judge the signatures of those that claim to be Plivo's."""

import binascii
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol
from urllib.parse import unquote_plus

from app.voice.keyed_hash import keyed_hash
from app.voice.signed_url import near_urls, show_url, split_url

Params = Iterable[tuple[str, str]]
"""Decoded form fields; a repeated field is a repeated pair, their order does not matter."""


class Headers(Protocol):
    """Any `dict`, or a mapping that looks names up without regard to case, as Werkzeug's do."""

    def get(self, key: str, /) -> str | None:
        """Return the header's value, or None."""


class Verdict(StrEnum):
    """What is known about who sent a request."""

    VALID = "valid"
    INVALID = "invalid"
    MISSING = "missing"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A verdict, the scheme judged (`V3`, `Ma-V3`, `V2`, `Ma-V2`) and, unless valid, the reason."""

    verdict: Verdict
    scheme: str | None = None
    reason: str | None = None


class _Scheme(NamedTuple):
    """One version of Plivo's signatures: its name and its three headers."""

    name: str
    own: str
    main_account: str
    nonce: str


class _Offer(NamedTuple):
    """The signatures that a request brings, and the nonce they were made with."""

    scheme: _Scheme
    own: str | None
    main_account: str | None
    nonce: str


_V1_HEADER = "x-plivo-signature"
_V3 = _Scheme("V3", "x-plivo-signature-v3", "x-plivo-signature-ma-v3", "x-plivo-signature-v3-nonce")
_V2 = _Scheme("V2", "x-plivo-signature-v2", "x-plivo-signature-ma-v2", "x-plivo-signature-v2-nonce")
_VALID = {
    name: Verification(verdict=Verdict.VALID, scheme=name)
    for scheme in (_V3, _V2)
    for name in (scheme.name, f"Ma-{scheme.name}")
}
_READING_METHODS = frozenset({"GET", "HEAD"})
_SIGNED_METHODS = _READING_METHODS | {"POST"}
_UNSIGNED_METHOD = "Plivo signs GET and POST requests alone"


def verify(
    *,
    method: str,
    url: str,
    params: Params,
    headers: Headers,
    tokens: Sequence[str],
    query: Params | None = None,
) -> Verification:
    """Judge whether Plivo sent this request; never raise, compare in constant time.

    `url` is the public URL as Plivo called it, path and query still percent-encoded; `params` are the decoded fields of
    a form body, `query` those of the URL where they have been decoded already. Any of `tokens` may match, in the plain
    or the `Ma-` header. A request with a V3 header is judged by V3 alone, since V2 covers neither query nor body.
    Without a token the verdict is `unchecked`. (Plivo, "Signature validation", and plivo-python 4.63.0.)
    """
    keys = [token for token in tokens if token]  # Anybody can sign with an empty token.
    if not keys:
        return Verification(verdict=Verdict.UNCHECKED, reason="no auth token is set")
    offer = _read_offer(headers)
    if isinstance(offer, str):
        return Verification(verdict=Verdict.MISSING, reason=offer)
    method = method.upper()
    if method not in _SIGNED_METHODS:
        return _refuse(offer, _UNSIGNED_METHOD)
    if offer.scheme is _V3:
        message = _canonical_v3(method, url, params, offer.nonce, query)
    else:
        message = _canonical_v2(url, offer.nonce)
    return _judge(offer, message, keys)


def sign_v3(*, method: str, url: str, params: Params, nonce: str, token: str) -> str:
    """Return the V3 signature of a request, in base64; HEAD is signed as GET.

    Raises ValueError for a method that Plivo does not use.
    """
    method = method.upper()
    if method not in _SIGNED_METHODS:
        raise ValueError(f"method is {method!r}; {_UNSIGNED_METHOD}")
    return _sign(_canonical_v3(method, url, params, nonce), token).decode()


def sign_v2(*, url: str, nonce: str, token: str) -> str:
    """Return the V2 signature of a request, in base64; it covers scheme, host, port, path and nonce."""
    return _sign(_canonical_v2(url, nonce), token).decode()


def make_nonce() -> str:
    """Return a fresh nonce in Plivo's form: 20 decimal digits."""
    return f"{secrets.randbelow(10**20):020d}"


def explain(
    *,
    method: str,
    url: str,
    params: Params,
    headers: Headers,
    tokens: Sequence[str],
    other_urls: Iterable[str] = (),
) -> str:
    """Say for the log why a request does not verify: `<what is wrong>: <what to do>`.

    What is wrong is `header`, `method`, `token`, or where `url` differs from what Plivo signed: `host` (it
    signed one of `other_urls`), `scheme`, `port`, `slash`, or several of them joined by `+`. Neither a token,
    nor a signature, nor a query is ever in the answer. Costs eight checks for each URL, so ask only when
    a request was refused.
    """
    fields = list(params)

    def check(candidate: str) -> Verification:
        return verify(method=method, url=candidate, params=fields, headers=headers, tokens=tokens)

    verification = check(url)
    if verification.verdict is Verdict.VALID:
        return "nothing: the signature is valid"
    if verification.verdict is Verdict.UNCHECKED:
        return "token: none is set; set PLIVO_AUTH_TOKEN"
    if verification.verdict is Verdict.MISSING:
        return f"header: {verification.reason}; Plivo sends it, so a proxy dropped it or Plivo did not call"
    if method.upper() not in _SIGNED_METHODS:
        return f"method: {_UNSIGNED_METHOD}"
    for differences, candidate in near_urls(url, other_urls):
        if check(candidate).verdict is Verdict.VALID:
            return (
                f"{differences}: Plivo signed {show_url(candidate)} and this server checked "
                f"{show_url(url)}; set PUBLIC_URL or TRUSTED_PROXIES so that they are the same"
            )
    return (
        "token: no similar URL matches either; PLIVO_AUTH_TOKEN must be the token of the account that "
        "owns the call, unless somebody else sent or changed this request"
    )


def _read_offer(headers: Headers) -> _Offer | str:
    """Find the signatures to judge, or say which header is missing."""
    if isinstance(headers, dict):
        headers = {name.lower(): value for name, value in headers.items()}
    for scheme in (_V3, _V2):
        own, main_account = headers.get(scheme.own), headers.get(scheme.main_account)
        nonce = headers.get(scheme.nonce)
        if own is None and main_account is None:
            if nonce is None:
                continue
            return f"{scheme.nonce} came without {scheme.own}"
        if nonce is None:
            return f"{scheme.nonce} is missing"
        return _Offer(scheme, own, main_account, nonce)
    if headers.get(_V1_HEADER) is not None:
        return f"{_V3.own} is missing, and the V1 signature (SHA-1) is not accepted"
    return f"{_V3.own} is missing"


def _judge(offer: _Offer, message: bytes, tokens: Iterable[str]) -> Verification:
    """Compare what the request offers with what each token would have signed."""
    for token in tokens:
        expected = _sign(message, token)
        if _is_among(offer.own, expected):
            return _VALID[offer.scheme.name]
        if _is_among(offer.main_account, expected):
            return _VALID[f"Ma-{offer.scheme.name}"]
    return _refuse(offer, "no signature in the request matches")


def _is_among(header: str | None, expected: bytes) -> bool:
    """Tell whether one of a header's comma-separated signatures is the expected one."""
    if header is None:
        return False
    if "," in header:
        return any(hmac.compare_digest(_utf8(one.strip()), expected) for one in header.split(","))
    return hmac.compare_digest(_utf8(header.strip()), expected)


def _refuse(offer: _Offer, reason: str) -> Verification:
    name = f"Ma-{offer.scheme.name}" if offer.own is None else offer.scheme.name
    return Verification(verdict=Verdict.INVALID, scheme=name, reason=reason)


def _canonical_v3(method: str, url: str, params: Params, nonce: str, query: Params | None = None) -> bytes:
    """Build the text that V3 signs: everything decoded, sorted by name and value, by code point."""
    base, encoded = split_url(url)
    asked = _decode(encoded) if query is None else list(query)
    fields: list[tuple[str, str]] = []
    if method in _READING_METHODS:
        names = {name for name, _ in asked}
        asked += [pair for pair in params if pair[0] not in names]  # Plivo's SDK lets the query win.
    else:
        fields = sorted(params)
    joined = "&".join([f"{name}={value}" for name, value in sorted(asked)])
    posted = "".join([name + value for name, value in fields])
    mark = "?" if joined or fields else ""  # A body without a query leaves a bare question mark.
    dot = "." if joined and fields else ""
    return _utf8(f"{base}{mark}{joined}{dot}{posted}.{nonce}")


def _canonical_v2(url: str, nonce: str) -> bytes:
    """Build the text that V2 signs."""
    return _utf8(split_url(url)[0] + nonce)


def _decode(query: str) -> list[tuple[str, str]]:
    """Decode a query as `urllib.parse.parse_qsl` does when it keeps blank values, only faster."""
    pairs = [piece.partition("=")[::2] for piece in query.split("&") if piece]
    if "%" in query or "+" in query:
        return [(unquote_plus(name), unquote_plus(value)) for name, value in pairs]
    return pairs


def _sign(message: bytes, token: str) -> bytes:
    return binascii.b2a_base64(keyed_hash(_utf8(token), message), newline=False)


def _utf8(text: str) -> bytes:
    """Encode any text: a lone surrogate, which Plivo never signs, gives bytes that match nothing."""
    return text.encode("utf-8", "surrogatepass")
