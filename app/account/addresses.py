"""The URLs of ours that Plivo is told."""

import re
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
    if not is_url(public_url) or "?" in public_url or "#" in public_url:
        raise SettingError(f"{public_url!r} is no URL that Plivo can call; write one such as https://calls.example.com")
    base = public_url.rstrip("/") + "/dialstatus/"
    if "/dialstatus/" in urlsplit(base).path.removesuffix("/dialstatus/") + "/":
        raise SettingError(f"{public_url!r} is more than the public URL; leave out /dialstatus and what follows")
    return Addresses(
        answer=f"{base}#{retry_control}",
        fallback=f"{base}fallback/#{retry_control}",
        ring=f"{base}ring/#{retry_notice}",
        hangup=f"{base}hangup/#{retry_notice}",
    )


def is_url(text: str) -> bool:
    """Tell whether a text is an absolute URL of the web."""
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and has_host and re.fullmatch(r"[!-~]+", text) is not None
