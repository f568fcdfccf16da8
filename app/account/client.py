"""The plivo SDK, with manners: nothing printed, nothing sent twice that acts, every failure a sentence.

The SDK builds the requests and checks their arguments. It does not send them: its own sender repeats every
voice request after an answer of 500 or more, POST Call/ included, and prints that to stdout
(plivo-python 4.63.0, rest/client.py).
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import requests
from plivo.rest import Client as SdkClient
from plivo.rest.phlo import RestClient as SdkPhloClient
from plivo.utils import is_valid_mainaccount, is_valid_subaccount

from app.account.errors import AccountError, SettingError, TokenError, UnreachableError, of_status
from app.account.rate_limit import PAUSES, Pace, http_date, retry_after

logger = logging.getLogger(__name__)

API_URL = "https://api.plivo.com"
PHLO_URL = "https://phlorunner.plivo.com"
TIMEOUT = 15.0

# What Plivo answers, once it is known to be a JSON object.
Json = dict[str, Any]


class Wire:
    """Send one request at a time to Plivo, and try again only where nothing can happen twice.

    Reads are repeated after 429, 5xx and broken connections. Anything that acts is sent once. A 401 is no
    act, so the next token is tried: while tokens rotate, the new one may not be valid yet.
    """

    def __init__(self, tokens: Sequence[str], timeout: float, sleep: Callable[[float], None]) -> None:
        self._tokens = tuple(tokens)
        self._timeout = timeout
        self._sleep = sleep
        self._pace = Pace()
        self.server_time: datetime | None = None

    def exchange(self, session: requests.Session, method: str, prepare: Callable[[], Any]) -> Json:
        """Send what `prepare` builds and return the JSON object of the answer, or raise `AccountError`."""
        pauses = iter(PAUSES if method == "GET" else ())
        while True:
            try:
                return self._with_valid_token(session, method, prepare)
            except AccountError as error:
                pause = next(pauses, None) if error.passes else None
                if pause is None:
                    raise
                pause = pause if error.after is None else error.after
                logger.warning("plivo_api_retry", extra={"wait_seconds": pause, "reason": type(error).__name__})
                self._sleep(pause)

    def _with_valid_token(self, session: requests.Session, method: str, prepare: Callable[[], Any]) -> Json:
        auth_id, current = session.auth  # type: ignore[misc]  # The SDK always sets a pair.
        others = [token for token in self._tokens if token != current]
        while True:
            try:
                return self._once(session, method, prepare())
            except TokenError:
                if not others:
                    raise
                session.auth = (auth_id, others.pop(0))

    def _once(self, session: requests.Session, method: str, request: requests.PreparedRequest) -> Json:
        wait = self._pace.reserve(time.monotonic())
        if wait > 0:
            self._sleep(wait)
        try:
            response = session.send(request, timeout=self._timeout, allow_redirects=False, proxies=session.proxies)
        except requests.Timeout:
            raise _silence(f"did not answer within {self._timeout:g} seconds", method) from None
        except requests.RequestException as error:
            # The text of the error may hold the whole request, so its class has to do.
            raise _silence(f"could not be reached ({type(error).__name__})", method) from None
        now = datetime.now(UTC)
        self.server_time = http_date(response.headers.get("Date"))
        if not 200 <= response.status_code < 300:
            after = retry_after(response.headers.get("Retry-After"), now)
            raise of_status(response.status_code, self._detail(response), after=after)
        return _json_object(response)

    def _detail(self, response: requests.Response) -> str:
        try:
            detail = str(_json_object(response).get("error", ""))
        except AccountError:
            return ""
        sent = str(response.request.headers.get("Authorization", "")).rpartition(" ")[2]
        for secret in filter(None, (*self._tokens, sent)):
            detail = detail.replace(secret, "…")
        return " ".join(detail.split())[:300]


class PlivoClient(SdkClient):  # type: ignore[misc]  # The SDK has no types.
    """The SDK's client for one account, over `Wire`. Its methods return Plivo's JSON as dictionaries."""

    def __init__(
        self,
        auth_id: str,
        tokens: Sequence[str],
        *,
        api_url: str = API_URL,
        timeout: float = TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(auth_id, tokens[0], timeout=timeout)
        self.auth_id = auth_id
        self.base_uri = api_url.rstrip("/") + "/v1/Account"
        self.wire = Wire(tokens, timeout, sleep)

    def request(self, method: str, path: Sequence[str] = (), data: Any = None, **_: Any) -> Json:
        """Replace the SDK's sender. Its hints about voice requests and response classes have no use here."""
        return self.wire.exchange(self.session, method, lambda: self.create_request(method, path, data))


class PhloClient(SdkPhloClient):  # type: ignore[misc]  # The SDK has no types.
    """The SDK's client for PHLO, over `Wire`."""

    def __init__(
        self,
        auth_id: str,
        tokens: Sequence[str],
        *,
        phlo_url: str = PHLO_URL,
        timeout: float = TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(auth_id, tokens[0], timeout=timeout)
        self.auth_id = auth_id
        self.phlo_base_uri = phlo_url.rstrip("/") + "/v1"
        self.wire = Wire(tokens, timeout, sleep)

    def request(self, method: str, path: Sequence[str] = (), data: Any = None, **_: Any) -> Json:
        """Replace the SDK's sender, as in `PlivoClient`."""
        return self.wire.exchange(self.session, method, lambda: self.create_request(method, path, data))


def check_credentials(auth_id: str | None, tokens: Sequence[str]) -> str:
    """Return the auth id, or raise a sentence when one of the two settings is missing or cannot be right."""
    if not auth_id or not tokens:
        missing = "PLIVO_AUTH_ID" if not auth_id else "PLIVO_AUTH_TOKEN"
        raise SettingError(f"{missing} is not set; copy it from the first page of the Plivo console into .env")
    if not (is_valid_mainaccount(auth_id) or is_valid_subaccount(auth_id)):
        raise SettingError(
            f"PLIVO_AUTH_ID has {len(auth_id)} characters and begins with {auth_id[:2]!r}; write the 20 "
            "characters beginning with MA (account) or SA (subaccount) from the Plivo console"
        )
    return auth_id


def _silence(what: str, method: str) -> AccountError:
    """Say that no answer came. After a request that acts, nobody can tell whether it did."""
    if method == "GET":
        advice = "look at this machine's network and at status.plivo.com"
    else:
        advice = "it may have done it all the same, so it was not asked again: look before you repeat it"
    return UnreachableError(f"Plivo's API {what}; {advice}", passes=method == "GET")


def _json_object(response: requests.Response) -> Json:
    if not response.content:
        return {}
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise AccountError("What answered is not Plivo's API: its reply is no JSON object; check the address")
    return body
