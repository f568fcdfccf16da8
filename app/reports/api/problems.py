"""Errors of the API as problem documents (RFC 9457)."""

import json
from http import HTTPStatus

from flask import Request, Response, current_app, request
from werkzeug.exceptions import HTTPException

from app.context import bearer_of
from app.records.model.receipt import StoreUnavailable
from app.records.reading.filters import TooMany
from app.records.reading.read_session import StoreUnreadable
from app.reports.api.models import ProblemView

_SHOWN = 100  # Characters of a refused value that are repeated.
_RETRY_SECONDS = "5"
_SEND = "Send Authorization: Bearer with the value of REPORTS_TOKEN."
CHALLENGES = {
    "missing": f"The Authorization header is missing. {_SEND}",
    "other": f"The Authorization header holds no bearer token. {_SEND}",
    "wrong": f"The bearer token is wrong. {_SEND}",
}
_DETAILS = {
    404: "There is no such resource; /openapi.json lists all.",
    405: "This resource takes other methods; the Allow header lists them.",
    500: "Something went wrong on our side; look for request_failed with the id in X-Request-ID in the log.",
}


class InvalidParameters(Exception):
    """A request with parameters that are refused. `errors` maps each one's name to the reason."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__(", ".join(errors))


def problem(status: int, detail: str, errors: dict[str, str] | None = None) -> Response:
    """Return a problem document; `errors` maps parameters to reasons."""
    document = ProblemView(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=[{"parameter": name, "detail": reason} for name, reason in (errors or {}).items()],
    )
    # Plain ASCII: a refused value may be text that no encoding can write.
    return current_app.response_class(
        json.dumps(document.model_dump()), status=status, mimetype="application/problem+json"
    )


def unauthorized(request: Request) -> Response:
    """Return a 401 that says whether the token is missing or wrong (RFC 6750, section 3)."""
    challenge = 'Bearer realm="dialstatus"'
    if bearer_of(request) is not None:
        word, challenge = "wrong", f'{challenge}, error="invalid_token"'
    else:
        word = "other" if request.headers.get("Authorization") else "missing"
    response = problem(401, CHALLENGES[word])
    response.headers["WWW-Authenticate"] = challenge
    return response


def on_http_error(error: HTTPException) -> Response:
    """Return the problem document of an HTTP error such as 404, with its Allow and Retry-After headers."""
    own = error.description if error.description != type(error).description else None
    response = problem(error.code or 500, own or _DETAILS.get(error.code or 500, error.description or ""))
    for name, value in error.get_headers(request.environ):
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def on_invalid_parameters(error: InvalidParameters) -> Response:
    """Return a 400 that names each refused parameter."""
    reasons = {shorten(name): reason for name, reason in error.errors.items()}
    return problem(400, f"These parameters cannot be used: {', '.join(reasons)}.", reasons)


def on_too_many(error: TooMany) -> Response:
    """Return a 400 for a search that matches too much."""
    return on_invalid_parameters(InvalidParameters({"q": str(error)}))


def on_store_unavailable(error: StoreUnavailable) -> Response:
    """Return a 503 while the store cannot be read."""
    response = problem(503, why_unavailable(error))
    response.headers["Retry-After"] = _RETRY_SECONDS
    return response


def why_unavailable(error: StoreUnavailable) -> str:
    """Return, in sentences, why there are no reports; it names no host and no user."""
    message = error.for_readers if isinstance(error, StoreUnreadable) else "the store does not answer; try again soon"
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in message.split("; "))


def shorten(text: str) -> str:
    """Return the text, cut to the length at which a message repeats a value."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
