"""Plain requests read and answered in a few steps: what every webhook is.

Gunicorn's own reading and writing allow for all of HTTP and take longer than the webhook does. Here only a request
without anything unusual is read: one line of each header, a body of told length that is here, HTTP/1.1. `read` gives
None for any other, and gunicorn reads or refuses it by its own rules. The bytes are parsed by the same parser in C.
"""

import io
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from gunicorn import SERVER
from gunicorn.util import http_date
from gunicorn_h1c import IncompleteError, ParseError, parse_request

from app.dial.request import BODY

Environ = dict[str, Any]

# Without `%`, which only the path's decoding would tell apart, and `#`, which no target has.
_TARGET = re.compile(rb"(/dialstatus(?:/[!$&->@-~]*)?)(?:\?([!-\"$-~]*))?")
_NAME = re.compile(rb"[A-Za-z0-9-]{1,100}")
# Fields that change how a message is read or answered.
_UNUSUAL = frozenset({"HTTP_EXPECT", "HTTP_TRANSFER_ENCODING", "HTTP_UPGRADE", "HTTP_TE", "HTTP_TRAILER"})
_METHODS = frozenset({b"GET", b"POST", b"HEAD"})
_CONNECTIONS = frozenset({"close", "keep-alive"})


class PlainReply:
    """What the application answers to a plain request, as bytes to be sent in one piece."""

    __slots__ = ("_body_allowed", "_closes", "_headers", "_status")

    def __init__(self, environ: Environ) -> None:
        self._closes: bool = environ.get("HTTP_CONNECTION", "").lower() == "close"
        self._body_allowed = environ["REQUEST_METHOD"] != "HEAD"
        self._status = ""
        self._headers: list[tuple[str, str]] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], _exc_info: object = None
    ) -> Callable[[bytes], object]:
        """Take status and headers, as WSGI gives them."""
        self._status, self._headers = status, headers
        return _refuse_writing

    def force_close(self) -> None:
        """Close the connection after this reply."""
        self._closes = True

    def should_close(self) -> bool:
        """Tell whether the connection ends with this reply."""
        return self._closes

    def collect(self, body: Iterable[bytes]) -> bytes:
        """Give the whole reply."""
        content = b"".join(body)
        fields = "".join([f"{name}: {value}\r\n" for name, value in self._headers if name != "Content-Length"])
        connection = "close" if self._closes else "keep-alive"
        head = (
            f"HTTP/1.1 {self._status}\r\nServer: {SERVER}\r\nDate: {_date(int(time.time()))}\r\n"
            f"Connection: {connection}\r\n{fields}Content-Length: {len(content)}\r\n\r\n"
        )
        return head.encode("latin-1") + (content if self._body_allowed else b"")


def base_environ(client: Any, server: Any) -> Environ:
    """Give what the environ of every request of one connection has."""
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "SERVER_SOFTWARE": "gunicorn",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": str(client[0]),
        "REMOTE_PORT": str(client[1]),
        "SCRIPT_NAME": "",
    }


def read(data: bytes, base: Environ, limits: Mapping[str, int]) -> Environ | None:
    """Read the one request that `data` is; None where anything about it is unusual. `limits` are the parser's own."""
    try:
        found = parse_request(data, **limits)
    except (IncompleteError, ParseError):
        return None
    target = _TARGET.fullmatch(found["path"])
    if target is None or found["minor_version"] != 1 or found["method"] not in _METHODS:
        return None
    environ = base.copy()
    for name, value in found["headers"]:
        key = _environ_key(name)
        if key is None or key in environ:
            return None
        environ[key] = value.decode("latin-1")
    if not environ.keys().isdisjoint(_UNUSUAL) or environ.get("HTTP_CONNECTION", "close").lower() not in _CONNECTIONS:
        return None
    body = data[found["consumed"] :]
    if environ.get("CONTENT_LENGTH", "0") != str(len(body)):
        return None
    path, query = target.groups()
    environ["REQUEST_METHOD"] = found["method"].decode("ascii")
    environ["RAW_URI"] = found["path"].decode("ascii")
    environ["PATH_INFO"] = path.decode("ascii")
    environ["QUERY_STRING"] = (query or b"").decode("ascii")
    environ["wsgi.input"] = io.BytesIO(body)
    environ[BODY] = body
    return environ


@lru_cache(maxsize=256)
def _environ_key(name: bytes) -> str | None:
    """Name a field as WSGI does; None for one whose name another one could be mistaken for."""
    if not _NAME.fullmatch(name):
        return None
    key = name.decode("ascii").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return str(http_date(second))


def _refuse_writing(_data: bytes) -> object:
    raise NotImplementedError("the application gives its body as an iterable")
