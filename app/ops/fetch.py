"""Read a calendar from another server, which cannot turn the request inward, nor hold it or fill the memory.

Each name is resolved here and the connection goes to the address that was checked, also after a redirect.
"""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from settings.urls import is_public

MOST_BYTES = 2 * 1024 * 1024
_TIMEOUT = 5.0  # Seconds for each step: connect, one read, one write.
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


def fetch(url: str, *, etag: str | None, modified: str | None, allow_private: bool) -> Fetched:
    """Return the calendar at a URL. Raises FeedError."""
    conditions = {"If-None-Match": etag, "If-Modified-Since": modified}
    headers = {"User-Agent": "Dialstatus", "Accept": "text/calendar, */*;q=0.1", "Accept-Encoding": "identity"}
    headers |= {name: value for name, value in conditions.items() if value}
    for _ in range(_MOST_REDIRECTS + 1):
        try:
            found = _get(url, headers, allow_private=allow_private)
        except (OSError, HTTPException, ValueError) as error:
            raise FeedError(f"{urlsplit(url).hostname} did not send it: {type(error).__name__}") from error
        if isinstance(found, Fetched):
            return found
        url = urljoin(url, found)
        if urlsplit(url).scheme not in {"http", "https"}:
            raise FeedError("a redirect leads to no web address")
    raise FeedError(f"more than {_MOST_REDIRECTS} redirects")


def _get(url: str, headers: Mapping[str, str], *, allow_private: bool) -> Fetched | str:
    """Return what one URL holds, or where it redirects to."""
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    plain = _connect(host, parts.port or (443 if is_tls else 80), allow_private=allow_private)
    sock = _context().wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False) if is_tls else plain
    connection = HTTPConnection(host, timeout=_TIMEOUT)
    connection.sock = sock
    end = threading.Timer(_LONGEST, _hang_up, [sock])
    end.daemon = True
    end.start()
    try:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Host": parts.netloc.rpartition("@")[2], **headers})
        return _read(connection.getresponse(), host)
    finally:
        end.cancel()
        connection.close()
        sock.close()


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


def _connect(host: str, port: int, *, allow_private: bool) -> socket.socket:
    """Return a connection to the first address of a name, all of which must be public."""
    addresses = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not allow_private and not all(is_public(ipaddress.ip_address(one.partition("%")[0])) for one in addresses):
        raise FeedError(f"{host} is a private address; set FEEDS_ALLOW_PRIVATE=true to allow it")
    for address in addresses[:1]:  # An IPv6 address comes first only where this machine has a way to it.
        return socket.create_connection((address, port), timeout=_TIMEOUT)
    raise FeedError(f"{host} has no address")


@cache
def _context() -> ssl.SSLContext:
    """Return the TLS context; it reads a file of a thousand certificates, which no server without calendars needs."""
    return ssl.create_default_context()


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):  # It has just ended by itself.
        sock.shutdown(socket.SHUT_RDWR)
