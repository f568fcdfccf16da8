"""Who may speak: the check that stands before every route of this blueprint.

A request that is refused is answered with 403 and an empty response, logged and counted; nothing of it is stored.
"""

import hmac
import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

from flask import Response, request

from app.context import services
from app.dial.answers import xml_reply
from app.dial.request import Arrival, at_hand, read_arrival
from app.voice.events import Kind
from app.voice.signature import Verdict, Verification, explain, verify
from config import Config, SignatureMode

log = logging.getLogger(__name__)

_KINDS = {f"dial.{kind.value}": kind for kind in Kind}  # Each route's endpoint is named after its kind.


def guard() -> Response | None:
    """Read the request and let it in, or answer it."""
    asked = at_hand()
    endpoint = asked.endpoint
    if endpoint is None:
        return None
    kind = _KINDS[endpoint]
    shared = services()
    arrival = asked.arrival = read_arrival(asked, kind, shared)
    config = shared.config
    if kind is Kind.PHLO:
        return None if _phlo_may_enter(arrival, config) else xml_reply(status=403)
    if config.verify_signatures is SignatureMode.OFF:
        return None
    arrival.verification = verify(
        method=arrival.method,
        url=arrival.url,
        params=arrival.form,
        headers=_SentHeaders(asked.environ),
        tokens=config.plivo_auth_tokens,
        query=arrival.asked,
    )
    if arrival.verification.verdict is Verdict.VALID:
        return None
    refused = config.verify_signatures is SignatureMode.ENFORCE
    _log_unproven(arrival, config, refused=refused)
    return xml_reply(status=403) if refused else None


class _SentHeaders:
    """The headers of a request, looked up where the server put them: Werkzeug's own look takes longer."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def get(self, name: str, /) -> str | None:
        """Give a header's value, or None."""
        return self._environ.get(_environ_key(name))


@cache
def _environ_key(name: str) -> str:
    return f"HTTP_{name.upper().replace('-', '_')}"


def _log_unproven(arrival: Arrival, config: Config, *, refused: bool) -> None:
    log.warning(
        "signature_refused" if refused else "signature_not_valid",
        extra={
            "kind": arrival.kind.value,
            "sender": arrival.sender,
            "signature": arrival.verification.verdict.value,
            "scheme": arrival.verification.scheme,
            "reason": explain(
                method=arrival.method,
                url=arrival.url,
                params=arrival.form,
                headers=request.headers,
                tokens=config.plivo_auth_tokens,
                other_urls=_other_urls(arrival),
            ),
            "request_id": arrival.request_id,
        },
    )


def _other_urls(arrival: Arrival) -> tuple[str, ...]:
    """Give the URLs that Plivo may have meant: the host of the request as it reached us, and as a proxy names it."""
    environ = request.environ
    target = arrival.url[len(arrival.base_url) :]
    hosts = {environ.get("HTTP_HOST"), environ.get("HTTP_X_FORWARDED_HOST")} - {None, ""}
    return tuple(f"{scheme}://{host}{target}" for host in sorted(map(str, hosts)) for scheme in ("https", "http"))


def _phlo_may_enter(arrival: Arrival, config: Config) -> bool:
    """Check the bearer token that PHLO sends in place of a signature."""
    if config.phlo_token is None:
        if config.verify_signatures is SignatureMode.OFF:
            return True
        log.warning("phlo_refused", extra={"reason": "PHLO_TOKEN is not set", "sender": arrival.sender})
        return False
    said = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if hmac.compare_digest(said.encode(), config.phlo_token.encode()):
        arrival.verification = Verification(verdict=Verdict.VALID, scheme="bearer")
        return True
    log.warning("phlo_refused", extra={"reason": "the bearer token is not PHLO_TOKEN", "sender": arrival.sender})
    return False
