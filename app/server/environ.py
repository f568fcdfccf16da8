"""From a request of ASGI to the environ of WSGI, within the limits on what a client may send."""

import io
import sys
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug import exceptions

from app.dial.request import BODY

MAX_BODY = 64 * 1024
MAX_LINE = 8190  # Bytes of the request target, and of a header field.
MAX_FIELDS = 100
_FIXED = {"SCRIPT_NAME": "", "wsgi.version": (1, 0), "wsgi.errors": sys.stderr, "wsgi.run_once": False}
_FIXED |= {"wsgi.multithread": True, "wsgi.multiprocess": True}

Environ = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]


async def read_request(scope: dict[str, Any], receive: Receive) -> Environ:
    """Return the environ of a request that has arrived whole. Raise 400, 413 or 501 where it breaks a limit."""
    environ = make_environ(scope)
    body, more, length = b"", True, int(environ.get("CONTENT_LENGTH") or 0)
    while more or length > MAX_BODY:
        if length > MAX_BODY:
            raise exceptions.RequestEntityTooLarge
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        body, more = body + message["body"], message["more_body"]
        length = max(length, len(body))
    environ["CONTENT_LENGTH"], environ["wsgi.input"], environ[BODY] = str(len(body)), io.BytesIO(body), body
    return environ


def make_environ(scope: dict[str, Any]) -> Environ:
    """Return the environ of a request without its body. Raise 400 or 501 where the head breaks a rule or a limit."""
    raw_path, query, headers = scope["raw_path"], scope["query_string"], scope["headers"]
    if len(headers) > MAX_FIELDS or len(raw_path) + len(query) >= MAX_LINE:
        raise exceptions.BadRequest
    environ: Environ = {
        **_FIXED,
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        # Werkzeug decodes the path; what was signed is the target as it came.
        "RAW_URI": (raw_path + b"?" + query if query else raw_path).decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "wsgi.url_scheme": scope["scheme"],
    }
    for name, value in headers:
        if len(name) + len(value) > MAX_LINE:
            raise exceptions.BadRequest
        if key := _environ_key(name):
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    if environ.pop("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise exceptions.NotImplemented
    if "," in environ.get("HTTP_HOST", "" if scope["http_version"] == "1.0" else ","):
        raise exceptions.BadRequest
    return environ


@lru_cache(maxsize=256)
def _environ_key(name: bytes) -> str | None:
    """Return WSGI's name of a header field; None for a name with `_`, which could be mistaken for another."""
    key = name.decode("latin-1").upper().replace("-", "_")
    return None if b"_" in name else key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
