"""One exchange of HTTP: connect, write a request or a part of it, read a reply within its limits."""

import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.simulator.xml.parser import LARGEST_REPLY


class Damage(StrEnum):
    """What the simulator does to one request on its way."""

    BAD_SIGNATURE = "bad-signature"
    UNSIGNED = "unsigned"
    CUT_BODY = "cut-body"
    CUT_REPLY = "cut-reply"


class WireError(Exception):
    """No reply came; `retry_word` is Plivo's word for the failure (`ct`, `rt`), None if never retried."""

    def __init__(self, reason: str, retry_word: str | None) -> None:
        """Keep the reason for people and the word for the retry rules."""
        super().__init__(reason)
        self.reason = reason
        self.retry_word = retry_word


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back: status, Content-Type, body (cut just past 100 KB), and how many tries it took."""

    status: int
    content_type: str
    body: bytes
    attempts: int = 1
    milliseconds: float = 0.0

    @property
    def is_success(self) -> bool:
        """Tell whether Plivo takes this as received: any 2xx."""
        return 200 <= self.status < 300


def connect(scheme: str, address: tuple[str, int], timeout: float) -> http.client.HTTPConnection:
    """Open a connection within `timeout` seconds, or raise WireError."""
    host, port = address
    connection: http.client.HTTPConnection
    if scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.connect()
    except OSError as error:
        raise WireError(f"cannot connect to {host}:{port}: {error}", "ct") from error
    return connection


def write(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    host: str,
    headers: Mapping[str, str],
    body: bytes,
    damage: Damage | None,
    pause: float,
) -> None:
    """Write one request, or as much of it as the damage leaves."""
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": host, **headers, "Connection": "close"}.items():
            connection.putheader(name, value)
        if body or method != "GET":
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        if pause:
            time.sleep(pause)
        connection.send(body[: len(body) // 2] if damage is Damage.CUT_BODY else body)
    except OSError as error:
        raise WireError(f"the connection broke while sending: {error}", "rt") from error
    if damage in {Damage.CUT_BODY, Damage.CUT_REPLY}:
        raise WireError("the connection was cut before the reply", "rt")


def read(connection: http.client.HTTPConnection, timeout: float) -> Reply:
    """Read one reply; nothing of it yet is a read timeout, a part of it is never retried."""
    if connection.sock is not None:
        connection.sock.settimeout(timeout)
    try:
        response = connection.getresponse()
    except TimeoutError as error:
        raise WireError(f"no reply within {timeout:g} s", "rt") from error
    except (OSError, http.client.HTTPException) as error:
        raise WireError(f"the server closed the connection without a reply: {error!r}", "rt") from error
    deadline = time.monotonic() + timeout
    body = b""
    try:
        while len(body) <= LARGEST_REPLY and (piece := response.read1(LARGEST_REPLY + 1)):
            body += piece
            if time.monotonic() > deadline:
                raise WireError(f"the body was not complete within {timeout:g} s", None)
    except TimeoutError as error:
        raise WireError(f"the body stopped for {timeout:g} s", None) from error
    except (OSError, http.client.HTTPException) as error:
        raise WireError(f"the reply broke off: {error!r}", None) from error
    return Reply(status=response.status, content_type=response.headers.get("Content-Type") or "", body=body)
