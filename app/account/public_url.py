"""Where Plivo reaches this server: our URLs below a public one, and the public address of a running ngrok."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from app.account.errors import AccountError, SettingError, UnreachableError
from settings.urls import is_private
from settings.urls import public_url as parse_public_url

NGROK_URL = "http://127.0.0.1:4040"
_NGROK_TIMEOUT = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The URLs that Plivo calls by POST. At `answer` and `fallback` somebody is on the line."""

    answer: str
    fallback: str
    ring: str
    hangup: str


def addresses_at(public_url: str, *, retry_control: str, retry_notice: str) -> Addresses:
    """Return our URLs below the public one. Raises SettingError for a URL that Plivo could not call.

    Each ends in Plivo's callback configuration: without it Plivo never repeats a request after a 5xx (Plivo, callback
    configurations).
    """
    try:
        base = parse_public_url(public_url) + "/dialstatus/"
    except ValueError as error:
        raise SettingError(f"{public_url!r} is no URL that Plivo can call; {error}") from error
    return Addresses(
        answer=f"{base}#{retry_control}",
        fallback=f"{base}fallback/#{retry_control}",
        ring=f"{base}ring/#{retry_notice}",
        hangup=f"{base}hangup/#{retry_notice}",
    )


def check_reachable_by_plivo(public_url: str) -> None:
    """Raise SettingError for a URL of this machine or of a private network."""
    if is_private(public_url):
        raise SettingError(
            f"Plivo cannot reach {public_url}: it leads to this machine or a private network; pass the URL that the "
            "internet knows this server by, with --url or PUBLIC_URL, or run ngrok"
        )


def is_url(text: str) -> bool:
    """Return whether a text is an absolute http or https URL."""
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and has_host and re.fullmatch(r"[!-~]+", text) is not None


def find_tunnel(port: int, *, ngrok_url: str = NGROK_URL) -> str:
    """Return the public https address that leads to our port (ngrok, agent API: `GET /api/tunnels`).

    A single tunnel is taken to be ours wherever it leads. Raises AccountError where there is none, or several.
    """
    try:
        tunnels = _read_tunnels(ngrok_url)
    except requests.ConnectionError:
        raise UnreachableError(
            f"No ngrok answers at {ngrok_url}; start it with `ngrok http {port}`, or pass the address with "
            "--url or PUBLIC_URL"
        ) from None
    except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AccountError(
            f"What answers at {ngrok_url} is not ngrok's API ({type(error).__name__}); pass the address with "
            "--url or PUBLIC_URL"
        ) from None
    return _choose_tunnel(tunnels, port)


def _read_tunnels(ngrok_url: str) -> dict[str, str]:
    """Return the public address of each https tunnel and the local one it leads to."""
    with requests.Session() as session:
        session.trust_env = False  # No proxy between us and this machine.
        reply = session.get(f"{ngrok_url}/api/tunnels", timeout=_NGROK_TIMEOUT, allow_redirects=False)
    return {
        str(tunnel["public_url"]): str((tunnel.get("config") or {}).get("addr", ""))
        for tunnel in reply.json()["tunnels"]
        if str(tunnel["public_url"]).startswith("https://")
    }


def _choose_tunnel(tunnels: dict[str, str], port: int) -> str:
    ours = [public for public, local in tunnels.items() if _port_of(local) == port] or list(tunnels)
    if not ours:
        raise AccountError(f"ngrok runs without an https tunnel; start one with `ngrok http {port}`")
    if len(ours) > 1:
        raise AccountError(
            f"ngrok has several tunnels ({', '.join(sorted(ours))}); choose one with --url or PUBLIC_URL"
        )
    return ours[0].rstrip("/")


def _port_of(local: str) -> int | None:
    """Return the port of `http://localhost:5000`, `localhost:5000` or `5000`."""
    last = (urlsplit(local).netloc or local).rpartition(":")[2]
    return int(last) if last.isdecimal() else None


def follow_tunnel(
    find: Callable[[], str],
    on_change: Callable[[str], None],
    *,
    known: str,
    stop: threading.Event,
    seconds: float,
    report: Callable[[str], None],
) -> None:
    """Call `on_change` with each address that differs from the last known one, until `stop` is set.

    A failure is reported once and retried: a tunnel that restarts is away for a moment.
    """
    reported = ""
    while not stop.wait(seconds):
        try:
            address = find()
            if address != known:
                on_change(address)
                known = address
            reported = ""
        except AccountError as error:
            if error.message != reported:
                reported = error.message
                report(reported)
