"""The server's reports API, called over HTTP like any other client."""

import http
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from app.simulator.wire.http_exchange import NoReplyError
from app.simulator.wire.transport import HttpRequest, Transport

JsonObject = Mapping[str, object]

_ANSWER_PATH = "/dialstatus"
_LARGEST_RECORD = 256 * 1024 * 1024  # Bytes; only a server gone wrong sends more.


class ReportsApiError(Exception):
    """The server's API cannot be used; the message says what to do."""


class ReportsApi:
    """The reports API of the server whose answer URL is called."""

    def __init__(self, answer_url: str, token: str, transport: Transport) -> None:
        """Send requests to the server of the answer URL, with this bearer token."""
        parts = urlsplit(answer_url)
        prefix, found, _ = parts.path.partition(_ANSWER_PATH)
        self.base = f"{parts.scheme}://{parts.netloc}{prefix if found else ''}/api/v1"
        self.headers = {"Authorization": f"Bearer {token}"}
        self.transport = transport

    def fetch_call(self, call_uuid: str) -> JsonObject | None:
        """Return the record of a call, None if there is none; raise ReportsApiError for any other reply."""
        url = f"{self.base}/calls/{call_uuid}"
        request = HttpRequest(method="GET", url=url, params={}, at=datetime.now(UTC), headers=self.headers)
        try:
            reply = self.transport.send(request, random.SystemRandom(), limit=_LARGEST_RECORD)
        except NoReplyError as error:
            raise ReportsApiError(f"{url} does not answer: {error}") from error
        if reply.status == http.HTTPStatus.NOT_FOUND:
            return None
        if reply.status in {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN}:
            raise ReportsApiError(f"{url} answers {reply.status}; set REPORTS_TOKEN to the server's")
        if not reply.is_success:
            raise ReportsApiError(f"{url} answers {reply.status}")
        try:
            return as_object(json.loads(reply.body))
        except ValueError as error:
            raise ReportsApiError(f"{url} does not answer with a JSON object: {error}") from error


def as_object(value: object) -> JsonObject:
    """Return a JSON object, or raise ReportsApiError for any other value."""
    if not isinstance(value, dict):
        raise ReportsApiError(f"the API answers {str(value)[:80]!r} instead of a JSON object")
    return value
