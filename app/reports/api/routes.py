"""The blueprint `api`: records as JSON and files, for programs."""

import json
from functools import lru_cache
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, current_app, request
from sqlalchemy import Connection
from werkzeug.exceptions import Forbidden, HTTPException, NotFound

from app.context import services, viewer
from app.records.model.receipt import StoreUnavailable
from app.records.reading.call_filters import CallFilters
from app.records.reading.calls import find_calls
from app.records.reading.figures import GroupBy
from app.records.reading.filters import DialFilters, TooMany
from app.records.reading.queries import find_call, find_dial, find_dials
from app.records.reading.read_session import read_session
from app.records.reading.summaries import summarise
from app.records.rollups.counting import Unit
from app.records.writing.followups import Action
from app.reports.access.headers import add_headers
from app.reports.access.permissions import OPEN, admit
from app.reports.access.sessions import session_viewer
from app.reports.access.tokens import bearer_viewer
from app.reports.access.viewers import bounded
from app.reports.api import problems
from app.reports.api.call_queries import CallsQuery, SummaryQuery
from app.reports.api.exports import (
    call_csv_lines,
    call_json_lines,
    csv_lines,
    json_lines,
    stream_calls,
    stream_dials,
)
from app.reports.api.followups import change_followup, followup, followups
from app.reports.api.models import CallsView, DialsView, View
from app.reports.api.openapi import make_document
from app.reports.api.queries import (
    DialsQuery,
    NoQuery,
    make_cursor,
    read_cursor,
    read_query,
)
from app.reports.api.views import call_view, dial_view, listed_call_view, summary_view

PREFIX = "/api/v1"

_CALLED = "https://the-url-of-this-server.invalid"  # Replaced by each reply: a sender may choose the Host.

bp = Blueprint("api", __name__)
bp.register_error_handler(HTTPException, problems.on_http_error)
bp.register_error_handler(problems.InvalidParameters, problems.on_invalid_parameters)
bp.register_error_handler(TooMany, problems.on_too_many)
bp.register_error_handler(StoreUnavailable, problems.on_store_unavailable)
bp.after_request(add_headers)


@bp.before_request
def require_token() -> Response | None:
    """Refuse a request that brings neither a token nor a session, or that its viewer may not make."""
    if request.endpoint in OPEN:
        return None
    found = bearer_viewer(request) or session_viewer()
    if found is None:
        return problems.unauthorized(request)
    if not admit(found):
        raise Forbidden("The token is right and may not do this: it is for other routes or another role.")
    return None


@bp.get(f"{PREFIX}/dials")
def dials() -> Response:
    """Return a page of dials, newest first."""
    query = read_query(DialsQuery, request.args)
    filters = bounded(query.to_filters())
    with read_session(services().store) as connection:
        page = find_dials(connection, filters, limit=query.limit, before=read_cursor(query.cursor))
        total = _total(connection, filters) if query.total else None
    found = [dial_view(dial) for dial in page.dials]
    return _json(DialsView(dials=found, next_cursor=make_cursor(page.before), total=total))


@bp.get(f"{PREFIX}/dials.csv")
def dials_csv() -> Response:
    """Stream dials as CSV."""
    return stream_dials(csv_lines, "text/csv", "dials.csv")


@bp.get(f"{PREFIX}/dials.jsonl")
def dials_jsonl() -> Response:
    """Stream dials as JSON lines."""
    return stream_dials(json_lines, "application/jsonl", "dials.jsonl")


@bp.get(f"{PREFIX}/dials/<anything:dial_id>", strict_slashes=True)
def dial(dial_id: str) -> Response:
    """Return one dial."""
    read_query(NoQuery, request.args)
    with read_session(services().store) as connection:
        found = find_dial(connection, dial_id)
        whole = find_call(connection, found.call_uuid) if found is not None else None
    if found is None or whole is None or not viewer().scope.sees(whole.call):
        raise NotFound("No dial has this id.")
    return _json(dial_view(found))


@bp.get(f"{PREFIX}/calls")
def calls() -> Response:
    """Return a page of calls, newest first."""
    query = read_query(CallsQuery, request.args)
    filters = bounded(query.to_filters())
    with read_session(services().store) as connection:
        page = find_calls(connection, filters, limit=query.limit, before=read_cursor(query.cursor))
        total = _total(connection, filters) if query.total else None
    found = [listed_call_view(call) for call in page.calls]
    return _json(CallsView(calls=found, next_cursor=make_cursor(page.before), total=total))


@bp.get(f"{PREFIX}/calls.csv")
def calls_csv() -> Response:
    """Stream calls as CSV."""
    return stream_calls(call_csv_lines, "text/csv", "calls.csv")


@bp.get(f"{PREFIX}/calls.jsonl")
def calls_jsonl() -> Response:
    """Stream calls as JSON lines."""
    return stream_calls(call_json_lines, "application/jsonl", "calls.jsonl")


@bp.get(f"{PREFIX}/calls/<anything:call_uuid>", strict_slashes=True)
def call(call_uuid: str) -> Response:
    """Return one call with its dials, legs, receipts and recordings."""
    read_query(NoQuery, request.args)
    with read_session(services().store) as connection:
        found = find_call(connection, call_uuid)
    if found is None or not viewer().scope.sees(found.call):
        raise NotFound("No call has this UUID.")
    return _json(call_view(found))


@bp.get(f"{PREFIX}/summary")
def summary() -> Response:
    """Return figures over calls or dials, as a whole and in groups."""
    query = read_query(SummaryQuery, request.args)
    zone = ZoneInfo(query.timezone) if query.timezone else services().config.timezone
    filters = bounded(query.to_dial_filters()) if query.unit is Unit.DIALS else bounded(query.to_filters())
    with read_session(services().store) as connection:
        found = summarise(connection, filters, query.group_by, zone)
    return _json(summary_view(found, unit=query.unit, group_by=query.group_by, zone=zone.key))


bp.add_url_rule(f"{PREFIX}/followups", view_func=followups)
_ONE = f"{PREFIX}/followups/<int(max={2**63 - 1}):followup_id>"
bp.add_url_rule(_ONE, view_func=followup)
for _action in Action:
    bp.add_url_rule(
        f"{_ONE}/{_action}", view_func=change_followup, methods=("POST",), defaults={"action": _action.value}
    )


@bp.get("/openapi.json")
def openapi() -> Response:
    """Return the OpenAPI document."""
    text = document_text(request.script_root or "/").replace(_CALLED, json.dumps(own_url())[1:-1])
    return current_app.response_class(text, mimetype="application/json")


@lru_cache(maxsize=8)  # Making it takes 30 ms, and everybody may ask.
def document_text(root: str) -> str:
    """Return the OpenAPI document as JSON, with `_CALLED` for the URL of this server."""
    return json.dumps(make_document(root, called=_CALLED))


def _total(connection: Connection, filters: CallFilters | DialFilters) -> int:
    return summarise(connection, filters, GroupBy.OUTCOME, services().config.timezone).whole.total


def own_url() -> str:
    """Return the URL below which this server is called, without a slash at its end."""
    return (services().config.public_url or request.url_root).rstrip("/")


def _json(view: View) -> Response:
    return current_app.response_class(view.model_dump_json(), mimetype="application/json")
