"""The pages `/followups` and `/messages`, which work without JavaScript: every button is a form."""

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)

from app.context import services, viewer
from app.followup.recordings import is_playable, play, play_url
from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.reading.followups import FollowupFilters, find_followup, find_followups, read_figures
from app.records.reading.messages import (
    MOST_UNHEARD,
    Message,
    MessageFilters,
    count_unheard,
    find_message,
    find_messages,
    mark_heard,
)
from app.records.reading.read_session import read_session
from app.records.reading.scope import NOTHING
from app.records.writing.followups import Action, Followup

_ROWS = 50
_CLOSED_ROWS = 10

Guard = Callable[[Blueprint], None]


def use_followups(app: Flask, guard_pages: Guard, guard_links: Guard) -> None:
    """Serve the pages behind the reports' guard, and the signed links of recordings, which need no session."""
    pages = Blueprint("followup", __name__, template_folder="templates")
    pages.add_url_rule("/followups", view_func=followups)
    pages.add_url_rule("/followups/<int:key>", view_func=change_followup, methods=("POST",))
    pages.add_url_rule("/messages", view_func=messages)
    pages.add_url_rule("/messages/<int:key>", view_func=change_message, methods=("POST",))
    pages.context_processor(lambda: {"now": now()})
    guard_pages(pages)
    app.register_blueprint(pages)
    links = Blueprint("recordings", __name__)
    links.add_url_rule("/recordings/<token>", view_func=play, endpoint="play")
    guard_links(links)
    app.register_blueprint(links)
    app.jinja_env.globals.update(unheard_messages=_unheard, is_playable=is_playable, play_url=_play_url)


def _play_url(message: Message) -> str:
    """Return the link that plays a message; a guest of a share link marks none as heard."""
    return play_url(message, listener=None if viewer().is_guest else viewer().name)


def followups() -> Response:
    """Show who waits to be called back, the longest waiting first, the figures, and who was closed lately."""
    route = request.args.get("route") or None
    beyond = request.args.get("beyond", type=int)
    with read_session(services().store) as connection:
        waiting = FollowupFilters(state=Followup.OPEN, route=route, scope=viewer().scope)
        found, following = find_followups(connection, waiting, limit=_ROWS, beyond=beyond)
        closed = [
            one
            for state in (Followup.DONE, Followup.REACHED)
            for one in find_followups(connection, replace(waiting, state=state), limit=_CLOSED_ROWS)[0]
        ]
        figures = read_figures(connection, waiting)
    closed.sort(key=lambda one: -(one.followup.closed_at or 0))
    return make_response(
        render_template(
            "followup/followups.html",
            found=found,
            following=following,
            closed=closed[:_CLOSED_ROWS],
            figures=figures,
            route=route,
        )
    )


def change_followup(key: int) -> Response:
    """Take a caller, mark them done, put them back, or keep a note; then return to the list or to the call."""
    action, note = request.form.get("action", ""), request.form.get("note")
    if action not in set(Action):
        abort(HTTPStatus.BAD_REQUEST, "This form is not complete. Open the list and try again.")
    shared = services()
    with read_session(shared.store) as connection:
        found = find_followup(connection, key)
    if found is None or not viewer().scope.sees_route(found.followup.route):
        abort(HTTPStatus.NOT_FOUND, "Nobody waits under this number any more.")
    said = None if note == request.form.get("noted", "") else note
    if shared.mark_followup(key, Action(action), actor=viewer().name, note=said) is None:
        abort(HTTPStatus.NOT_FOUND, "Nobody waits under this number any more.")
    if (call_uuid := request.args.get("call")) is not None:
        return _back_to(url_for("reports.call", call_uuid=call_uuid))
    return _back_to(url_for("followup.followups"))


def messages() -> Response:
    """Show the messages that callers left, newest first."""
    is_unheard = request.args.get("unheard") == "1"
    filters = MessageFilters(route=request.args.get("route") or None, is_unheard=is_unheard, scope=viewer().scope)
    with read_session(services().store) as connection:
        found, before = find_messages(connection, filters, limit=_ROWS, before=request.args.get("before", type=int))
    return make_response(render_template("followup/messages.html", found=found, before=before, is_unheard=is_unheard))


def change_message(key: int) -> Response:
    """Mark a message heard or unheard; then return to the list."""
    with read_session(services().store) as connection:
        message = find_message(connection, key)
    if message is None or not viewer().scope.sees(message.call):
        abort(HTTPStatus.NOT_FOUND, "There is no such message.")
    mark_heard(services().store, message, actor=viewer().name if request.form.get("action") == "heard" else None)
    return _back_to(url_for("followup.messages"))


def _back_to(url: str) -> Response:
    """Return a redirect to a page with the form's query, which holds the filters of the list of calls too."""
    query = urlencode([pair for pair in request.args.items(multi=True) if pair[0] != "call"])
    return redirect(f"{url}?{query}" if query else url, HTTPStatus.SEE_OTHER)  # type: ignore[return-value]


def _unheard() -> str:
    """Return how many messages nobody has heard, for the header: empty for 0 and while the store cannot be read."""
    scope = viewer().scope
    if scope == NOTHING:
        return ""
    try:
        with read_session(services().store) as connection:
            count = count_unheard(connection, scope)
    except StoreUnavailable:
        count = 0
    return f"{count}+" if count == MOST_UNHEARD else str(count or "")
