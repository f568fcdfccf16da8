"""The blueprint `reports`: pages for people."""

import json
from dataclasses import replace
from http import HTTPStatus

from flask import Blueprint, Response, abort, make_response, render_template, request, session
from werkzeug.exceptions import HTTPException

from app.context import is_admin, services, viewer
from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.reading.calls import MOST_SORTED, message_of
from app.records.reading.followups import FollowupFilters, followup_of, read_figures
from app.records.reading.messages import find_message, messages_of
from app.records.reading.queries import find_call
from app.records.reading.read_session import read_session
from app.records.reading.summaries import Summaries
from app.reports.access.headers import add_headers
from app.reports.access.login import ask_for_token, login, logout, open_share, redirect_to
from app.reports.access.permissions import OPEN, admit, may_open
from app.reports.access.sessions import has_csrf_token, session_viewer
from app.reports.api.exports import iter_calls, people_lines, separator_for, stream_file
from app.reports.api.openapi import make_document, problems_of
from app.reports.api.problems import InvalidParameters, why_unavailable
from app.reports.api.queries import make_cursor, read_cursor
from app.reports.api.routes import own_url
from app.reports.errors import error_page, message_page
from app.reports.pages import formatting, glossary
from app.reports.pages.banners import current_banners
from app.reports.pages.dashboard import find_figures, find_list
from app.reports.pages.events import events_page
from app.reports.pages.first_run import is_from_this_machine, is_unused, start_test_call, welcome
from app.reports.pages.layout import (
    THEMES,
    hide_numbers,
    page_context,
    page_query,
    remember_zone,
    show_number,
    viewer_zone,
)
from app.reports.pages.query import FILTERS, SORTS, DashboardQuery
from app.reports.pages.ranges import COMPARISONS, RANGES
from app.reports.pages.resend import curl_command, replay_receipt
from app.reports.pages.story import describe_call, targets_of
from app.reports.pages.switch import phone_states, route_states, switch, switch_phone
from app.reports.pages.timeline import draw_timeline
from app.voice.explanation import explain
from app.voice.numbers import mask

bp = Blueprint("reports", __name__, template_folder="templates", static_folder="static", static_url_path="/assets")
bp.after_request(add_headers)
bp.app_context_processor(page_context)
bp.register_error_handler(HTTPException, error_page)
bp.add_url_rule("/login", view_func=login, methods=("GET", "POST"))
bp.add_url_rule("/switch", view_func=switch, methods=("POST",))
bp.add_url_rule("/switch/phone", view_func=switch_phone, methods=("POST",))
bp.add_url_rule("/logout", view_func=logout, methods=("POST",))
bp.add_url_rule("/share/<share>", view_func=open_share)
bp.add_url_rule("/welcome", view_func=welcome)
bp.add_url_rule("/test-call", view_func=start_test_call, methods=("POST",))
bp.add_url_rule("/receipts/<int:receipt_key>/replay", view_func=replay_receipt, methods=("POST",))
bp.add_url_rule("/events", view_func=events_page)
bp.add_app_template_global(route_states)
bp.add_app_template_global(phone_states)
bp.add_app_template_filter(json.loads, "from_json")
bp.add_app_template_filter(lambda value: json.dumps(value, indent=2, ensure_ascii=False), "pretty_json")
bp.add_app_template_filter(formatting.readable, "readable")


@bp.before_request
def refuse_other_sites() -> None:
    """Refuse a form that a page of another site sent; browsers say so, and cookies do not protect the login."""
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        abort(HTTPStatus.FORBIDDEN, "This form was sent from another site. Open the page here and try again.")


@bp.before_request
def require_session() -> Response | None:
    """Without a session, return the login form, which leads on to the page that was asked for."""
    if request.endpoint in OPEN:
        return None
    found = session_viewer()
    if found is None:
        return ask_for_token(status=HTTPStatus.UNAUTHORIZED)
    if not admit(found):
        abort(HTTPStatus.FORBIDDEN, "This page is for others. Ask the owner of this server for a token that opens it.")
    return None


@bp.before_request
def require_csrf_token() -> None:
    """Refuse a form that no page of this session made. The form of the login has no session yet."""
    if request.method == "POST" and request.endpoint not in OPEN and not has_csrf_token():
        abort(HTTPStatus.BAD_REQUEST, "This form has expired. Go back to the page and try again.")


@bp.errorhandler(StoreUnavailable)
def store_unavailable(error: StoreUnavailable) -> Response:
    """Return the error page that says why the store cannot be read."""
    response = message_page(
        why_unavailable(error), status=HTTPStatus.SERVICE_UNAVAILABLE, advice="Calls are still answered."
    )
    response.headers["Retry-After"] = "5"
    return response


@bp.errorhandler(InvalidParameters)
def invalid_parameters(error: InvalidParameters) -> Response:
    """Return the error page that names what is wrong in the address."""
    reasons = "; ".join(f"{name}: {reason}" for name, reason in error.errors.items())
    return message_page(reasons, status=HTTPStatus.BAD_REQUEST, advice="Correct the address.")


@bp.get("/")
def dashboard() -> Response:
    """Show the figures, the calls and the charts.

    A submitted form holds empty fields and days that were not chosen; it is redirected to an address without them.
    """
    if not request.args and is_admin() and is_unused():
        return welcome()
    query = page_query()
    if not all(value for _, value in request.args.items(multi=True)):
        return remember_zone(redirect_to(f"/{query.address()}"))
    zone = viewer_zone()
    query, before = _with_cursor(query)
    with read_session(services().store) as connection:
        summaries = Summaries(connection, zone)
        found = find_list(connection, summaries, query, before)
        banners = current_banners(connection) if is_admin() else []
        figures = find_figures(connection, summaries, query, zone)
        messages = messages_of(connection, [one.call.call_key for one in found.calls if one.message is not None])
        followups = None if viewer().is_guest else read_figures(connection, FollowupFilters(scope=viewer().scope))
    page = _page(
        "dashboard.html",
        query=query,
        found=found,
        messages=messages,
        **figures,
        ranges=RANGES,
        comparisons=COMPARISONS,
        filters=FILTERS,
        sorts=SORTS,
        clear=query.address(**dict.fromkeys(FILTERS, "")),
        older=make_cursor(found.before),
        is_first=before is None,
        is_live=before is None and (query.range.is_current or query.is_search),
        banners=banners,
        followups=followups,
        targets_of=targets_of,
        most_sorted=MOST_SORTED,
    )
    return remember_zone(page)


def _with_cursor(query: DashboardQuery) -> tuple[DashboardQuery, int | None]:
    """Return the query and the key before which its page begins; one that cannot be read is a problem of the query."""
    try:
        return query, read_cursor(request.args.get("cursor"))
    except InvalidParameters:
        problem = {"cursor": "follow a link of the list; the newest calls are shown"}
        return replace(query, problems={**query.problems, **problem}), None


@bp.get("/calls.csv")
def calls_csv() -> Response:
    """Stream the calls of the dashboard's address as CSV for spreadsheets; numbers are masked as on the pages."""
    config, zone = services().config, viewer_zone()
    separator = separator_for(request.accept_languages.values())
    return stream_file(
        lambda batches: people_lines(
            batches, zone, lambda text: (mask(text) or "") if config.mask_numbers else text, separator=separator
        ),
        iter_calls(services().store, page_query().filters),
        "text/csv",
        "calls.csv",
    )


@bp.get("/calls/<anything:call_uuid>", strict_slashes=True)
def call(call_uuid: str) -> Response:
    """Show everything about one call."""
    with read_session(services().store) as connection:
        found = find_call(connection, call_uuid)
        if found is None or not viewer().scope.sees(found.call):
            abort(HTTPStatus.NOT_FOUND, "There is no call with this UUID.")
        followup = followup_of(connection, found.call.call_key)
        player = find_message(connection, found.call.call_key)
    config, message, at = services().config, message_of(found.call, found.recordings), now()
    story = describe_call(found.call, [each.dial for each in found.dials], message, show_number=show_number, now=at)
    server = (config.public_url or request.url_root).rstrip("/")
    return _page(
        "call.html",
        found=found,
        story=story,
        message=message,
        player=player,
        followup=followup,
        timeline=draw_timeline(found, now=at),
        may_replay=is_from_this_machine() and may_open(viewer(), "reports.replay_receipt"),
        curl=lambda receipt: curl_command(receipt, server, hide_numbers),
        explain=explain,
    )


@bp.get("/docs")
def docs() -> Response:
    """Show the API's documentation."""
    document = make_document(called=own_url())
    return _page("docs.html", document=document, errors=problems_of(document))


@bp.get("/docs/glossary")
def show_glossary() -> Response:
    """Show what our words and Plivo's mean."""
    return _page(
        "glossary.html",
        outcomes=glossary.outcomes(),
        statuses=glossary.statuses(),
        codes=glossary.codes(),
        causes=glossary.causes(),
    )


@bp.post("/theme")
def theme() -> Response:
    """Remember the colours in the session."""
    if request.form.get("theme") in THEMES:
        session["theme"] = request.form["theme"]
    return redirect_to(request.form.get("next", "/"))


def _page(template: str, **values: object) -> Response:
    return make_response(render_template(f"reports/{template}", **values))
