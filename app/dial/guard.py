"""The check before every route of this blueprint: a stranger gets 403 and an empty response, and nothing is stored.

A refusal is cheap. Headers are looked at first, and a request that they already decide is refused with its body unread.
"""

import logging
from typing import cast

from flask import Response, current_app, g
from flask import request as request_proxy

from app.context import has_token, services
from app.dial.refusals import Refusals, urls_in
from app.dial.replies import xml_reply
from app.dial.request import Request, Webhook, read_head, read_parameters
from app.voice.events import Kind
from app.voice.signature import Offer, Verdict, Verification, advise, read_offer
from app.voice.signed_content import find_ambiguity
from config import Config, SignatureMode

log = logging.getLogger(__name__)

REFUSALS = "dialstatus-refusals"
SOUND = "sound"  # Audio files: Plivo fetches them unsigned.

_KINDS = {f"dial.{kind.value}": kind for kind in Kind}  # Each route's endpoint is named after its kind.
_request = cast(Request, request_proxy)
_BEARER = Verification(verdict=Verdict.BEARER, scheme="bearer")
# Requests to these URLs may name no call: fallback and music store nothing, and `flask doctor` tries the former; the
# Record API reports in a field of its own.
_WITHOUT_CALL = frozenset({Kind.FALLBACK, Kind.MUSIC, Kind.RECORDING, Kind.VOICEMAIL})
_CALL_NAMES = ("CallUUID", "DialALegUUID", "call_uuid")


def guard() -> Response | None:
    """Read the request into `g.webhook` and return None, or return the refusal."""
    config, request = services().config, _request.itself
    if request.endpoint == f"dial.{SOUND}":
        return None
    webhook = g.webhook = read_head(request, _KINDS[request.endpoint or ""], config)
    if webhook.kind is Kind.PHLO:
        if not _phlo_may_enter(webhook, request, config):
            return xml_reply(status=403)
        read_parameters(webhook, request, config.secret_key)
    elif config.verify_signatures is SignatureMode.OFF:
        read_parameters(webhook, request, config.secret_key)
    elif not _is_signed(webhook, request, config) and config.verify_signatures is SignatureMode.ENFORCE:
        return xml_reply(status=403)
    return None


def _is_signed(webhook: Webhook, request: Request, config: Config) -> bool:
    """Verify the signature and return whether it is valid; read the parameters unless the request is refused unread."""
    is_enforced = config.verify_signatures is SignatureMode.ENFORCE
    offer = read_offer(
        method=webhook.method,
        headers=request.headers,
        tokens=config.plivo_auth_tokens,
        accept_v2=config.accept_v2,
    )
    if isinstance(offer, Verification):
        webhook.verification = offer
        _refusals().log(webhook, advise(offer), refused=is_enforced)
        if not is_enforced:
            read_parameters(webhook, request, config.secret_key)
        return False
    read_parameters(webhook, request, config.secret_key)
    verification = offer.verify(url=webhook.url, params=webhook.form, query=webhook.asked)
    fault = _fault_of(webhook) if verification.verdict is Verdict.VALID else None
    webhook.verification = offer.refuse(fault) if fault else verification
    if webhook.verification.verdict is Verdict.VALID:
        webhook.nonce = offer.nonce
        return True
    if fault:
        _refusals().log(webhook, advise(webhook.verification), refused=is_enforced)
    else:
        _explain(webhook, request, offer, refused=is_enforced)
    return False


def _explain(webhook: Webhook, request: Request, offer: Offer, *, refused: bool) -> None:
    other_urls = urls_in(request.environ, webhook)
    _refusals().explain(
        webhook,
        lambda: offer.explain(url=webhook.url, params=webhook.form, other_urls=other_urls),
        otherwise=advise(webhook.verification),
        refused=refused,
    )


def _fault_of(webhook: Webhook) -> str | None:
    """Return why a validly signed request cannot be what Plivo signed; None for nearly every one."""
    if webhook.kind not in _WITHOUT_CALL:
        call_uuid = next(filter(None, map(webhook.first.get, _CALL_NAMES)), None)
        if call_uuid is None or call_uuid[0] == "=":
            return "it names no call"
    return find_ambiguity(method=webhook.method, query=webhook.asked, form=webhook.form)


def _refusals() -> Refusals:
    found: Refusals = current_app.extensions[REFUSALS]
    return found


def _phlo_may_enter(webhook: Webhook, request: Request, config: Config) -> bool:
    """Check the bearer token that PHLO sends in place of a signature."""
    if config.phlo_token is None:
        if config.verify_signatures is SignatureMode.OFF:
            return True
        reason = "PHLO_TOKEN is not set"
    else:
        if has_token(request, config.phlo_token):
            webhook.verification = _BEARER
            return True
        reason = "the Authorization header is not 'Bearer' and PHLO_TOKEN"
    webhook.verification = Verification(verdict=Verdict.INVALID, scheme="bearer", reason=reason)
    log.warning("phlo_refused", extra={"reason": reason, "sender": webhook.sender, "request_id": webhook.request_id})
    return False
