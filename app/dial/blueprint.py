"""The blueprint `dial`: every route that Plivo calls, and the guard before them."""

from collections.abc import Callable

from flask import Blueprint, Response
from flask.blueprints import BlueprintSetupState

from app.context import EXTENSION, Services
from app.dial import routes
from app.dial.callback_urls import PREFIX
from app.dial.deferred_response import count_reply
from app.dial.guard import REFUSALS, SOUND, guard
from app.dial.refusals import Refusals
from app.dial.replies import Replies
from app.voice.events import Kind

bp = Blueprint("dial", __name__, url_prefix=PREFIX)
bp.before_request(guard)
bp.after_request(count_reply)

_ROUTES: tuple[tuple[str, Kind, Callable[[], Response]], ...] = (
    ("/", Kind.ANSWER, routes.answer_or_hangup),
    ("/action/", Kind.ACTION, routes.action),
    ("/fallback/", Kind.FALLBACK, routes.fallback_or_hangup),
    ("/confirm/", Kind.CONFIRM, routes.confirm),
    ("/music/", Kind.MUSIC, routes.music),
    ("/voicemail/", Kind.VOICEMAIL, routes.voicemail),
    ("/callback/", Kind.CALLBACK, routes.notice),
    ("/ring/", Kind.RING, routes.notice),
    ("/hangup/", Kind.HANGUP, routes.notice),
    ("/recording/", Kind.RECORDING, routes.notice),
    ("/phlo/", Kind.PHLO, routes.phlo),
)


@bp.record
def _prepare(state: BlueprintSetupState) -> None:
    shared: Services = state.app.extensions[EXTENSION]
    state.app.extensions[routes.REPLIES] = Replies(shared.config, shared.plan)
    state.app.extensions[REFUSALS] = Refusals()


for _path in ("/music/<name>", "/music/<name>/"):
    bp.add_url_rule(
        _path, endpoint=SOUND, view_func=routes.sound, methods=("GET", "POST"), provide_automatic_options=False
    )

_PHLO_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

for _path, _kind, _view in _ROUTES:
    # Plivo may be given the URL without its last slash. A redirect may lose the POST, and where Werkzeug adds the slash
    # itself, a wrong method gets 404 instead of 405.
    for _spelling in (_path, _path.rstrip("/")):
        bp.add_url_rule(
            _spelling,
            endpoint=_kind.value,
            view_func=_view,
            methods=_PHLO_METHODS if _kind is Kind.PHLO else ("GET", "POST"),
            provide_automatic_options=False,
        )
