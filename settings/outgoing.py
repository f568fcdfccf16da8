"""Requests to other servers that cannot be turned inward, nor held, whatever the other side does.

A name is resolved here and the connection goes to an address that was checked, so no second answer of a name server can
change it. Redirects are left to the caller, whose next request is checked like the first.
"""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

from settings.urls import Address, is_public

_TIMEOUT = 5.0  # Seconds for each step: connect, one read, one write.
_MOST_ADDRESSES = 2  # Tried per name: the first may be IPv6 on a machine without it.

Allows = Callable[[Address], bool]
"""Whether an address may be connected to."""


class PrivateAddress(Exception):
    """A name leads to an address that may not be connected to."""


def public_or_any(*, allow_private: bool) -> Allows:
    """Return the check for public addresses, or the one that allows every address."""
    return (lambda _address: True) if allow_private else is_public


@contextmanager
def ask(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, allows: Allows, longest: float
) -> Iterator[HTTPResponse]:
    """Yield the response to a request; after the connection everything may take `longest` seconds.

    Raises PrivateAddress, OSError, HTTPException, and ValueError for a URL that cannot be asked.
    """
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with connect(_addresses(host, port, allows), port) as plain:
        sock = _context().wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False) if is_tls else plain
        connection = HTTPConnection(host, timeout=_TIMEOUT)
        connection.sock = sock
        end = threading.Timer(longest, _hang_up, [sock])
        end.daemon = True
        end.start()
        try:
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            connection.request(method, target, body, {"Host": parts.netloc.rpartition("@")[2], **headers})
            yield connection.getresponse()
        finally:
            end.cancel()
            connection.close()
            sock.close()


def connect(addresses: Sequence[str], port: int) -> socket.socket:
    """Return a connection to the first address that accepts one. Raises the OSError of the last."""
    *others, last = addresses[:_MOST_ADDRESSES]
    for address in others:
        with suppress(OSError):
            return socket.create_connection((address, port), timeout=_TIMEOUT)
    return socket.create_connection((last, port), timeout=_TIMEOUT)


def _addresses(host: str, port: int, allows: Allows) -> list[str]:
    """Return the addresses of a name. Raises PrivateAddress unless all of them are allowed."""
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not all(allows(ipaddress.ip_address(one.partition("%")[0])) for one in found):
        raise PrivateAddress(host)
    return found


@cache
def _context() -> ssl.SSLContext:
    """Return the TLS context; it reads a file of a thousand certificates, which a server that asks nobody needs not."""
    return ssl.create_default_context()


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):  # It has just ended by itself.
        sock.shutdown(socket.SHUT_RDWR)
