"""Flask's application, less what a webhook pays for and nobody reads."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from flask import Flask, Response
from flask.ctx import AppContext, RequestContext
from flask.globals import _cv_app, _cv_request
from werkzeug.routing import Rule

from app.dial.request import Request

_BLUEPRINT = "dial"
# Flask's test client keeps the contexts of its requests for a while; it gets Flask's own.
_PRESERVED = "werkzeug.debug.preserve_context"


class Application(Flask):
    """Flask's application. Everything of Flask's is there, but webhooks take a shorter way through it.

    They need no session, no signal, no URL that is built from theirs; and which functions stand before and after their
    views is found once, not on each request.
    """

    request_class = Request

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Give the function as it is: none of ours is a coroutine, and Flask asks for each of them on each request."""
        return func

    def request_context(self, environ: dict[str, Any]) -> RequestContext:
        """Give what a request is worked on in: to a plain route of Plivo's, a lighter one."""
        known = self._known_routes.get(environ.get("PATH_INFO", ""))
        if known is None or environ["REQUEST_METHOD"] not in known.methods:
            return super().request_context(environ)
        if environ.get("SCRIPT_NAME") or _PRESERVED in environ:
            return super().request_context(environ)
        return _WebhookContext(self, environ, known)

    def full_dispatch_request(self) -> Response:
        """Answer the request at hand."""
        context = _cv_request.get()
        if not isinstance(context, _WebhookContext):
            return super().full_dispatch_request()
        known = context.known
        try:
            response = known.answer()
        except Exception as error:
            response = self.make_response(self.handle_user_exception(error))
        for function in known.after:
            response = function(response)
        return response

    @cached_property
    def _known_routes(self) -> "dict[str, _KnownRoute]":
        rules = [rule for rule in self.url_map.iter_rules() if rule.endpoint.startswith(f"{_BLUEPRINT}.")]
        return {rule.rule: _KnownRoute(self, rule) for rule in rules}


class _KnownRoute:
    """One of Plivo's routes, with all that is done for a request to it."""

    def __init__(self, app: Flask, rule: Rule) -> None:
        before, after = app.before_request_funcs, app.after_request_funcs
        self.methods = rule.methods or set()
        self.after = [function for name in (_BLUEPRINT, None) for function in reversed(after.get(name, []))]
        self._before: list[Any] = [function for name in (None, _BLUEPRINT) for function in before.get(name, [])]
        self._view: Any = app.view_functions[rule.endpoint]
        self.rule = rule

    def answer(self) -> Response:
        """Call what stands before the view, then the view, as Flask does."""
        response: Response | None
        for function in self._before:
            response = function()
            if response is not None:
                return response
        answer: Response = self._view()
        return answer


class _AppContext(AppContext):
    """What `current_app` and `g` of a webhook are found in."""

    def __init__(self, app: Flask) -> None:
        # All that Flask's own makes, but for the adapter that would build URLs.
        self.app = app
        self.url_adapter = None
        self.g = app.app_ctx_globals_class()
        self._cv_tokens = []


class _WebhookContext(RequestContext):
    """What `request` of a webhook is found in: Flask's own without session, signals, and functions at its end."""

    def __init__(self, app: Flask, environ: dict[str, Any], known: _KnownRoute) -> None:
        self.known = known
        self.app = app
        self.request = Request.of_plain(environ)
        self.request.url_rule, self.request.view_args = known.rule, {}
        self.url_adapter = None
        self.flashes = None
        self._session = None
        self._after_request_functions = []
        self._cv_tokens = []

    def push(self) -> None:
        """Make it the context of what runs now."""
        self._tokens = _cv_app.set(_AppContext(self.app)), _cv_request.set(self)

    def pop(self, exc: BaseException | None = None) -> None:  # noqa: ARG002 - Nothing is told of it.
        """Make the one before it the context again."""
        app_token, request_token = self._tokens
        _cv_request.reset(request_token)
        _cv_app.reset(app_token)
        if "files" in self.request.__dict__:
            self.request.close()
