"""The blueprint `reports`: pages for people."""

import json
from dataclasses import replace
from http import HTTPStatus

from flask import Blueprint, Response, abort, make_response, render_template, request, session
from werkzeug.exceptions import HTTPException

from app.context import services
from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.reading.anomalies import find_anomalies
from app.records.reading.filters import with_target_groups
from app.records.reading.queries import find_call
from app.records.reading.read_session import read_session
from app.records.reading.summaries import Summaries
from app.reports.access import login
from app.reports.access.headers import add_headers
from app.reports.api.openapi import make_document
from app.reports.api.parameters import make_cursor, read_cursor
from app.reports.api.problems import Refused, why_unavailable
from app.reports.api.records import explain
from app.reports.pages import formatting as words
from app.reports.pages.banners import Banner, find_banners
from app.reports.pages.dashboard import find_figures, find_pictures, find_recent, read_asked
from app.reports.pages.ranges import NAMED
from app.reports.pages.timeline import draw
from app.reports.tallier import wake_tallier
from app.voice.hangup_causes import by_code, by_name

bp = Blueprint("reports", __name__, template_folder="templates", static_folder="static", static_url_path="/assets")
bp.after_request(add_headers)
bp.add_url_rule("/login", view_func=login.login, methods=("GET", "POST"))
bp.add_url_rule("/logout", view_func=login.logout, methods=("POST",))

_OPEN = frozenset({"reports.login", "reports.logout", "reports.static"})
THEMES = ("auto", "light", "dark")


bp.add_app_template_filter(json.loads, "from_json")
bp.add_app_template_filter(words.readable, "readable")


@bp.before_request
def require_session() -> Response | None:
    """Let nobody see a page without a session: here the form, and after it the page that was asked for."""
    if request.endpoint in _OPEN or login.has_session():
        return None
    return login.ask_for_token(status=HTTPStatus.UNAUTHORIZED)


@bp.errorhandler(StoreUnavailable)
def store_unavailable(error: StoreUnavailable) -> Response:
    """Say that the store cannot be read."""
    answer = _page("error.html", said=f"{why_unavailable(error)} Calls are still served.")
    answer.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    answer.headers["Retry-After"] = "5"
    return answer


@bp.errorhandler(HTTPException)
def http_error(error: HTTPException) -> Response:
    """Say what is not there."""
    answer = _page("error.html", said=error.description or "")
    answer.status_code = error.code or 500
    return answer


@bp.get("/")
def dashboard() -> Response:
    """Show the figures, the pictures and the newest dials.

    A form submits empty fields and days that were not chosen too; an address to pass on has neither.
    """
    if all(value for _, value in request.args.items(multi=True)):
        return _dashboard("dashboard.html", pictures=True)
    asked = read_asked(request.args, zone=services().config.timezone, now=now())
    return make_response("", HTTPStatus.SEE_OTHER, {"Location": f"/{asked.address()}"})


@bp.get("/live")
def live() -> Response:
    """Show the part of the dashboard that changes while one looks."""
    return _dashboard("live.html", pictures=False)


@bp.get("/calls/<call_uuid>")
def call(call_uuid: str) -> Response:
    """Show everything about one call."""
    with read_session(services().store) as connection:
        found = find_call(connection, call_uuid)
    if found is None:
        abort(HTTPStatus.NOT_FOUND, "No call with this UUID is kept here.")
    dials = {each.dial.dial_id: each for each in found.dials}
    return _page(
        "call.html",
        found=found,
        dials=dials,
        timeline=draw(found, now=now()),
        explain=explain,
        cause_of=lambda code, name: by_code(code) or by_name(name),
    )


@bp.get("/docs")
def docs() -> Response:
    """Explain the API."""
    return _page("docs.html", document=make_document())


@bp.post("/theme")
def theme() -> Response:
    """Remember how the pages shall look."""
    if login.has_csrf_token() and request.form.get("theme") in THEMES:
        session["theme"] = request.form["theme"]
    following = login.own_path(request.form.get("next", "/"))
    return make_response("", HTTPStatus.SEE_OTHER, {"Location": following})


def _dashboard(template: str, *, pictures: bool) -> Response:
    config, at = services().config, now()
    asked = read_asked(request.args, zone=config.timezone, now=at)
    try:
        before = read_cursor(request.args.get("cursor"))
    except Refused:
        before = None
    with read_session(services().store) as connection:
        # Looked up once for all figures.
        asked = replace(asked, wanted=with_target_groups(connection, asked.wanted))
        recent = find_recent(connection, asked, before)
        signs = find_anomalies(connection, now=at, longest=config.dial_time_limit)
        summaries = Summaries(connection, config.timezone)
        found = find_pictures(connection, summaries, asked, config.timezone) if pictures else None
        figures = find_figures(summaries, asked, found.whole if found else None)
    wake_tallier()
    banners: list[Banner] = find_banners(config, signs, waiting=services().spool.size())
    return _page(
        template,
        asked=asked,
        ranges=NAMED,
        recent=recent,
        following=make_cursor(recent.page.before),
        is_first=before is None,
        figures=figures,
        pictures=found,
        banners=banners,
        explain=explain,
    )


def _page(template: str, **values: object) -> Response:
    config = services().config
    masked = config.mask_numbers
    return make_response(
        render_template(
            f"reports/{template}",
            **values,
            theme=session.get("theme", "auto"),
            csrf=login.csrf_token(),
            here=request.full_path.rstrip("?"),
            zone=config.timezone,
            words=words,
            number=lambda text: words.number(text, masked=masked),
            hide=lambda text: words.hide_numbers(text, masked=masked),
            clock=lambda at, **how: words.clock(at, config.timezone, **how),
            iso=lambda at: words.iso(at, config.timezone),
        )
    )
