"""What `flask doctor` checks elsewhere: the way from outside to this server, and the Plivo account."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import requests

from app.account.client import PlivoClient, list_all
from app.account.errors import AccountError
from app.account.local_checks import Check, failed, passed, skipped
from app.account.public_url import Addresses
from app.account.setup import PlivoApplication, app_id_of, find_application, wanted_settings
from app.voice.signature import make_nonce, sign_v3
from config import SignatureMode
from settings.parsers import zone as parse_zone

# The records show times of Plivo's clock beside times of ours.
GREATEST_SKEW_SECONDS = 30
RUN_SETUP = "Run `flask plivo setup --number +1…`."
# The fallback route stores nothing, so this leaves no trace in the records.
_PATH = "/dialstatus/fallback/"
_PARAMS = (("Event", "Doctor"),)


def outside_checks(public_url: str, *, tokens: Sequence[str], mode: SignatureMode, timeout: float) -> Iterator[Check]:
    """Yield what happens when our own public URL is called as Plivo would, by GET and POST, then by a stranger."""
    url = public_url.rstrip("/") + _PATH
    for method in ("GET", "POST"):
        yield check_reachable(method, url, tokens, timeout)
    yield check_strangers(url, mode, timeout)


def check_reachable(method: str, url: str, tokens: Sequence[str], timeout: float) -> Check:
    """Check that a request, signed where there is a token, is answered with XML."""
    name = f"public URL by {method}"
    reply = _request(method, url, timeout, _signature(method, url, tokens))
    if isinstance(reply, str):
        return failed(name, reply, f"Check that {url} leads to this server, from outside as well.")
    if reply.status_code == 403:
        return failed(
            name,
            f"{url} refuses our own signature",
            "PUBLIC_URL must be letter for letter what Plivo calls (else TRUSTED_PROXIES the number of proxies "
            "before this server), and the server must run with this PLIVO_AUTH_TOKEN; its log says what differs.",
        )
    if reply.status_code != 200 or "<Response" not in reply.text:
        return failed(
            name,
            f"{url} answers {reply.status_code} {reply.headers.get('Content-Type', 'without a type')}, no Plivo XML",
            "Another program answers there, or the server is not running: make PUBLIC_URL lead here.",
        )
    return passed(name, f"{url} answers Plivo XML")


def check_strangers(url: str, mode: SignatureMode, timeout: float) -> Check:
    """Check that an unsigned request is answered with 403."""
    name = "strangers"
    if mode is not SignatureMode.ENFORCE:
        return skipped(name, "let in, since signatures are not enforced")
    reply = _request("POST", url, timeout, {})
    if isinstance(reply, str):
        return skipped(name, reply)
    if reply.status_code != 403:
        return failed(
            name,
            f"an unsigned request gets {reply.status_code}",
            "The server runs with other settings than these: restart it.",
        )
    return passed(name, "an unsigned request is refused")


def account_checks(
    client: PlivoClient, *, app_name: str, addresses: Addresses | None, numbers: Sequence[str], zone: ZoneInfo
) -> Iterator[Check]:
    """Yield every check of the account, up to the first that leaves the others without meaning."""
    token = check_token(client)
    yield token
    if not token.ok:
        return
    yield check_clock(client.transport.server_time, datetime.now(UTC))
    yield check_timezone(client, zone)
    try:
        application = find_application(client, app_name)
        connected = _numbers_of(client, application) if application else []
    except AccountError as error:
        yield failed("application", error.message)
        return
    if application is None:
        yield failed("application", f"the account has none called {app_name}", RUN_SETUP)
        return
    yield passed("application", f"{app_name} ({application.app_id})")
    yield check_hangup_url(application)
    if addresses is not None:
        yield check_urls(application, addresses)
    yield check_numbers(application, connected, numbers)


def check_token(client: PlivoClient) -> Check:
    """Check that Plivo accepts the credentials."""
    try:
        client.applications.list(limit=1)
    except AccountError as error:
        return failed("token", error.message)
    return passed("token", f"fits the account {client.auth_id}")


def check_clock(plivo: datetime | None, ours: datetime) -> Check:
    """Check that this machine's clock agrees with Plivo's."""
    if plivo is None:
        return skipped("clock", "Plivo's reply has no Date")
    skew = round((ours - plivo).total_seconds())
    if abs(skew) > GREATEST_SKEW_SECONDS:
        direction = "ahead of" if skew > 0 else "behind"
        return failed("clock", f"{abs(skew)} seconds {direction} Plivo's", "Let NTP set this machine's clock.")
    return passed("clock", "agrees with Plivo's")


def check_timezone(client: PlivoClient, configured: ZoneInfo) -> Check:
    """Check that PLIVO_TIMEZONE is the account's time zone, in which Plivo writes StartTime, AnswerTime and EndTime."""
    try:
        name = str(client.account.get().get("timezone") or "")
        account = parse_zone(name)
    except AccountError as error:
        return skipped("time zone", error.message)
    except ValueError:
        said = f"the account is in {name!r}, which this machine does not know" if name else "the account has none"
        return skipped("time zone", said)
    if _have_same_offsets(account, configured):
        return passed("time zone", f"PLIVO_TIMEZONE is {configured}, and so is the account")
    return failed(
        "time zone",
        f"PLIVO_TIMEZONE is {configured}, but the account is in {name}: times of calls would be wrong",
        f"Set PLIVO_TIMEZONE={name} and restart the server.",
    )


def _have_same_offsets(one: ZoneInfo, other: ZoneInfo) -> bool:
    """Return whether two zones are names of the same time, this year and next: Asia/Calcutta is Asia/Kolkata."""
    start = datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC)
    moments = (start + timedelta(days=day) for day in range(730))
    return one.key == other.key or all(
        moment.astimezone(one).utcoffset() == moment.astimezone(other).utcoffset() for moment in moments
    )


def check_hangup_url(application: PlivoApplication) -> Check:
    """Check for a hangup URL of its own: without one Plivo sends the notice to the answer URL."""
    url = application.settings["hangup_url"]
    if not url or url == application.settings["answer_url"]:
        return failed("hangup URL", "not set: Plivo posts hangups to the answer URL", RUN_SETUP)
    return passed("hangup URL", "set")


def check_urls(application: PlivoApplication, addresses: Addresses) -> Check:
    """Check that the application calls our URLs, by POST."""
    wanted = wanted_settings(addresses)
    wrong = [
        f"{field} is {application.settings[field] or 'empty'}, not {value}"
        for field, value in wanted.items()
        if application.settings[field] != value
    ]
    if wrong:
        return failed("application URLs", "; ".join(wrong), RUN_SETUP)
    return passed("application URLs", f"ours, by POST: {wanted['answer_url']}")


def check_numbers(application: PlivoApplication, connected: Sequence[str], expected: Sequence[str]) -> Check:
    """Check that the expected numbers, or at least one, are on the application."""
    missing = [number for number in expected if number not in connected]
    if missing:
        listed = ", ".join(f"+{number}" for number in missing)
        return failed("numbers", f"{listed} not on {application.name}", RUN_SETUP)
    if not connected:
        return failed("numbers", f"there is no number on {application.name}", RUN_SETUP)
    return passed("numbers", ", ".join(f"+{number}" for number in connected))


def _numbers_of(client: PlivoClient, application: PlivoApplication) -> list[str]:
    rented = list_all(client.numbers.list)
    return [str(number.get("number", "")) for number in rented if app_id_of(number) == application.app_id]


def _request(method: str, url: str, timeout: float, headers: dict[str, str]) -> requests.Response | str:
    """Return the reply, or why there is no reply."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method,
                url,
                data=_PARAMS if method == "POST" else None,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            )
    except requests.Timeout:
        return f"{url} does not answer within {timeout:g} seconds"
    except requests.RequestException as error:
        return f"{url} cannot be reached ({type(error).__name__})"


def _signature(method: str, url: str, tokens: Sequence[str]) -> dict[str, str]:
    if not tokens:
        return {}
    nonce = make_nonce()
    params = _PARAMS if method == "POST" else ()
    signature = sign_v3(method=method, url=url, params=params, nonce=nonce, token=tokens[0])
    return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}
