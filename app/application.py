"""Flask's application, less what a webhook pays for and nobody reads."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

from flask import Flask, Response
from flask import Request as FlaskRequest
from flask.globals import request_ctx
from werkzeug.routing import MapAdapter, Rule

from app.incoming import Request

_BLUEPRINT = "dial"


class Application(Flask):
    """Flask's application. Everything of Flask's is there, but webhooks take a shorter way through it.

    They need no session, no signal, no URL that is built from theirs; and which functions stand before and after their
    views is found once, not on each request.
    """

    request_class = Request

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Give the function as it is: none of ours is a coroutine, and Flask asks for each of them on each request."""
        return func

    def create_url_adapter(self, request: FlaskRequest | None) -> MapAdapter | None:
        """Find a plain route of Plivo's at once."""
        if request is not None:
            known = self._known_routes.get(request.path)
            if known is not None and request.method in known.methods:
                return known  # type: ignore[return-value]
        return super().create_url_adapter(request)

    def full_dispatch_request(self) -> Response:
        """Answer the request at hand."""
        known = request_ctx.url_adapter
        if not isinstance(known, _KnownRoute):
            return super().full_dispatch_request()
        try:
            response = known.answer()
        except Exception as error:
            response = self.make_response(self.handle_user_exception(error))
        for function in known.after:
            response = function(response)
        return response

    def do_teardown_request(self, *arguments: Any) -> None:
        """Do what is to be done when a request ends: for a webhook nothing."""
        if not isinstance(request_ctx.url_adapter, _KnownRoute):
            super().do_teardown_request(*arguments)

    @cached_property
    def _known_routes(self) -> "dict[str, _KnownRoute]":
        rules = [rule for rule in self.url_map.iter_rules() if rule.endpoint.startswith(f"{_BLUEPRINT}.")]
        return {rule.rule: _KnownRoute(self, rule) for rule in rules}


class _KnownRoute:
    """One of Plivo's routes, with all that is done for a request to it. Flask takes it for the URL adapter it asks."""

    def __init__(self, app: Flask, rule: Rule) -> None:
        before, after = app.before_request_funcs, app.after_request_funcs
        self.methods = rule.methods or set()
        self.after = [function for name in (_BLUEPRINT, None) for function in reversed(after.get(name, []))]
        self._before = [function for name in (None, _BLUEPRINT) for function in before.get(name, [])]
        self._view: Callable[[], Any] = app.view_functions[rule.endpoint]
        self._found: tuple[Rule, dict[str, Any]] = (rule, {})

    def match(self, **_options: Any) -> tuple[Rule, dict[str, Any]]:
        """Give the route and its arguments, of which there are none."""
        return self._found

    def answer(self) -> Response:
        """Call what stands before the view, then the view, as Flask does."""
        for function in self._before:
            if (response := function()) is not None:
                return cast(Response, response)
        return cast(Response, self._view())
