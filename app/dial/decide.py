"""From what arrived to what the caller gets: the plan asked with the values of one request.

Nothing here looks into the store, so any process on any node decides the same, also while the store is away.
"""

from datetime import UTC, datetime

from app.dial.ticket import Ticket
from app.plan.model import Plan
from app.plan.next import Decision, Nothing, after, start
from app.records.model.ids import dial_id_time, make_dial_id
from app.voice.events import DialEnded, Event
from app.voice.outcome import Facts, Outcome, outcome_of


def decide_start(event: Event, plan: Plan) -> Decision:
    """Decide what a new call gets."""
    now = datetime.fromtimestamp(event.at / 1000, UTC)
    return start(plan, event.call, now=now)


def decide_after(event: DialEnded, ticket: Ticket | None, plan: Plan, *, caller_is_gone: bool) -> Decision:
    """Decide what follows a dial that has ended.

    Without a valid ticket the caller gets the ending of the called number's route.
    """
    if caller_is_gone:
        return Nothing()
    outcome = outcome_of_report(event)
    if event.status == "completed" and outcome is not Outcome.UNREACHABLE:
        outcome = Outcome.ANSWERED  # Whatever is odd about the report: that nobody talked is not said in it.
    route = plan.route_named(ticket.route, event.call) if ticket else plan.route_for(event.call)
    return after(
        plan,
        route,
        ticket.step if ticket else "",
        outcome,
        call=event.call,
        elapsed_seconds=event.at / 1000 - ticket.started_at if ticket else 0,
        rounds=ticket.round if ticket else 0,
    )


def outcome_of_report(event: DialEnded) -> Outcome:
    """Name the outcome by the report alone. Hangup codes of the legs, which may follow, can say it more exactly."""
    return outcome_of(
        Facts(
            reported=True,
            status=event.status,
            cause=event.cause,
            rang=event.rang,
            b_leg=event.b_leg_uuid is not None,
        )
    )


def first_dial_id(event: Event, secret: str) -> str:
    """Name the dial that the answer to a new call starts."""
    return _dial_id(event.call.call_uuid or "", "first", event.at, secret)


def next_dial_id(event: Event, ticket: Ticket | None, secret: str) -> str:
    """Name the dial that follows the ticket's, the same for the same ticket."""
    if ticket is None:
        return first_dial_id(event, secret)
    return _dial_id(event.call.call_uuid or "", ticket.dial_id, dial_id_time(ticket.dial_id) or event.at, secret)


def _dial_id(call_uuid: str, turn: str, at: int, secret: str) -> str:
    return make_dial_id(secret.encode(), call_uuid=call_uuid, turn=turn, at=at)
