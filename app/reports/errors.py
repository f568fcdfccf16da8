"""Errors as replies: a designed page for people, a problem document for programs."""

from contextlib import suppress
from http import HTTPStatus

from flask import Response, make_response, render_template, request
from werkzeug.exceptions import BadHost, HTTPException

from app.context import NOBODY
from app.records.model.receipt import StoreUnavailable
from app.reports.access.headers import add_headers
from app.reports.access.permissions import admit
from app.reports.access.sessions import session_viewer
from app.reports.api import problems

# By status: what happened, and what to do. A description of the error's own takes the place of the first.
_WORDS = {
    HTTPStatus.NOT_FOUND: ("There is no page at this address.", "Check the address, or start from the list of calls."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("This address does not take {method} requests.", "Start from the list of calls."),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "Something went wrong on our side.",
        "Calls are still answered. Try again; if it stays, look for request_failed with this request's id in the log.",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: ("The reports cannot be read at the moment.", "Try again in a few seconds."),
}
_DEFAULT = ("This request cannot be answered.", "Go back and try again.")
_KEPT = ("Allow", "Retry-After")


def error_reply(error: HTTPException) -> Response:
    """Return the reply to an error that no blueprint handled: a problem document below /api, else a page."""
    if isinstance(error, BadHost):  # A page has links, and without a host there is none.
        return add_headers(Response("The Host header is not the name of a host.\n", 400, mimetype="text/plain"))
    with suppress(StoreUnavailable):  # No guard has looked who asks for an address that nobody serves.
        admit(session_viewer() or NOBODY)
    is_for_programs = request.path.startswith("/api/") or request.path == "/openapi.json"
    return add_headers(problems.on_http_error(error) if is_for_programs else error_page(error))


def error_page(error: HTTPException) -> Response:
    """Return the page of an HTTP error, with the headers that belong to it."""
    status = HTTPStatus(error.code or 500)
    said, advice = _WORDS.get(status, _DEFAULT)
    own = error.description if error.description != type(error).description else None
    response = message_page(own or said.format(method=request.method), status=status, advice=advice)
    for name, value in error.get_headers(request.environ):
        if name in _KEPT:
            response.headers[name] = value
    return response


def message_page(message: str, *, status: int, advice: str = "") -> Response:
    """Return a page that says what happened and what to do."""
    page = render_template(
        "reports/error.html",
        message=message,
        advice=advice,
        status=int(status),
        request_id=request.environ.get("HTTP_X_REQUEST_ID") if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None,
    )
    return make_response(page, status)
