"""Plivo's REST API. The plivo SDK builds the requests and checks their arguments; this module sends them.

The SDK's own sender repeats every voice request after a 5xx, POST Call/ included, and prints that to stdout
(plivo-python 4.63.0, rest/client.py).
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from plivo.rest import Client as SdkClient

from app.account.errors import (
    LOOK_AT_PHLO,
    AccountError,
    TokenError,
    UnreachableError,
    advice_before_repeating,
    error_of_status,
)

logger = logging.getLogger(__name__)

API_URL = "https://api.plivo.com"
PHLO_URL = "https://phlorunner.plivo.com"
TIMEOUT = 15.0
BACKOFF = (0.5, 2.0, 5.0)  # Seconds before a read is repeated. Their sum outlasts the window of Plivo's rate limit.
LONGEST_WAIT = 60.0  # Seconds. No server makes a command sleep longer at once.
PAGE_SIZE = 20  # The most objects that Plivo puts on one page.

Json = dict[str, Any]
Cursor = dict[str, Any]
"""The query parameters of one page of a list."""
FIRST_PAGE: Mapping[str, Any] = {"limit": PAGE_SIZE, "offset": 0}


class RateLimit:
    """Allows `requests` in any `seconds` (Plivo, rate limits: 300 API requests per 5 seconds)."""

    def __init__(self, requests: int = 300, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._sent: deque[float] = deque(maxlen=requests)

    def reserve(self, now: float) -> float:
        """Reserve the next request and return the seconds to wait for it. `now` is monotonic."""
        at = now
        if len(self._sent) == self._sent.maxlen:
            at = max(now, self._sent[0] + self._seconds)
        self._sent.append(at)
        return at - now


class ApiTransport:
    """Sends one request at a time, and repeats only what cannot happen twice.

    Reads are repeated after 429, 5xx and broken connections. A request that acts is sent once. A 401 is no act, so the
    next token is tried: while tokens rotate, the new one may not be valid yet.
    """

    def __init__(self, tokens: Sequence[str], timeout: float, sleep: Callable[[float], None]) -> None:
        self._tokens = tuple(tokens)
        self._timeout = timeout
        self._sleep = sleep
        self._rate_limit = RateLimit()
        self.server_time: datetime | None = None

    def send(
        self,
        session: requests.Session,
        prepare: Callable[[], requests.PreparedRequest],
        *,
        look_first: str | None = None,
    ) -> Json:
        """Send what `prepare` builds and return the JSON object of the reply. Raises AccountError.

        With `look_first` the request acts, so it is sent once; the text is what to look at before it is repeated.
        """
        waits = iter(() if look_first else BACKOFF)
        while True:
            try:
                return self._send_with_valid_token(session, prepare, look_first)
            except AccountError as error:
                wait = next(waits, None) if error.is_temporary else None
                if wait is None:
                    raise
                wait = wait if error.retry_after is None else error.retry_after
                logger.warning("plivo_api_retry", extra={"wait_seconds": wait, "reason": type(error).__name__})
                self._sleep(wait)

    def _send_with_valid_token(
        self, session: requests.Session, prepare: Callable[[], requests.PreparedRequest], look_first: str | None
    ) -> Json:
        auth_id, current = session.auth  # type: ignore[misc]  # The SDK always sets a pair.
        others = [token for token in self._tokens if token != current]
        while True:
            try:
                return self._send_once(session, prepare(), look_first)
            except TokenError:
                if not others:
                    raise
                session.auth = (auth_id, others.pop(0))

    def _send_once(self, session: requests.Session, request: requests.PreparedRequest, look_first: str | None) -> Json:
        wait = self._rate_limit.reserve(time.monotonic())
        if wait > 0:
            self._sleep(wait)
        try:
            response = session.send(request, timeout=self._timeout, allow_redirects=False, proxies=session.proxies)
        except requests.Timeout:
            raise _no_reply(f"did not answer within {self._timeout:g} seconds", look_first) from None
        except requests.RequestException as error:
            # The error's text may hold the whole request, credentials included.
            raise _no_reply(f"could not be reached ({type(error).__name__})", look_first) from None
        self.server_time = parse_http_date(response.headers.get("Date"))
        if not 200 <= response.status_code < 300:
            retry_after = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            detail = self._redacted_detail(response)
            raise error_of_status(response.status_code, detail, retry_after=retry_after, look_first=look_first)
        return _json_object(response, look_first)

    def _redacted_detail(self, response: requests.Response) -> str:
        """Return Plivo's `error` text without the credentials, which it may repeat."""
        try:
            detail = str(_json_object(response).get("error", ""))
        except AccountError:
            return ""
        sent = str(response.request.headers.get("Authorization", "")).rpartition(" ")[2]
        for secret in filter(None, (*self._tokens, sent)):
            detail = detail.replace(secret, "…")
        return " ".join(detail.split())[:300]


class PlivoClient(SdkClient):  # type: ignore[misc]  # The SDK has no types.
    """The SDK's client for one account. Its methods return Plivo's JSON as dictionaries."""

    def __init__(
        self,
        auth_id: str,
        tokens: Sequence[str],
        *,
        api_url: str = API_URL,
        phlo_url: str = PHLO_URL,
        timeout: float = TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(auth_id, tokens[0], timeout=timeout)
        self.auth_id = auth_id
        self.base_uri = api_url.rstrip("/") + "/v1/Account"
        self.phlo_base_uri = phlo_url.rstrip("/") + "/v1"
        self.transport = ApiTransport(tokens, timeout, sleep)

    def request(self, method: str, path: Sequence[str] = (), data: Any = None, **_: Any) -> Json:
        """Send one request; the SDK's hints about voice requests and response classes are ignored."""
        look_first = advice_before_repeating(method, path[0] if path else "")
        return self.transport.send(self.session, lambda: self.create_request(method, path, data), look_first=look_first)

    def post_phlo(self, phlo_id: str, payload: Mapping[str, str]) -> Json:
        """Start a PHLO, which has a host of its own."""
        url = f"{self.phlo_base_uri}/account/{self.auth_id}/phlo/{phlo_id}/"
        request = requests.Request("POST", url, json=dict(payload))
        return self.transport.send(self.session, lambda: self.session.prepare_request(request), look_first=LOOK_AT_PHLO)


def list_pages(
    list_page: Callable[..., Json], *, start: Mapping[str, Any] = FIRST_PAGE
) -> Iterator[tuple[Json, Cursor]]:
    """Yield each page of a list with the cursor of the following one, which is empty on the last page.

    Follows `meta.next`, which holds an offset or a cursor (plivo-python 4.63.0, base.py). A page that names itself as
    the next one is the last.
    """
    cursor: Cursor = dict(start)
    while cursor:
        page = list_page(**cursor)
        if not isinstance(page.get("objects"), list):
            raise AccountError("What answered is not Plivo's API: its page has no list of objects")
        following = _next_cursor(page)
        cursor = following if page["objects"] and following != cursor else {}
        yield page, cursor


def list_all(list_page: Callable[..., Json]) -> Iterator[Json]:
    """Yield every object of a list."""
    for page, _ in list_pages(list_page):
        yield from page["objects"]


def _next_cursor(page: Json) -> Cursor:
    url = (page.get("meta") or {}).get("next")
    query = dict(parse_qsl(urlsplit(str(url or "")).query))
    if query.get("cursor"):
        return {"limit": PAGE_SIZE, "cursor": query["cursor"], "offset": None}
    if query.get("offset", "").isdecimal():
        return {"limit": PAGE_SIZE, "offset": int(query["offset"])}
    return {}


def parse_retry_after(header: str | None, now: datetime) -> float | None:
    """Return a Retry-After header, seconds or an HTTP date, as seconds from now; None if unreadable."""
    if not header:
        return None
    if header.strip().isdecimal():
        return min(float(header), LONGEST_WAIT)
    moment = parse_http_date(header)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT) if moment else None


def parse_http_date(header: str | None) -> datetime | None:
    """Return the time in an HTTP date; None if unreadable."""
    try:
        moment = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _no_reply(what: str, look_first: str | None) -> AccountError:
    advice = look_first or "check this machine's network and status.plivo.com"
    return UnreachableError(f"Plivo's API {what}; {advice}", is_temporary=not look_first)


def _json_object(response: requests.Response, look_first: str | None = None) -> Json:
    if not response.content:
        return {}
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        advice = f"; {look_first}" if look_first else ""
        raise AccountError(f"What answered is not Plivo's API: its reply is no JSON object; check the address{advice}")
    return body
