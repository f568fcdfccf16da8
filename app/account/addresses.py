"""The URLs of ours that Plivo is told."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from app.account.errors import SettingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """What Plivo asks (answer, fallback: somebody is on the line) and tells (ring, hangup), all by POST."""

    answer: str
    fallback: str
    ring: str
    hangup: str


def addresses_at(public_url: str, *, retry_control: str, retry_notice: str) -> Addresses:
    """Make our URLs from the one Plivo reaches us at.

    Each ends in Plivo's callback configuration: without it no 5xx is ever tried again (Plivo, callback
    configurations). Raises `SettingError` for a URL that Plivo could not call.
    """
    parts = urlsplit(public_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise SettingError(f"{public_url!r} is no URL that Plivo can call; write one such as https://calls.example.com")
    base = public_url.rstrip("/") + "/dialstatus/"
    return Addresses(
        answer=f"{base}#{retry_control}",
        fallback=f"{base}fallback/#{retry_control}",
        ring=f"{base}ring/#{retry_notice}",
        hangup=f"{base}hangup/#{retry_notice}",
    )
