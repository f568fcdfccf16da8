"""The blueprint `api`: records as JSON, for programs."""

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Never
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException, NotFound

from app.context import has_token, services
from app.records.model.receipt import StoreUnavailable
from app.records.reading.filters import TooMany
from app.records.reading.queries import FoundDial, find_call, find_dial, find_dials
from app.records.reading.read_session import read_session
from app.records.reading.summaries import summarise
from app.reports.access.headers import add_headers
from app.reports.access.login import has_session
from app.reports.api import problems, schemas
from app.reports.api.exports import all_dials, csv_lines, json_lines
from app.reports.api.openapi import make_document
from app.reports.api.parameters import make_cursor, read_cursor, read_query, wanted_of
from app.reports.api.records import call_answer, dial_answer, summary_answer
from app.reports.api.schemas import DialsQuery, SummaryQuery
from app.reports.tallier import wake_tallier

PREFIX = "/api/v1"

bp = Blueprint("api", __name__)
bp.register_error_handler(HTTPException, problems.on_http_error)
bp.register_error_handler(problems.Refused, problems.on_refused)
bp.register_error_handler(TooMany, problems.on_too_many)
bp.register_error_handler(StoreUnavailable, problems.on_store_unavailable)
bp.after_request(add_headers)


@bp.before_request
def require_token() -> Response | None:
    """Let nobody read without the token."""
    if has_token(request, services().config.reports_token) or has_session():
        return None
    return problems.problem(401, "Send the header Authorization: Bearer and the value of REPORTS_TOKEN.")


@bp.get(f"{PREFIX}/dials")
def dials() -> Response:
    """List dials, newest first."""
    query = read_query(DialsQuery, request.args)
    with read_session(services().store) as connection:
        page = find_dials(connection, wanted_of(query), limit=query.limit, before=read_cursor(query.cursor))
    found = [dial_answer(dial) for dial in page.dials]
    return _json(schemas.Dials(dials=found, next_cursor=make_cursor(page.before)))


@bp.get(f"{PREFIX}/dials.csv")
def dials_csv() -> Response:
    """Stream dials as CSV."""
    return _file(csv_lines, "text/csv", "dials.csv")


@bp.get(f"{PREFIX}/dials.jsonl")
def dials_jsonl() -> Response:
    """Stream dials as JSON lines."""
    return _file(json_lines, "application/jsonl", "dials.jsonl")


@bp.get(f"{PREFIX}/dials/<dial_id>")
def dial(dial_id: str) -> Response:
    """Show one dial."""
    read_query(schemas.Nothing, request.args)
    with read_session(services().store) as connection:
        found = find_dial(connection, dial_id)
    if found is None:
        raise NotFound("No dial has this id.")
    return _json(dial_answer(found))


@bp.get(f"{PREFIX}/calls/<call_uuid>")
def call(call_uuid: str) -> Response:
    """Show one call whole."""
    read_query(schemas.Nothing, request.args)
    with read_session(services().store) as connection:
        found = find_call(connection, call_uuid)
    if found is None:
        raise NotFound("No call has this UUID.")
    return _json(call_answer(found))


@bp.get(f"{PREFIX}/summary")
def summary() -> Response:
    """Count dials."""
    query = read_query(SummaryQuery, request.args)
    zone = ZoneInfo(query.timezone) if query.timezone else services().config.timezone
    with read_session(services().store) as connection:
        found = summarise(connection, wanted := wanted_of(query), query.group_by, zone)
    wake_tallier()
    return _json(summary_answer(found, wanted, group_by=query.group_by, zone=zone.key))


@bp.get("/openapi.json")
def openapi() -> Response:
    """Describe the API for programs."""
    return current_app.response_class(json.dumps(make_document()), mimetype="application/json")


@bp.get("/api/<path:_rest>")
def nothing(_rest: str) -> Never:
    """Answer what is not there, as a problem too."""
    raise NotFound("There is nothing here; /openapi.json says what there is.")


def _file(write: Callable[[Iterator[list[FoundDial]]], Iterator[str]], mimetype: str, name: str) -> Response:
    wanted, store = wanted_of(read_query(schemas.Filters, request.args)), services().store
    batches = all_dials(store, wanted)
    first = next(batches)  # What is wrong with the question is found before the answer begins.
    response = current_app.response_class(write(chain([first], batches)), mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _json(answer: schemas.Answer) -> Response:
    return current_app.response_class(answer.model_dump_json(), mimetype="application/json")
