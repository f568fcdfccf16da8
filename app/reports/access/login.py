"""Logging in and out: the token, from a link or a form, is exchanged for a session."""

from http import HTTPStatus
from urllib.parse import quote

from flask import Response, abort, make_response, redirect, render_template, request
from werkzeug.exceptions import TooManyRequests

from app.reports.access.sessions import (
    end_session,
    has_csrf_token,
    session_viewer,
    start_session,
    start_shared_session,
)
from app.reports.access.tokens import token_viewer
from app.reports.access.viewers import find_share

_LONGEST_FORM = 4_096  # bytes: a token and an address of ours


def login() -> Response:
    """Start a session if the token is right, then redirect to the page that was asked for."""
    by_form = request.method == "POST"
    _bound_form()
    given = request.form.get("token") if by_form else request.args.get("token")
    if given is None:
        return redirect_to("/") if session_viewer() else ask_for_token()
    try:
        opened_by = token_viewer(given.strip(), request, way="form" if by_form else "link")
    except TooManyRequests as error:
        response = ask_for_token(error.description or "", HTTPStatus.TOO_MANY_REQUESTS)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    if opened_by is None:
        message = "Wrong token. The server names it, or the file that holds it, when it starts."
        return ask_for_token(message, HTTPStatus.FORBIDDEN)
    start_session(opened_by, given.strip())
    return redirect_to(request.values.get("next", "/"))


def open_share(share: str) -> Response:
    """Start a session that sees what a share link shows, and lead to it."""
    found = find_share(share)
    if found is None:
        return ask_for_token("This link has expired. Ask for another one, or enter your token.", HTTPStatus.FORBIDDEN)
    if session_viewer() is None:
        start_shared_session(share)
    call_uuid = found.scope.call_uuid
    return redirect_to(f"/calls/{quote(call_uuid, safe='')}" if call_uuid else "/")


def logout() -> Response:
    """End the session."""
    _bound_form()
    if not has_csrf_token():
        return ask_for_token("This form has expired. Go back to the page and try again.", HTTPStatus.BAD_REQUEST)
    end_session()
    return redirect_to("/login")


def _bound_form() -> None:
    """Refuse a form that costs much to parse, since a stranger may send it: 415 for multipart, 413 for a long one."""
    request.max_content_length = _LONGEST_FORM
    if request.mimetype not in {"", "application/x-www-form-urlencoded"}:
        abort(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def ask_for_token(message: str = "", status: int = HTTPStatus.OK) -> Response:
    """Return the form that asks for the token; `message` says why."""
    following = request.full_path.rstrip("?") if request.method == "GET" and request.path != "/login" else "/"
    return make_response(render_template("reports/login.html", message=message, following=following), status)


def redirect_to(path: str) -> Response:
    """Return a redirect to one of our own pages; a path that could lead to another host becomes the dashboard."""
    is_own = path.startswith("/") and not path.startswith("//") and path.isprintable() and "\\" not in path
    location = f"{request.root_path}{path if is_own else '/'}"
    return redirect(location, HTTPStatus.SEE_OTHER)  # type: ignore[return-value]
