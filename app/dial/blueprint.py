"""The blueprint `dial`: every route that Plivo calls, the guard before them, XML for every error."""

from collections.abc import Callable

from flask import Blueprint, Response
from flask.blueprints import BlueprintSetupState

from app.context import EXTENSION, Services
from app.dial import notices, routes
from app.dial.callback_urls import PREFIX
from app.dial.deferred_response import count_reply
from app.dial.guard import guard
from app.dial.replies import Replies
from app.voice.events import Kind

bp = Blueprint("dial", __name__, url_prefix=PREFIX)
bp.before_request(guard)
bp.after_request(count_reply)

# Control routes steer the call of somebody on the line; notice routes take a report.
_ROUTES: tuple[tuple[str, Kind, Callable[[], Response]], ...] = (
    ("/", Kind.ANSWER, routes.answer_or_hangup),
    ("/action/", Kind.ACTION, routes.action),
    ("/fallback/", Kind.FALLBACK, routes.fallback),
    ("/confirm/", Kind.CONFIRM, routes.confirm),
    ("/voicemail/", Kind.VOICEMAIL, routes.voicemail),
    ("/callback/", Kind.CALLBACK, notices.notice),
    ("/ring/", Kind.RING, notices.notice),
    ("/hangup/", Kind.HANGUP, notices.notice),
    ("/recording/", Kind.RECORDING, notices.notice),
    ("/phlo/", Kind.PHLO, notices.phlo),
)


@bp.record
def _prepare_replies(state: BlueprintSetupState) -> None:
    shared: Services = state.app.extensions[EXTENSION]
    state.app.extensions[routes.REPLIES] = Replies(shared.config, shared.plan)


_PHLO_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

for _path, _kind, _view in _ROUTES:
    # Plivo may be given the URL without its last slash. A redirect may lose the POST, and Werkzeug, which adds the
    # slash by itself, would not tell a wrong method from a wrong path.
    for _spelling in (_path, _path.rstrip("/")):
        bp.add_url_rule(
            _spelling,
            endpoint=_kind.value,
            view_func=_view,
            methods=_PHLO_METHODS if _kind is Kind.PHLO else ("GET", "POST"),
            provide_automatic_options=False,
        )
