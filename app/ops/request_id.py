"""An id for each request, from the proxy or our own. Log lines, receipts and the reply carry it."""

import re
from random import getrandbits

from flask import Flask, Response, request

_USABLE = re.compile(r"[A-Za-z0-9._:+/=@-]{1,100}", re.ASCII)
_HEADER = "HTTP_X_REQUEST_ID"


def use_request_ids(app: Flask) -> None:
    """Set an id on each request before anything else reads it, and return it with the reply."""
    app.before_request(_ensure_request_id)
    app.after_request(_return_request_id)


def _ensure_request_id() -> None:
    environ = request.environ
    given = environ.get(_HEADER)
    if given is None or not _USABLE.fullmatch(given):
        environ[_HEADER] = f"{getrandbits(64):016x}"


def _return_request_id(response: Response) -> Response:
    if request_id := request.environ.get(_HEADER):
        response.headers.add("X-Request-ID", request_id)
    return response
