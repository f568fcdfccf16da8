"""Write the XML document that Plivo runs from a decision of the plan.

A document is built with the plivo SDK's elements once for each step or ending and base URL. A request only fills in its
ticket, which is made of letters, digits, `-`, `_`, `.`, `~`, `=`, `%` and `&`.
"""

from collections.abc import Callable
from pathlib import Path

from flask import Response

from app.dial.callback_urls import sounds_url, urls
from app.dial.ticket import Ticket, notice_query
from app.plan.document import confirm_document, music_document, voicemail_taken_document
from app.plan.document import document as plan_document
from app.plan.model import Plan, Step
from app.plan.next import Decision, End, Ring, Why
from app.plan.prompts import read_sound, sounds_in
from app.records.model.receipt import Reply
from app.records.model.state import Placement
from app.voice.xml import EMPTY, Hangup, Speak, plays_before_dialling, render
from config import Config

# Placeholders in a prepared document for a request's own queries. No plan holds them: they are no URL and no sentence.
_TICKET, _DIAL = "0-ticket-0", "0-dial-0"
_TURNED_AWAY = frozenset({Why.BLOCKED, Why.CLOSED})
# Bounds the memory whatever base URLs requests come with.
_MOST_PREPARED = 512

APOLOGY = render(Speak(text="Sorry, something went wrong. Please call again in a moment. Goodbye."), Hangup())


EMPTY_REPLY = Reply(EMPTY)


def xml_reply(document: str = EMPTY, *, status: int = 200) -> Response:
    """Return a response with a document that Plivo can read, whatever the status."""
    return Response(document, status=status, content_type="application/xml")


class Replies:
    """The documents of one plan, each prepared once."""

    def __init__(self, config: Config, plan: Plan) -> None:
        self._config = config
        self._plan = plan
        self._prepared: dict[tuple[object, ...], str] = {}
        self._sound_names = frozenset(sounds_in(plan))
        self._sounds: dict[str, bytes] = {}

    def write(self, decision: Decision, *, base_url: str, dial_id: Callable[[], str], since: int) -> Reply:
        """Return a decision's document, and the dial or the ending that it starts, if any.

        `dial_id` names that dial and is called only where there is one. `since` is when the call's first dial began, in
        seconds since 1970.
        """
        if isinstance(decision, Ring):
            route, step = decision.route.name, decision.step.name
            dialled = dial_id()
            ticket = Ticket(dialled, route, step, decision.round, since, decision.memory.to_text())
            targets = tuple(target.address for target in decision.targets)
            key = ("ring", route, step, targets, decision.timeout, decision.greeting is None, base_url)
            document = self._fill(key, decision, base_url, lambda: ticket)
            prompted = plays_before_dialling(document)
            placement = Placement(dialled, targets, route, step, decision.round, prompted, trials=decision.trials)
            return Reply(document, placement)
        if isinstance(decision, End):
            ending = decision.name
            document = self._fill(
                ("end", ending, decision.said, base_url),
                decision,
                base_url,
                lambda: Ticket(dial_id=dial_id(), route="", step=ending, round=0, started_at=since),
            )
            turned_away = decision.why.value if decision.why in _TURNED_AWAY else None
            placement = Placement(None, route=decision.route, turned_away=turned_away, ending=decision.ending.kind)
            return Reply(document, placement)
        return EMPTY_REPLY

    def confirm(self, ticket: Ticket | None, base_url: str = "") -> str:
        """Return what a callee hears before being put through."""
        return self._heard("confirm", confirm_document, ticket, base_url)

    def music(self, ticket: Ticket | None, base_url: str) -> str:
        """Return what the caller hears while a step rings."""
        return self._heard("music", music_document, ticket, base_url)

    def sound(self, name: str) -> bytes | None:
        """Return an audio file of the plan, as it was when first asked for; None for any other name."""
        if name in self._sound_names and name not in self._sounds:
            self._sounds[name] = read_sound((self._plan.folder or Path()) / name)
        return self._sounds.get(name)

    def _heard(self, what: str, write: Callable[[Step | None, str], str], ticket: Ticket | None, base_url: str) -> str:
        step = self._step(ticket)
        key = (what, ticket and ticket.route, step and step.name, base_url)
        return self._once(key, lambda: write(step, sounds_url(base_url)))

    def _step(self, ticket: Ticket | None) -> Step | None:
        route = self._plan.routes.get(ticket.route) if ticket else None
        return route.steps.get(ticket.step) if ticket and route else None

    def voicemail_taken(self, ticket: Ticket | None, base_url: str) -> str:
        """Return what the caller hears after leaving a message."""
        ending = self._plan.ending_named(ticket.step if ticket else "")
        return voicemail_taken_document(ending, sounds_url(base_url))

    def _fill(
        self, key: tuple[object, ...], decision: Decision, base_url: str, make_ticket: Callable[[], Ticket]
    ) -> str:
        prepared = self._once(
            key, lambda: plan_document(decision, urls(self._config, base_url, ticket=_TICKET, dial=_DIAL))
        )
        if _TICKET not in prepared and _DIAL not in prepared:
            return prepared  # Most endings have no URL of ours.
        ticket, secret = make_ticket(), self._config.secret_key
        for placeholder, query in (
            (_TICKET, ticket.to_query(secret)),
            (_DIAL, notice_query(ticket.dial_id, secret)),
        ):
            prepared = prepared.replace(placeholder, query.replace("&", "&amp;"))
        return prepared

    def _once(self, key: tuple[object, ...], write: Callable[[], str]) -> str:
        prepared = self._prepared.get(key)
        if prepared is None:
            if len(self._prepared) >= _MOST_PREPARED:
                self._prepared.clear()
            prepared = self._prepared[key] = write()
        return prepared
