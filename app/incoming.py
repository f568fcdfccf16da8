"""The request as every room reads it: a body that cannot be read is the sender's fault, whoever reads it."""

from typing import Any

from flask import Request as FlaskRequest
from gunicorn.http.errors import ParseException
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

# Set in the WSGI environment by a server that holds the whole body, no longer than is taken.
BODY = "dialstatus.body"


class Request(FlaskRequest):
    """Flask's request, which answers 400 and 413 where Flask's would fail or quietly cut a body short."""

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
