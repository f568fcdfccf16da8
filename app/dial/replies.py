"""From a decision of the plan to the document that Plivo runs.

A document is built with the plivo SDK's elements once for each step or ending and base URL. A request only puts its
ticket in, which is made of letters, digits, `-`, `_`, `=`, `%` and `&`.
"""

from collections.abc import Callable

from app.dial.callback_urls import urls
from app.dial.ticket import Ticket
from app.plan.document import confirm_document, document, voicemail_taken_document
from app.plan.model import Plan
from app.plan.next import Decision, End, Ring
from app.records.model.state import Placement
from app.voice.xml import EMPTY, Hangup, Speak, render
from config import Config

# Stand in a prepared document where a request's own queries go. No plan can hold them: they are no URL and no sentence.
_TICKET, _DIAL = "0-ticket-0", "0-dial-0"
# A hostile Host header must not fill the memory with documents.
_MOST_PREPARED = 512

APOLOGY = render(Speak(text="Sorry, something went wrong. Please call again in a moment. Goodbye."), Hangup())


class Replies:
    """Writes the documents of one plan."""

    def __init__(self, config: Config, plan: Plan) -> None:
        self._config = config
        self._plan = plan
        self._prepared: dict[tuple[object, ...], str] = {}

    def write(
        self, decision: Decision, *, base_url: str, dial_id: Callable[[], str], since: int
    ) -> tuple[str, Placement | None]:
        """Write a decision's document, and name the dial that it starts, if any.

        `dial_id` names the dial that follows, and is asked only where one does.

        `since` is when the call's first dial began, in seconds since 1970.
        """
        if isinstance(decision, Ring):
            route, step = decision.route.name, decision.step.name
            dialled = dial_id()
            ticket = Ticket(dial_id=dialled, route=route, step=step, round=decision.round, started_at=since)
            targets = tuple(target.address for target in decision.targets)
            key = ("ring", route, step, targets, decision.timeout, decision.greeting is None, base_url)
            placement = Placement(dial_id=dialled, targets=targets, route=route, step=step, round=decision.round)
            return self._fill(key, decision, base_url, lambda: ticket), placement
        if isinstance(decision, End):
            ending = decision.name
            return self._fill(
                ("end", ending, base_url),
                decision,
                base_url,
                lambda: Ticket(dial_id=dial_id(), route="", step=ending, round=0, started_at=since),
            ), None
        return EMPTY, None

    def confirm(self, ticket: Ticket | None) -> str:
        """Write what a callee hears before being put through."""
        route = self._plan.routes.get(ticket.route) if ticket else None
        step = route.steps.get(ticket.step) if ticket and route else None
        return self._once(("confirm", ticket and ticket.route, step and step.name), lambda: confirm_document(step))

    def voicemail_taken(self, ticket: Ticket | None) -> str:
        """Write what the caller hears after leaving a message."""
        ending = self._plan.ending_named(ticket.step if ticket else "")
        return voicemail_taken_document(ending)

    def _fill(
        self, key: tuple[object, ...], decision: Decision, base_url: str, make_ticket: Callable[[], Ticket]
    ) -> str:
        prepared = self._once(key, lambda: document(decision, urls(self._config, base_url, ticket=_TICKET, dial=_DIAL)))
        if _TICKET not in prepared and _DIAL not in prepared:
            return prepared  # Most endings ask us nothing again.
        ticket = make_ticket()
        query = ticket.to_query(self._config.secret_key).replace("&", "&amp;")
        return prepared.replace(_TICKET, query).replace(_DIAL, f"dial={ticket.dial_id}")

    def _once(self, key: tuple[object, ...], write: Callable[[], str]) -> str:
        prepared = self._prepared.get(key)
        if prepared is None:
            if len(self._prepared) >= _MOST_PREPARED:
                self._prepared.clear()
            prepared = self._prepared[key] = write()
        return prepared
