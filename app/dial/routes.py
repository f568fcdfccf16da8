"""The views of Plivo's routes.

Control routes steer the call of somebody on the line: whatever goes wrong inside, they reply 200 with XML that keeps
the caller served. Notice routes take a report: where it cannot be stored they reply 503, so that Plivo sends it again.
"""

import logging
from collections.abc import Callable
from functools import partial, wraps
from typing import cast

from flask import Response, current_app, json, request

from app.context import Services, services
from app.dial.replies import APOLOGY, Replies, xml_reply
from app.dial.request import Webhook, current_webhook
from app.dial.snapshot import snapshot_of
from app.dial.steering import reply_after, reply_again, reply_to_start
from app.dial.store_receipt import WriteReply, make_receipt, store, store_notice, translate
from app.records.model.receipt import Reply, StoredReceipt
from app.voice.events import DialEnded, Kind
from app.voice.outcome import facts_of_report, outcome_of

log = logging.getLogger(__name__)

REPLIES = "dialstatus-replies"

View = Callable[[Webhook, Services], Response]


def control(otherwise: View) -> Callable[[View], Callable[[], Response]]:
    """Make a view of a function from a webhook to a reply; `otherwise` replies when that fails."""

    def decorate(view: View) -> Callable[[], Response]:
        @wraps(view)
        def safe_view() -> Response:
            webhook = current_webhook()
            if webhook.method == "HEAD":
                return xml_reply()  # Asks whether we are here: there is nothing to decide or store.
            shared = services()
            for attempt in (view, otherwise):
                try:
                    return attempt(webhook, shared)
                except Exception:
                    # The caller is on the line: an error is for us to see, never for them to hear as silence.
                    log.exception("control_failed", extra={"kind": webhook.kind.value, "path": webhook.path})
            return xml_reply(APOLOGY)

        return safe_view

    return decorate


def apologise(_webhook: Webhook, _shared: Services) -> Response:
    """Return an apology, after which the call ends."""
    return xml_reply(APOLOGY)


def start_without_store(webhook: Webhook, shared: Services) -> Response:
    """Reply to a new call with what the plan says, from memory alone."""
    event = translate(webhook, shared.config.plivo_timezone)
    return xml_reply(reply_to_start(webhook, event, shared, snapshot_of(event, shared), replies()).document)


@control(otherwise=start_without_store)
def answer(webhook: Webhook, shared: Services) -> Response:
    """Reply to a new call with what the plan says."""
    event = translate(webhook, shared.config.plivo_timezone)
    reply = reply_to_start(webhook, event, shared, snapshot_of(event, shared), replies())
    stored = store(shared, webhook, make_receipt(webhook, event, reply))
    return stored.reply


def answer_or_hangup() -> Response:
    """Answer a call, or store the hangup notice of an application that has no hangup URL."""
    return notice() if current_webhook().kind is Kind.HANGUP else answer()


@control(otherwise=apologise)
def action(webhook: Webhook, shared: Services) -> Response:
    """Store how a dial ended and reply with what the caller gets next."""
    event = cast(DialEnded, translate(webhook, shared.config.plivo_timezone))
    outcome = outcome_of(facts_of_report(event))
    go_on = partial(reply_after, webhook, event, shared, snapshot_of(event, shared), replies())
    receipt = make_receipt(webhook, event, go_on(outcome), partial(reply_again, go_on, outcome, webhook))
    stored = store(shared, webhook, receipt)
    return stored.reply


def fallback_or_hangup() -> Response:
    """Answer a call whose answer URL could not be reached, or store the hangup notice that came here in its place."""
    return notice() if current_webhook().kind is Kind.HANGUP else fallback()


@control(otherwise=start_without_store)
def fallback(webhook: Webhook, shared: Services) -> Response:
    """Answer a call whose answer URL could not be reached: from the plan alone, without the store."""
    fields = {"sender": webhook.sender, "request_id": webhook.request_id}
    if "CallUUID" in webhook.first:
        log.warning("fallback_asked", extra=fields)
    else:  # No call: `flask doctor` or a monitor tests whether this server answers.
        log.info("fallback_tried", extra=fields)
    return start_without_store(webhook, shared)


@control(otherwise=lambda _webhook, _shared: xml_reply(replies().confirm(None)))
def confirm(webhook: Webhook, shared: Services) -> Response:
    """Reply with what tells a callee which key takes the call."""
    reply = Reply(replies().confirm(webhook.ticket, webhook.base_url))
    event = translate(webhook, shared.config.plivo_timezone)
    stored = store(shared, webhook, make_receipt(webhook, event, reply))
    return stored.reply


@control(otherwise=lambda _webhook, _shared: xml_reply())
def music(webhook: Webhook, _shared: Services) -> Response:
    """Reply with what the caller hears while a step rings. Nothing is stored: the request says nothing new."""
    return xml_reply(replies().music(webhook.ticket, webhook.base_url))


def sound(name: str) -> Response:
    """Reply with an audio file of the plan. Plivo fetches it unsigned, and callers hear it anyway."""
    try:
        content = replies().sound(name)
    except ValueError as error:
        log.error("sound_unreadable", extra={"error": str(error)})  # noqa: TRY400 - The sentence says it all.
        content = None
    if content is None:
        return xml_reply(status=404)
    is_wav = name.lower().endswith(".wav")
    response = Response(content, content_type="audio/x-wav" if is_wav else "audio/mpeg")
    response.make_conditional(request.environ, accept_ranges=True, complete_length=len(content))
    return response


@control(otherwise=apologise)
def voicemail(webhook: Webhook, shared: Services) -> Response:
    """Store that a message was left and reply with thanks, after which the call ends."""
    reply = Reply(replies().voicemail_taken(webhook.ticket, webhook.base_url))
    event = translate(webhook, shared.config.plivo_timezone)
    stored = store(shared, webhook, make_receipt(webhook, event, reply))
    return stored.reply


def notice() -> Response:
    """Store what Plivo reports; the reply is the empty response."""
    webhook = current_webhook()
    if webhook.method == "HEAD":
        return xml_reply()
    return _store_notice(webhook, lambda _response, _kept: None)


def phlo() -> Response:
    """Store what a PHLO reports about its Call Forward; the reply is JSON."""
    webhook = current_webhook()
    if webhook.method == "HEAD":
        return Response(_recorded(None), content_type="application/json")
    return _store_notice(webhook, _write_recorded)


def _store_notice(webhook: Webhook, write_reply: WriteReply) -> Response:
    shared = services()
    event = translate(webhook, shared.config.plivo_timezone)
    stored = store_notice(shared, webhook, make_receipt(webhook, event), write_reply)
    return stored.reply


def replies() -> Replies:
    """Return the running application's documents."""
    written: Replies = current_app.extensions[REPLIES]
    return written


def _write_recorded(response: Response, kept: StoredReceipt | None) -> None:
    response.content_type = "application/json"
    response.set_data(_recorded(kept))


def _recorded(kept: StoredReceipt | None) -> str:
    return json.dumps({"recorded": kept is not None, "dial_id": kept.dial.dial_id if kept and kept.dial else None})
