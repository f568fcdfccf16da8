"""Read a calendar from another server, which cannot turn the request inward, nor hold it or fill the memory."""

from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from settings.outgoing import Allows, PrivateAddress, ask

MOST_BYTES = 2 * 1024 * 1024
_LONGEST = 20.0  # Seconds for one request, however slowly the other side sends.
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FeedError(Exception):
    """A calendar was not read; the text says why, and holds no part of its address but the host."""


class Fetched(NamedTuple):
    """What was read, None where it has not changed, and what to ask with the next time."""

    body: bytes | None
    etag: str | None
    modified: str | None


def fetch(url: str, *, etag: str | None, modified: str | None, allows: Allows) -> Fetched:
    """Return the calendar at a URL; `allows` says which addresses may be asked. Raises FeedError."""
    conditions = {"If-None-Match": etag, "If-Modified-Since": modified}
    headers = {"User-Agent": "Dialstatus", "Accept": "text/calendar, */*;q=0.1", "Accept-Encoding": "identity"}
    headers |= {name: value for name, value in conditions.items() if value}
    for _ in range(_MOST_REDIRECTS + 1):
        found = _get(url, headers, allows)
        if isinstance(found, Fetched):
            return found
        url = urljoin(url, found)
        if urlsplit(url).scheme not in {"http", "https"}:
            raise FeedError("a redirect leads to no web address")
    raise FeedError(f"more than {_MOST_REDIRECTS} redirects")


def _get(url: str, headers: Mapping[str, str], allows: Allows) -> Fetched | str:
    """Return what one URL holds, or where it redirects to."""
    host = urlsplit(url).hostname or ""
    try:
        with ask("GET", url, headers=headers, allows=allows, longest=_LONGEST) as response:
            return _read(response, host)
    except PrivateAddress as error:
        raise FeedError(f"{host} is a private address; set FEEDS_ALLOW_PRIVATE=true to allow it") from error
    except (OSError, HTTPException, ValueError) as error:
        raise FeedError(f"{host} did not send it: {type(error).__name__}") from error


def _read(response: HTTPResponse, host: str) -> Fetched | str:
    location = response.headers.get("Location")
    if response.status in _REDIRECTS and location:
        return location
    validators = response.headers.get("ETag"), response.headers.get("Last-Modified")
    if response.status == 304:
        return Fetched(None, *validators)
    if response.status != 200:
        raise FeedError(f"{host} replied with status {response.status}")
    body = response.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise FeedError(f"it is larger than {MOST_BYTES // 1024 // 1024} MB")
    if response.length:  # Fewer bytes came than were announced.
        raise FeedError(f"{host} sent a part of it")
    return Fetched(body, *validators)
