"""Flask's application, less what a webhook pays for and nobody reads."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from flask import Flask
from flask import Request as FlaskRequest
from werkzeug.routing import MapAdapter, Rule

from app.incoming import Request

_BLUEPRINT = "dial."


class Application(Flask):
    """Flask's application. Everything of Flask's is there; Plivo's routes are found in one look."""

    request_class = Request

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Give the function as it is: none of ours is a coroutine, and Flask asks for each of them on each request."""
        return func

    def create_url_adapter(self, request: FlaskRequest | None) -> MapAdapter | None:
        """Find a plain route of Plivo's at once. Its view builds no URL from the request's, so it needs no more."""
        if request is not None:
            known = self._known_routes.get(request.path)
            if known is not None and known.takes(request.method):
                return known  # type: ignore[return-value]
        return super().create_url_adapter(request)

    @cached_property
    def _known_routes(self) -> "dict[str, _KnownRoute]":
        rules = self.url_map.iter_rules()
        return {rule.rule: _KnownRoute(rule) for rule in rules if rule.endpoint.startswith(_BLUEPRINT)}


class _KnownRoute:
    """What Flask asks of a URL adapter when the route has been found already."""

    def __init__(self, rule: Rule) -> None:
        self._found: tuple[Rule, dict[str, Any]] = (rule, {})
        self._methods = rule.methods or set()

    def takes(self, method: str) -> bool:
        """Tell whether the route takes a method."""
        return method in self._methods

    def match(self, **_options: Any) -> tuple[Rule, dict[str, Any]]:
        """Give the route and its arguments, of which there are none."""
        return self._found
