"""One signed request to somebody else's server, as Standard Webhooks has it, that cannot be led astray.

Names are resolved here and the connection goes to the very address that was looked at, so no second answer of a name
server can turn it inward. Redirects are not followed and nothing of the reply is read but its status.
"""

import base64
import hmac
import ipaddress
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

_TIMEOUT = 5.0  # Seconds for each step: connect, one read, one write.
_LONGEST = 15.0  # Seconds for all that follows the connection, however slowly the other side drips.
_MOST_ADDRESSES = 2  # Of one name: the first may be of a kind that this machine has no way to.
_CONTEXT = ssl.create_default_context()
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotSent(Exception):
    """The other side did not take it; the text says why and holds nothing secret."""


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign as Standard Webhooks does: v1, HMAC-SHA256 over id, time and body. `secret` is whsec_ and base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def send(url: str, body: bytes, headers: dict[str, str], *, allow_private: bool) -> None:
    """Post `body`. Returns when the other side answered 2xx, raises `NotSent` in every other case."""
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with connect(_addresses(host, port, allow_private=allow_private), port) as plain:
            status = _post(plain, host, target, body, {"Host": parts.netloc, **headers}, is_tls=is_tls)
    except (OSError, HTTPException, ValueError) as error:
        raise NotSent(type(error).__name__) from error
    if not 200 <= status < 300:
        raise NotSent(f"status {status}")


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the open internet, also where it wraps an older one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def connect(addresses: Sequence[str], port: int) -> socket.socket:
    """Connect to the first address that takes the connection. Raises the last one's `OSError` where none does."""
    *others, last = addresses[:_MOST_ADDRESSES]
    for address in others:
        with suppress(OSError):
            return socket.create_connection((address, port), timeout=_TIMEOUT)
    return socket.create_connection((last, port), timeout=_TIMEOUT)


def _addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Resolve a name. Where one of its addresses is not public, none is used."""
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not allow_private and not all(is_public(ipaddress.ip_address(one.partition("%")[0])) for one in found):
        raise NotSent("the address is private; set EVENTS_ALLOW_PRIVATE=true if that is meant")
    return found


def _post(plain: socket.socket, host: str, target: str, body: bytes, headers: dict[str, str], *, is_tls: bool) -> int:
    connection = HTTPConnection(host, timeout=_TIMEOUT)
    end = threading.Timer(_LONGEST, _hang_up, [connection])
    end.daemon = True
    try:
        connection.sock = _CONTEXT.wrap_socket(plain, server_hostname=host) if is_tls else plain
        end.start()
        connection.request("POST", target, body, headers)
        return connection.getresponse().status
    finally:
        end.cancel()
        connection.close()


def _hang_up(connection: HTTPConnection) -> None:
    with suppress(OSError, AttributeError):  # It ended by itself in this very moment.
        connection.sock.shutdown(socket.SHUT_RDWR)
