"""Signed requests to other servers, as Standard Webhooks describes them, that cannot be turned inward.

The name is resolved here and the connection goes to the address that was checked, so no second answer of a name server
can change it. Redirects are not followed, and only the status of the response is read.
"""

import base64
import hmac
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from app.notify.addresses import Address
from app.notify.attempts import ended, message_id_of
from app.records.store.store import Store
from app.records.writing.deliveries import Attempt, Claim, settle
from settings.urls import is_public

_TIMEOUT = 5.0  # Seconds for each step: connect, one read, one write.
_LONGEST = 15.0  # Seconds for everything after the connection, however slowly the other side sends.
_MOST_ADDRESSES = 2  # Tried per name: the first may be IPv6 on a machine without it.
_AT_ONCE = 8
_CONTEXT = ssl.create_default_context()


class NotAccepted(Exception):
    """The other side did not accept the request; the text says why and holds no secret."""


class WebhookSender:
    """Sends the events of one address."""

    batch = _AT_ONCE
    lease = 30_000  # Milliseconds; longer than a send can take.

    def __init__(self, store: Store, address: Address) -> None:
        self._store = store
        self._address = address

    def send(self, claims: Sequence[Claim]) -> None:
        """Post events, several at once; store how each ended as soon as it has. Raises `StoreUnavailable`."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=self._address.name) as pool:
            pending = {pool.submit(self._attempt, one) for one in claims}
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                settle(self._store, [future.result() for future in done])

    def _attempt(self, one: Claim) -> Attempt:
        address, body, timestamp = self._address, one.body.encode(), int(time.time())
        message_id = message_id_of(one.event_key)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Dialstatus",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(address.secret or "", message_id=message_id, timestamp=timestamp, body=body),
        }
        started, reason = time.monotonic(), None
        try:
            send(address.url, body, headers, allow_private=address.allow_private)
        except NotAccepted as error:
            reason = str(error)
        return ended(one, reason=reason, milliseconds=round((time.monotonic() - started) * 1000))


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the Standard Webhooks signature: v1, HMAC-SHA256 of id, time and body. `secret` is whsec_ and base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def send(url: str, body: bytes, headers: dict[str, str], *, allow_private: bool) -> None:
    """Post `body`; return once the other side replied 2xx. Raises NotAccepted in every other case."""
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with connect(_addresses(host, port, allow_private=allow_private), port) as plain:
            status = _post(plain, host, target, body, {"Host": parts.netloc, **headers}, is_tls=is_tls)
    except (OSError, HTTPException, ValueError) as error:
        raise NotAccepted(type(error).__name__) from error
    if not 200 <= status < 300:
        raise NotAccepted(f"status {status}")


def connect(addresses: Sequence[str], port: int) -> socket.socket:
    """Return a connection to the first address that accepts one. Raises the OSError of the last."""
    *others, last = addresses[:_MOST_ADDRESSES]
    for address in others:
        with suppress(OSError):
            return socket.create_connection((address, port), timeout=_TIMEOUT)
    return socket.create_connection((last, port), timeout=_TIMEOUT)


def _addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return the addresses of a name. Raises NotAccepted if one of them is not public."""
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not allow_private and not all(is_public(ipaddress.ip_address(one.partition("%")[0])) for one in found):
        raise NotAccepted("the address is private; set EVENTS_ALLOW_PRIVATE=true to allow it")
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
    with suppress(OSError, AttributeError):  # It has just ended by itself.
        connection.sock.shutdown(socket.SHUT_RDWR)
