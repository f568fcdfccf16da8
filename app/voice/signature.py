"""Sign requests as Plivo signs them, and verify the signatures of requests that claim to be Plivo's."""

import binascii
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from app.voice.signed_text import Params, name_differences, near_bases, rest_of_v3, show_url, split_url, utf8

MAX_SIGNATURES = 4  # In one header. Plivo sends one for each active auth token, so two while they are rotated.


class Headers(Protocol):
    """Any `dict`, or a mapping that ignores case in names, as Werkzeug's does."""

    def get(self, key: str, /) -> str | None: ...


class Verdict(StrEnum):
    """What is known about the sender of a request."""

    VALID = "valid"
    INVALID = "invalid"
    MISSING = "missing"
    UNCHECKED = "unchecked"
    BEARER = "bearer"  # PHLO's bearer token, a weaker proof than a signature.


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A verdict, the scheme it is about (`V3`, `Ma-V3`, `V2`, `Ma-V2`) and, unless valid, the reason."""

    verdict: Verdict
    scheme: str | None = None
    reason: str | None = None


class _Scheme(NamedTuple):
    """One version of Plivo's signatures: its name, its three headers, and the form of its nonce."""

    name: str
    own: str
    main_account: str
    nonce: str
    nonce_form: re.Pattern[str]


_V1_HEADER = "x-plivo-signature"


def _scheme(name: str, nonce_form: str) -> _Scheme:
    version = name.lower()
    names = (f"{_V1_HEADER}-{version}", f"{_V1_HEADER}-ma-{version}", f"{_V1_HEADER}-{version}-nonce")
    return _Scheme(name, *names, re.compile(nonce_form, re.ASCII))


# With dots or slashes a nonce could stand for signed parameters.
_V3 = _scheme("V3", "[0-9A-Za-z-]{1,64}")
# V2 joins path and nonce: with a nonce such as `hangup/1` one route's signature would be valid on another.
_V2 = _scheme("V2", "[0-9A-Fa-f-]{1,64}")
_VALID = {
    name: Verification(verdict=Verdict.VALID, scheme=name)
    for scheme in (_V3, _V2)
    for name in (scheme.name, f"Ma-{scheme.name}")
}
_SIGNED_METHODS = frozenset({"GET", "HEAD", "POST"})
_UNSIGNED_METHOD = "Plivo signs GET and POST requests alone"
_NO_MATCH = "no signature in the request matches"
_V2_ALONE = "only V2 signs this request, and V2 covers neither query nor body"
_LONGEST_HEADER = MAX_SIGNATURES * 64  # A signature is 44 characters of base64.
_MOST_OTHER_URLS = 8


class Offer(NamedTuple):
    """The signatures that a request brings, in a plausible form, and what they are to be checked with."""

    scheme: _Scheme
    own: str | None
    main_account: str | None
    nonce: str
    method: str
    tokens: tuple[str, ...]

    def verify(self, *, url: str, params: Params, query: Params | None = None) -> Verification:
        """Return whether one of the signatures is Plivo's. Builds one text and one HMAC for each token.

        `url`, `params` and `query` are as in `verify`.
        """
        base, encoded = split_url(url)
        return self._check(utf8(base) + self._rest(encoded, params, query))

    def explain(self, *, url: str, params: Params, other_urls: Iterable[str] = ()) -> str:
        """Return why the request does not verify, as the function `explain` does. Costs some hundred HMACs at most."""
        base, encoded = split_url(url)
        rest = self._rest(encoded, params, None)
        if self._check(utf8(base) + rest).verdict is Verdict.VALID:
            return "nothing: the signature is valid"
        others = [split_url(other)[0] for other, _ in zip(other_urls, range(_MOST_OTHER_URLS), strict=False)]
        for candidate in near_bases(base, others):
            if self._check(utf8(candidate) + rest).verdict is Verdict.VALID:
                return (
                    f"{name_differences(base, candidate)}: Plivo signed {show_url(candidate)} and this server checked "
                    f"{show_url(base)}; set PUBLIC_URL or TRUSTED_PROXIES so that they are the same"
                )
        return (
            "token: no similar URL matches either; PLIVO_AUTH_TOKEN must be the token of the account that "
            "owns the call, and PUBLIC_URL must hold any sub-path that a proxy removes, "
            "unless somebody else sent or changed this request"
        )

    def _check(self, message: bytes) -> Verification:
        for token in self.tokens:
            expected = _sign(message, token)
            if _is_among(self.own, expected):
                return _VALID[self.scheme.name]
            if _is_among(self.main_account, expected):
                return _VALID[f"Ma-{self.scheme.name}"]
        return self.refuse(_NO_MATCH)

    def refuse(self, reason: str) -> Verification:
        """Return that the request is not accepted, with the reason."""
        name = f"Ma-{self.scheme.name}" if self.own is None else self.scheme.name
        return Verification(verdict=Verdict.INVALID, scheme=name, reason=reason)

    def _rest(self, encoded_query: str, params: Params, query: Params | None) -> bytes:
        """Return what is signed after scheme, host and path."""
        if self.scheme is _V2:
            return self.nonce.encode()
        return rest_of_v3(self.method, encoded_query, params, self.nonce, query)


def read_offer(*, method: str, headers: Headers, tokens: Sequence[str], accept_v2: bool = True) -> Offer | Verification:
    """Return the signatures a request brings, or the verdict where its headers alone decide; nothing is parsed.

    A request with a V3 header is judged by V3 alone, since V2 covers neither query nor body. With `accept_v2` false a
    request that only V2 signs is invalid. Without a token the verdict is `unchecked`.
    """
    keys = tuple(filter(None, tokens))  # Anybody can sign with an empty token.
    if not keys:
        return Verification(verdict=Verdict.UNCHECKED, reason="no auth token is set")
    if isinstance(headers, dict):
        headers = {name.lower(): value for name, value in headers.items()}
    for scheme in (_V3, _V2):
        own, main_account = headers.get(scheme.own), headers.get(scheme.main_account)
        nonce = headers.get(scheme.nonce)
        if own is None and main_account is None:
            if nonce is None:
                continue
            return Verification(verdict=Verdict.MISSING, reason=f"{scheme.nonce} came without {scheme.own}")
        if nonce is None:
            return Verification(verdict=Verdict.MISSING, reason=f"{scheme.nonce} is missing")
        offer = Offer(scheme, own, main_account, nonce, method.upper(), keys)
        fault = _fault_of(offer, accept_v2=accept_v2)
        return offer.refuse(fault) if fault else offer
    v1 = "" if headers.get(_V1_HEADER) is None else ", and the V1 signature (SHA-1) is not accepted"
    return Verification(verdict=Verdict.MISSING, reason=f"{_V3.own} is missing{v1}")


def verify(
    *, method: str, url: str, params: Params, headers: Headers, tokens: Sequence[str], query: Params | None = None
) -> Verification:
    """Return whether Plivo sent this request; never raise, compare in constant time.

    `url` is the public URL as Plivo called it, path and query still percent-encoded; `params` are the decoded fields of
    a form body, `query` those of the URL where they have been decoded already. Any of `tokens` may match, in the plain
    or the `Ma-` header. (Plivo, "Signature validation", and plivo-python 4.63.0.)
    """
    offer = read_offer(method=method, headers=headers, tokens=tokens)
    return offer if isinstance(offer, Verification) else offer.verify(url=url, params=params, query=query)


def explain(
    *, method: str, url: str, params: Params, headers: Headers, tokens: Sequence[str], other_urls: Iterable[str] = ()
) -> str:
    """Return why a request does not verify: `<what is wrong>: <what to do>`.

    What is wrong is `header`, `form`, `method`, `token`, or where `url` differs from what Plivo signed: `host` or
    `path` (it signed one of `other_urls`), `case`, `scheme`, `port`, `slash`, or several joined by `+`. No token,
    signature or query is in the text.
    """
    offer = read_offer(method=method, headers=headers, tokens=tokens)
    if isinstance(offer, Verification):
        return advise(offer)
    return offer.explain(url=url, params=params, other_urls=other_urls)


def advise(verification: Verification) -> str:
    """Return a verification's reason as `<what is wrong>: <what to do>`, without calculating anything."""
    if verification.verdict is Verdict.UNCHECKED:
        return "token: none is set; set PLIVO_AUTH_TOKEN"
    if verification.reason == _UNSIGNED_METHOD:
        return f"method: {_UNSIGNED_METHOD}"
    if verification.reason == _V2_ALONE:
        return f"V2: {_V2_ALONE}; set ACCEPT_V2=true only if Plivo does not send V3 to this number"
    if verification.verdict is Verdict.MISSING:
        return f"header: {verification.reason}; Plivo sends it, so a proxy dropped it or Plivo did not call"
    if verification.reason == _NO_MATCH:
        return f"signature: {_NO_MATCH}; `flask doctor --signature` finds out why"
    return f"form: {verification.reason}; Plivo sends nothing like it, so somebody else sent or changed this request"


def sign_v3(*, method: str, url: str, params: Params, nonce: str, token: str) -> str:
    """Return the V3 signature of a request, in base64; HEAD is signed as GET.

    Raises ValueError for a method that Plivo does not use.
    """
    method = method.upper()
    if method not in _SIGNED_METHODS:
        raise ValueError(f"method is {method!r}; {_UNSIGNED_METHOD}")
    base, encoded = split_url(url)
    return _sign(utf8(base) + rest_of_v3(method, encoded, params, nonce, None), token).decode()


def sign_v2(*, url: str, nonce: str, token: str) -> str:
    """Return the V2 signature of a request, in base64; it covers scheme, host, port, path and nonce."""
    return _sign(utf8(split_url(url)[0] + nonce), token).decode()


def make_nonce() -> str:
    """Return a new nonce of 20 decimal digits, as Plivo makes them."""
    return f"{secrets.randbelow(10**20):020d}"


def _fault_of(offer: Offer, *, accept_v2: bool) -> str | None:
    """Return what Plivo never sends about these headers; None when they are plausible."""
    if offer.method not in _SIGNED_METHODS:
        return _UNSIGNED_METHOD
    if offer.scheme is _V2 and not accept_v2:
        return _V2_ALONE
    if not offer.scheme.nonce_form.fullmatch(offer.nonce):
        return f"{offer.scheme.nonce} has a form that Plivo does not use"
    for header in (offer.own, offer.main_account):
        if header and (len(header) > _LONGEST_HEADER or header.count(",") >= MAX_SIGNATURES):
            return f"more than {MAX_SIGNATURES} signatures in one header"
    return None


def _is_among(header: str | None, expected: bytes) -> bool:
    """Return whether one of a header's comma-separated signatures is the expected one."""
    if header is None:
        return False
    return any(hmac.compare_digest(utf8(one.strip()), expected) for one in header.split(","))


def _sign(message: bytes, token: str) -> bytes:
    return binascii.b2a_base64(hmac.digest(utf8(token), message, "sha256"), newline=False)
