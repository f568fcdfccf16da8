"""The request as every room reads it: a body that cannot be read is the sender's fault, whoever reads it."""

from typing import Any

from flask import Request as FlaskRequest
from flask.globals import _cv_request
from gunicorn.http.errors import ParseException
from werkzeug.datastructures import EnvironHeaders, ImmutableMultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.wsgi import _get_server

# Set in the WSGI environment by a server that holds the whole body, no longer than is taken.
BODY = "dialstatus.body"


class Request(FlaskRequest):
    """Flask's request, which answers 400 and 413 where Flask's would fail or quietly cut a body short.

    `arrival` is what was read of it on one of Plivo's routes.
    """

    arrival: Any = None

    @classmethod
    def of_plain(cls, environ: dict[str, Any]) -> "Request":
        """Make the request of an environ whose method and path need no decoding, without a root above the path.

        Werkzeug's own way to the same attributes takes three times as long.
        """
        request = cls.__new__(cls)
        request.method = environ["REQUEST_METHOD"]
        request.scheme = environ["wsgi.url_scheme"]
        request.server = _get_server(environ)  # Its port may be any text that a proxy sent.
        request.root_path = ""
        request.path = environ["PATH_INFO"]
        request.query_string = environ.get("QUERY_STRING", "").encode("latin-1")
        request.headers = EnvironHeaders(environ)
        request.remote_addr = environ.get("REMOTE_ADDR")
        request.environ = environ
        request.shallow = False
        return request

    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        """Read the body. Raises 400 where it breaks the rules of HTTP, 413 where it is too long."""
        if (held := self.environ.get(BODY)) is not None:
            return held
        try:
            body = super().get_data(*args, **kwargs)
        except (OSError, ParseException) as error:  # A connection that ends, or chunks that are none.
            raise BadRequest("the body is broken or ends too early") from error
        # A body in chunks says its length nowhere: Werkzeug stops reading at the limit and tells nobody.
        if self.content_length is None and self.max_content_length and len(body) >= self.max_content_length:
            raise RequestEntityTooLarge
        return body

    @property
    def form(self) -> ImmutableMultiDict[str, str]:
        """Read the body as a form. Raises as `get_data` does."""
        self.get_data(cache=True)  # What is read here is what Werkzeug parses.
        return super().form


def at_hand() -> Request:
    """Give the request that is worked on. Each look through Flask's proxy costs several times as much."""
    request: Request = _cv_request.get().request  # type: ignore[assignment]
    return request
