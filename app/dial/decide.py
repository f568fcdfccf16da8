"""From a request to what the caller gets next: apply the plan to the values of one request.

Nothing here reads the store: what the plan may know of it is in the snapshot, and a decision is made while the store is
away too. Where the journal knows more than the report, a leg's hangup code above all, it decides again with the
record's outcome and the same snapshot.
"""

from collections.abc import Mapping

from app.dial.ticket import Ticket
from app.plan.model import Plan
from app.plan.next import Decision, Nothing, after, start
from app.plan.order import Memory
from app.plan.snapshot import Snapshot
from app.records.model.ids import dial_id_time, make_dial_id
from app.voice.events import DialEnded, Event
from app.voice.outcome import Outcome

_UNKNOWN: Mapping[str, str] = {}


def decide_start(event: Event, plan: Plan, snapshot: Snapshot) -> Decision:
    """Return what a new call gets."""
    return start(plan, event.call, snapshot)


def decide_after(
    event: DialEnded,
    outcome: Outcome,
    ticket: Ticket | None,
    plan: Plan,
    snapshot: Snapshot,
    *,
    caller_is_gone: bool,
    legs: Mapping[str, str] = _UNKNOWN,
) -> Decision:
    """Return what follows a dial that has ended with this outcome; `legs` has the known outcomes of single targets.

    Without a valid ticket the caller gets the ending of the called number's route.
    """
    if caller_is_gone:
        return Nothing()
    memory = Memory.from_text(ticket.turn if ticket else "")
    memory = (
        memory.after_dial(outcome, {target: Outcome(found) for target, found in legs.items()})
        if any(memory)
        else memory
    )
    decision = _after(event, outcome, ticket, plan, snapshot, memory)
    if isinstance(decision, Nothing) and outcome is Outcome.CALLER_GAVE_UP and _may_wait(event):
        return _after(event, Outcome.UNKNOWN, ticket, plan, snapshot, memory)
    return decision


def _may_wait(event: DialEnded) -> bool:
    """Return whether the caller may still be on the line although the report reads as if they had left.

    Plivo explains `cancel` in two ways: the caller hung up, or the callee declined. If the caller has left, a document
    costs nothing; if not, silence costs the call. Only the cause ORIGINATOR_CANCEL leaves no doubt.
    """
    return event.cause != "ORIGINATOR_CANCEL" or event.status == "completed"


def _after(
    event: DialEnded, outcome: Outcome, ticket: Ticket | None, plan: Plan, snapshot: Snapshot, memory: Memory
) -> Decision:
    known = snapshot.contacts
    route = plan.route_named(ticket.route, event.call, known) if ticket else plan.route_for(event.call, known)
    return after(
        plan,
        route,
        ticket.step if ticket else "",
        outcome,
        snapshot,
        call=event.call,
        elapsed_seconds=event.at / 1000 - ticket.started_at if ticket else 0,
        rounds=ticket.round if ticket else 0,
        memory=memory,
    )


def first_dial_id(event: Event, secret: str) -> str:
    """Return the id of the dial that the answer to a new call starts."""
    return _dial_id(event.call.call_uuid or "", "first", event.at, secret)


def next_dial_id(event: Event, ticket: Ticket | None, secret: str) -> str:
    """Return the id of the dial that follows the ticket's, the same for the same ticket."""
    if ticket is None:
        return first_dial_id(event, secret)
    return _dial_id(event.call.call_uuid or "", ticket.dial_id, dial_id_time(ticket.dial_id) or event.at, secret)


def _dial_id(call_uuid: str, turn: str, at: int, secret: str) -> str:
    return make_dial_id(secret.encode(), call_uuid=call_uuid, turn=turn, at=at)
