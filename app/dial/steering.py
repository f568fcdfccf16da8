"""What steers a call: the decision of the plan for one request, written as the document that Plivo gets."""

import logging
from collections.abc import Callable, Mapping
from functools import partial

from app.context import Services
from app.dial.decide import decide_after, decide_start, first_dial_id, next_dial_id
from app.dial.replies import Replies
from app.dial.request import Webhook
from app.dial.snapshot import note_turn, trials_of, without_trials
from app.plan.callers import is_outgoing
from app.plan.contacts import contact_of
from app.plan.order import Memory
from app.plan.snapshot import Snapshot
from app.records.model.receipt import Reply
from app.voice.events import DialEnded, Event
from app.voice.outcome import Outcome

log = logging.getLogger(__name__)

_NO_LEGS: Mapping[str, str] = {}


def reply_to_start(webhook: Webhook, event: Event, shared: Services, snapshot: Snapshot, documents: Replies) -> Reply:
    """Return what a new call gets: the decision of the plan, written as a document."""
    decision = decide_start(event, shared.plan, snapshot)
    note_turn(decision, shared.live, is_later=False)
    reply = documents.write(
        decision,
        base_url=webhook.base_url,
        dial_id=lambda: first_dial_id(event, shared.config.secret_key),
        since=event.at // 1000,
    )
    name = contact_of(snapshot.contacts, event.call.from_number).name
    if name is not None and reply.placement is not None and not is_outgoing(event.call):
        reply = reply._replace(placement=reply.placement._replace(contact_name=name))
    if not trials_of(decision):
        return reply
    without = without_trials(snapshot, trials_of(decision))
    return reply._replace(otherwise=partial(reply_to_start, webhook, event, shared, without, documents))


def reply_after(
    webhook: Webhook,
    event: DialEnded,
    shared: Services,
    snapshot: Snapshot,
    documents: Replies,
    outcome: Outcome,
    *,
    call_has_ended: bool = False,
    legs: Mapping[str, str] = _NO_LEGS,
) -> Reply:
    """Return what the caller gets after a dial that ended so; `legs` are the outcomes known of single targets."""
    ticket = webhook.ticket
    # A request about a leg that is gone carries why it ended (seen in Plivo's open source ancestor).
    caller_is_gone = call_has_ended or "HangupCause" in webhook.first
    decision = decide_after(event, outcome, ticket, shared.plan, snapshot, caller_is_gone=caller_is_gone, legs=legs)
    note_turn(decision, shared.live, is_later=ticket is not None and bool(Memory.from_text(ticket.turn).left))
    reply = documents.write(
        decision,
        base_url=webhook.base_url,
        dial_id=lambda: next_dial_id(event, ticket, shared.config.secret_key),
        since=ticket.started_at if ticket else event.at // 1000,
    )
    if not trials_of(decision):
        return reply
    again = partial(
        reply_after, webhook, event, shared, without_trials(snapshot, trials_of(decision)), documents, outcome
    )
    return reply._replace(otherwise=partial(again, call_has_ended=call_has_ended, legs=legs))


def reply_again(
    go_on: Callable[..., Reply],
    reported: Outcome,
    webhook: Webhook,
    outcome: str,
    *,
    call_has_ended: bool,
    legs: Mapping[str, str],
) -> Reply | None:
    """Return the reply for the record's outcome; None where the report alone says the same. Runs in the journal."""
    remembers = webhook.ticket is not None and bool(webhook.ticket.turn)
    if outcome == reported and not call_has_ended and not (legs and remembers):
        return None
    try:
        return go_on(Outcome(outcome), call_has_ended=call_has_ended, legs=legs)
    except Exception:
        log.exception("decide_again_failed")  # The reply by the report alone still serves the caller.
        return None
