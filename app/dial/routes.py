"""The control routes: Plivo asks, somebody is on the line, and XML steers the call.

Whatever goes wrong inside, they answer 200 and XML that keeps the caller served.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import cast

from flask import Response

from app.context import extensions
from app.dial.answers import xml_reply
from app.dial.decide import decide_after, decide_start, first_dial_id, next_dial_id, ticket_of
from app.dial.notices import notice
from app.dial.replies import APOLOGY, Replies
from app.dial.request import Arrival, at_hand
from app.dial.store_receipt import as_hangup, keep_control, translate
from app.records.model.state import Placement
from app.voice.events import DialEnded, Event
from app.voice.parsing import is_hangup

log = logging.getLogger(__name__)

REPLIES = "dialstatus-replies"

View = Callable[[Arrival], Response]


def control(otherwise: View) -> Callable[[View], Callable[[], Response]]:
    """Make a view of a function from an arrival to a reply; `otherwise` answers when that fails."""

    def decorate(view: View) -> Callable[[], Response]:
        @wraps(view)
        def safe_view() -> Response:
            arrival: Arrival = at_hand().arrival
            for attempt in (view, otherwise):
                try:
                    return attempt(arrival)
                except Exception:
                    # The caller is on the line: an error here is ours to see, never theirs to hear as silence.
                    log.exception("control_failed", extra={"kind": arrival.kind.value, "path": arrival.path})
            return xml_reply(APOLOGY)

        return safe_view

    return decorate


def apologise(_arrival: Arrival) -> Response:
    """Say that something went wrong, and hang up."""
    return xml_reply(APOLOGY)


def start_without_store(arrival: Arrival) -> Response:
    """Give a new call what the plan says, from memory alone."""
    return xml_reply(_start(arrival, translate(arrival))[0])


@control(otherwise=start_without_store)
def answer(arrival: Arrival) -> Response:
    """Give a new call what the plan says."""
    event = translate(arrival)
    document, placement = _start(arrival, event)
    return keep_control(arrival, event, document, placement)


def answer_or_hangup() -> Response:
    """Answer a call, or take the hangup notice of an application that has no hangup URL."""
    asked = at_hand()
    if is_hangup(asked.arrival.first):
        asked.arrival = as_hangup(asked.arrival)
        return notice()
    return answer()


@control(otherwise=apologise)
def action(arrival: Arrival) -> Response:
    """Keep how a dial ended and say what the caller gets next."""
    event = cast(DialEnded, translate(arrival))
    ticket = ticket_of(arrival)
    # A request about a leg that is gone carries why it ended (seen in Plivo's open source ancestor).
    secret = arrival.services.config.secret_key
    decision = decide_after(event, ticket, arrival.services.plan, caller_is_gone="HangupCause" in arrival.first)
    document, placement = replies().write(
        decision,
        base_url=arrival.base_url,
        dial_id=lambda: next_dial_id(event, ticket, secret),
        since=ticket.started_at if ticket else event.at // 1000,
    )
    return keep_control(arrival, event, document, placement)


@control(otherwise=start_without_store)
def fallback(arrival: Arrival) -> Response:
    """Answer a call whose answer URL could not be reached: the plan alone, no store is touched."""
    said = {"sender": arrival.sender, "request_id": arrival.request_id}
    if "CallUUID" in arrival.first:
        log.warning("fallback_asked", extra=said)
    else:  # Nobody's call: `flask doctor`, or another who looks whether this server answers.
        log.info("fallback_tried", extra=said)
    return start_without_store(arrival)


@control(otherwise=lambda _arrival: xml_reply(replies().confirm(None)))
def confirm(arrival: Arrival) -> Response:
    """Tell a callee which key takes the call."""
    return keep_control(arrival, translate(arrival), replies().confirm(ticket_of(arrival)))


@control(otherwise=apologise)
def voicemail(arrival: Arrival) -> Response:
    """Keep that a message was left, thank for it and hang up."""
    return keep_control(arrival, translate(arrival), replies().voicemail_taken(ticket_of(arrival)))


def replies() -> Replies:
    """Give the running application's documents."""
    written: Replies = extensions()[REPLIES]
    return written


def _start(arrival: Arrival, event: Event) -> tuple[str, Placement | None]:
    shared = arrival.services
    return replies().write(
        decide_start(event, shared.plan),
        base_url=arrival.base_url,
        dial_id=lambda: first_dial_id(event, shared.config.secret_key),
        since=event.at // 1000,
    )
