"""From a request of ASGI to the environ of WSGI, within the limits on what a client may send."""

import sys
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from werkzeug import exceptions

MAX_BODY = 64 * 1024
MAX_LINE = 8190  # Bytes of the request target, and of a header field.
MAX_FIELDS = 100

Environ = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]


async def read_body(environ: Environ, receive: Receive) -> bytes | None:
    """Return the body; nothing of one over the limit, whose `CONTENT_LENGTH` is then over it. None: the client left."""
    if int(environ.get("CONTENT_LENGTH") or 0) > MAX_BODY:
        return b""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message["body"]
        more = message["more_body"]
        if body:
            environ["CONTENT_LENGTH"] = str(len(body))
        if len(body) > MAX_BODY:
            return b""
    return body


def make_environ(scope: dict[str, Any]) -> Environ:
    """Return the WSGI environ of a request, without its body. Raise 400 or 501 where it breaks a rule or a limit."""
    raw_path, query = cast(bytes, scope["raw_path"]), cast(bytes, scope["query_string"])
    path = (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode("latin-1")
    server, client = scope["server"], scope["client"] or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query.decode("latin-1"),
        # Werkzeug decodes the path; what was signed is the target as it came.
        "RAW_URI": (raw_path + b"?" + query if query else raw_path).decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if len(scope["headers"]) > MAX_FIELDS or len(raw_path) + len(query) >= MAX_LINE:
        raise exceptions.BadRequest
    for name, value in scope["headers"]:
        key = _environ_key(name)
        if len(name) + len(value) > MAX_LINE:
            raise exceptions.BadRequest
        if key is not None:
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
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
