"""The server's API, asked over HTTP as anybody would."""

import http
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from app.simulator.wire.http_exchange import WireError
from app.simulator.wire.transport import Request, Wire

Record = Mapping[str, object]


class ApiError(Exception):
    """The server's API does not answer as it should; the message says what to do."""


class Api:
    """The server's API, beside the answer URL, with the token for its reports."""

    def __init__(self, answer_url: str, token: str, wire: Wire) -> None:
        """Ask the same host that the simulator calls."""
        parts = urlsplit(answer_url)
        self.base = f"{parts.scheme}://{parts.netloc}/api/v1"
        self.headers = {"Authorization": f"Bearer {token}"}
        self.wire = wire

    def call(self, call_uuid: str) -> Record | None:
        """Return what is kept of a call, None if nothing is; raise ApiError for any other answer."""
        url = f"{self.base}/calls/{call_uuid}"
        request = Request(method="GET", url=url, params={}, at=datetime.now(UTC), headers=self.headers)
        try:
            reply = self.wire.send(request, random.SystemRandom())
        except WireError as error:
            raise ApiError(f"{url} does not answer: {error}") from error
        if reply.status == http.HTTPStatus.NOT_FOUND:
            return None
        if reply.status in {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN}:
            raise ApiError(f"{url} answers {reply.status}; give the server's REPORTS_TOKEN as --reports-token")
        if not reply.is_success:
            raise ApiError(f"{url} answers {reply.status}")
        return as_record(json.loads(reply.body))


def as_record(value: object) -> Record:
    """Take a JSON object as a record, or raise ApiError."""
    if not isinstance(value, dict):
        raise ApiError(f"the API answers {str(value)[:80]!r} where an object is due")
    return value
