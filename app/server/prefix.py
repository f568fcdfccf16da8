"""Serve below a path of a host, such as https://calls.example.com/voice, whether a proxy removes the path or not."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from flask import Flask

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class PathPrefix:
    """Moves the prefix from the path of a request to its SCRIPT_NAME, from which Flask builds links and cookies."""

    def __init__(self, prefix: str, app: Flask) -> None:
        """`prefix` is percent-encoded as in a URL; it begins with a slash and ends without one."""
        self._prefix = unquote(prefix, "latin-1")  # WSGI's encoding of a path.
        self._served = frozenset(_head(rule.rule) for rule in app.url_map.iter_rules())

    def apply(self, environ: dict[str, Any]) -> None:
        """Set SCRIPT_NAME and PATH_INFO. Applying it again, or after a server that did the same, changes nothing."""
        script_name: str = environ.get("SCRIPT_NAME", "")
        if script_name.endswith(self._prefix):
            return
        environ["SCRIPT_NAME"] = script_name.rstrip("/") + self._prefix
        path: str = environ.get("PATH_INFO", "")
        rest = path.removeprefix(self._prefix)
        # A path that only looks like the prefix stays: /calls/<uuid> below https://example.com/calls.
        if len(rest) < len(path) and (not rest or rest[0] == "/") and _head(rest) in self._served:
            environ["PATH_INFO"] = rest

    def wrap(self, wsgi_app: WsgiApp) -> WsgiApp:
        """Return the WSGI application behind the prefix."""

        def behind_prefix(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            self.apply(environ)
            return wsgi_app(environ, start_response)

        return behind_prefix


def _head(path: str) -> str:
    return path.lstrip("/").partition("/")[0]
