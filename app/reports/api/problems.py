"""Errors of the API: problem documents as RFC 9457 has them."""

import json
from http import HTTPStatus

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException

from app.records.model.receipt import StoreUnavailable
from app.records.reading.filters import TooMany
from app.records.reading.read_session import StoreUnreadable
from app.reports.api.schemas import Problem

_SHOWN = 100  # Longest piece of a refused value that is repeated.


class Refused(Exception):
    """A request that names a parameter wrongly. `errors` has a name and a reason for each."""

    def __init__(self, errors: dict[str, str]) -> None:
        """Keep the reasons by the parameter's name."""
        self.errors = errors
        super().__init__(", ".join(errors))


def problem(status: int, detail: str, errors: dict[str, str] | None = None) -> Response:
    """Make the answer that says what is wrong."""
    document = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=[{"parameter": name, "detail": reason} for name, reason in (errors or {}).items()],
    )
    # Plain ASCII: what was refused may be text that no encoding can write.
    response = current_app.response_class(
        json.dumps(document.model_dump()), status=status, mimetype="application/problem+json"
    )
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="dialstatus"'
    return response


def on_http_error(error: HTTPException) -> Response:
    """Answer 404, 405 and their like."""
    answer = problem(error.code or 500, error.description or "")
    for name, value in error.get_headers(request.environ):
        if name in {"Allow", "Retry-After"}:
            answer.headers[name] = value
    return answer


def on_refused(error: Refused) -> Response:
    """Answer a parameter that cannot be read."""
    named = ", ".join(cut(name) for name in error.errors)
    reasons = {cut(name): reason for name, reason in error.errors.items()}
    return problem(400, f"These parameters cannot be used: {named}.", reasons)


def on_too_many(error: TooMany) -> Response:
    """Answer a search for too little."""
    return on_refused(Refused({"q": str(error)}))


def on_store_unavailable(error: StoreUnavailable) -> Response:
    """Answer while the store cannot be read."""
    answer = problem(503, why_unavailable(error))
    answer.headers["Retry-After"] = "5"
    return answer


def why_unavailable(error: StoreUnavailable) -> str:
    """Say to a reader why there are no reports, in sentences."""
    said = error.for_readers if isinstance(error, StoreUnreadable) else "the store does not answer; try again soon"
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in said.split("; "))


def cut(text: str) -> str:
    """Shorten what is repeated of somebody's request."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
