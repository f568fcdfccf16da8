"""One HTTP exchange: connect, write a request or a part of it, read the reply within Plivo's time limits.

Plivo reads the limits and the retry rules from the fragment of a URL ("Callback configurations").
"""

import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import parse_qsl, urldefrag


class Damage(StrEnum):
    """What the simulator does to a request on its way."""

    BAD_SIGNATURE = "bad-signature"
    UNSIGNED = "unsigned"
    CUT_BODY = "cut-body"
    CUT_REPLY = "cut-reply"


class NoReplyError(Exception):
    """No reply came; `retry_word` is Plivo's word for the failure (`ct`, `rt`), None if it is never retried."""

    def __init__(self, reason: str, retry_word: str | None) -> None:
        """Keep the reason for people and the word for the retry rules."""
        super().__init__(reason)
        self.reason = reason
        self.retry_word = retry_word


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """A reply: status, Content-Type, body (cut just past the limit), and the number of tries."""

    status: int
    content_type: str
    body: bytes
    attempts: int = 1
    milliseconds: float = 0.0

    @property
    def is_success(self) -> bool:
        """Return whether Plivo counts this as received: any 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackSettings:
    """How long Plivo waits for a URL and when it retries; times in seconds, `retried` of `ct rt 4xx 5xx`."""

    connect_timeout: float = 2.0
    read_timeout: float = 40.0
    total_time: float = 55.0
    retries: int = 1
    retried: frozenset[str] = frozenset({"ct", "rt"})

    def stretched(self, patience: float) -> "CallbackSettings":
        """Return the same settings with every time limit multiplied."""
        return replace(
            self,
            connect_timeout=self.connect_timeout * patience,
            read_timeout=self.read_timeout * patience,
            total_time=self.total_time * patience,
        )


_RETRY_WORDS = frozenset({"ct", "rt", "4xx", "5xx"})
# Name -> least, most, default; the first three in milliseconds.
_LIMITS = {"ct": (100, 10000, 2000), "rt": (100, 40000, 40000), "tt": (100, 55000, 55000), "rc": (0, 5, 1)}


def split_url(url: str) -> tuple[str, CallbackSettings, tuple[str, ...]]:
    """Return a URL without its fragment, the fragment's settings, and a remark on each wrong one.

    A value that is malformed or out of its range leaves the default (assumed: Plivo does not document it).
    """
    bare, fragment = urldefrag(url)
    given = dict(parse_qsl(fragment, keep_blank_values=True))
    remarks = [f"#{name} is not a callback setting" for name in given if name not in {*_LIMITS, "rp", "er"}]
    limits: dict[str, float] = {}
    for name, (least, most, default) in _LIMITS.items():
        value = given.get(name, str(default))
        in_range = value.isascii() and value.isdigit() and least <= int(value) <= most
        limits[name] = int(value) if in_range else default
        if not in_range:
            remarks.append(f"#{name}={value} is not a whole number from {least} to {most}")
    words = frozenset(word.strip() for word in given.get("rp", "ct,rt").split(","))
    unknown = sorted(words - _RETRY_WORDS - {"all"})
    remarks += [f"#rp={word} is not one of ct, rt, 4xx, 5xx, all" for word in unknown]
    settings = CallbackSettings(
        connect_timeout=limits["ct"] / 1000,
        read_timeout=limits["rt"] / 1000,
        total_time=limits["tt"] / 1000,
        retries=int(limits["rc"]),
        retried=_RETRY_WORDS if "all" in words else words & _RETRY_WORDS,
    )
    return bare, settings, tuple(remarks)


def connect(scheme: str, address: tuple[str, int], timeout: float) -> http.client.HTTPConnection:
    """Open a connection within `timeout` seconds, or raise NoReplyError."""
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
        raise NoReplyError(f"cannot connect to {host}:{port}: {error}", "ct") from error
    return connection


def write_request(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    damage: Damage | None,
    pause: float,
) -> None:
    """Write one request, or the part of it that the damage leaves; `pause` in seconds before the body."""
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {**headers, "Connection": "close"}.items():
            connection.putheader(name, value)
        if body or method != "GET":
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        if pause:
            time.sleep(pause)
        connection.send(body[: len(body) // 2] if damage is Damage.CUT_BODY else body)
    except OSError as error:
        raise NoReplyError(f"the connection broke while sending: {error}", "rt") from error
    if damage in {Damage.CUT_BODY, Damage.CUT_REPLY}:
        raise NoReplyError("the connection was cut before the reply", "rt")


def read_reply(connection: http.client.HTTPConnection, timeout: float, limit: int) -> HttpReply:
    """Read one reply of at most `limit` bytes and one more.

    Raises NoReplyError: without any reply it is a read timeout; a part of a reply is never retried.
    """
    if connection.sock is not None:
        connection.sock.settimeout(timeout)
    try:
        response = connection.getresponse()
    except TimeoutError as error:
        raise NoReplyError(f"no reply within {timeout:g} s", "rt") from error
    except (OSError, http.client.HTTPException) as error:
        raise NoReplyError(f"the server closed the connection without a reply: {error!r}", "rt") from error
    deadline = time.monotonic() + timeout
    body = bytearray()
    try:
        while len(body) <= limit and (piece := response.read1(limit + 1 - len(body))):
            body += piece
            if time.monotonic() > deadline:
                raise NoReplyError(f"the body was not complete within {timeout:g} s", None)
    except TimeoutError as error:
        raise NoReplyError(f"the body stopped for {timeout:g} s", None) from error
    except (OSError, http.client.HTTPException) as error:
        raise NoReplyError(f"the reply broke off: {error!r}", None) from error
    content_type = response.headers.get("Content-Type") or ""
    return HttpReply(status=response.status, content_type=content_type, body=bytes(body))
