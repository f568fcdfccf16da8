"""Read one request as Plivo (or PHLO) sent it: whole, once, before anything is decided."""

import json
import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from flask import Request as FlaskRequest
from flask.globals import _cv_request
from gunicorn.http.errors import ParseException
from werkzeug.datastructures import EnvironHeaders, ImmutableMultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.wsgi import _get_server

from app.context import Services
from app.records.model.ids import now
from app.voice.events import Kind
from app.voice.signature import Verdict, Verification

# Set in the WSGI environment by a server that holds the whole body, no longer than is taken.
BODY = "dialstatus.body"
# Plivo sends some thirty parameters. Far more than that is no webhook.
MAX_PARAMETERS = 500
# Our own part of a URL's query. Plivo's names are in mixed case and can never be one of these.
OWN_NAMES = frozenset({"dial", "route", "step", "round", "since", "seal"})

_DIAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.\-_]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{1,45}\](:[0-9]{1,5})?", re.ASCII)
# Where one is, names and values must be parted before they are decoded.
_ESCAPED_BORDER = re.compile("%26|%3d", re.IGNORECASE)
_FORM = "application/x-www-form-urlencoded"
_SIMULATED_TIME = "X-Dialstatus-Simulated-Time"

_UNCHECKED = Verification(verdict=Verdict.UNCHECKED)

Pairs = tuple[tuple[str, str], ...]


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


@dataclass(slots=True, kw_only=True)
class Arrival:
    """One request. `params` are Plivo's, `asked` the query's, `own` our own part of it, `form` the body's; `url` is the
    public URL, still encoded. `first` has the first value of each parameter: Plivo never sends a name twice.

    `received_at` in milliseconds since 1970 UTC, `started` a reading of `time.perf_counter_ns`.
    """

    services: Services
    kind: Kind
    method: str
    base_url: str
    url: str
    path: str
    query: str
    params: Pairs
    first: dict[str, str]
    own: dict[str, str]
    asked: Pairs
    form: Pairs
    received_at: int
    started: int
    sender: str | None
    request_id: str | None
    verification: Verification = _UNCHECKED

    @property
    def dial_id(self) -> str | None:
        """Give the dial id of our own query, where it can be one."""
        dial_id = self.own.get("dial", "")
        return dial_id if _DIAL_ID.fullmatch(dial_id) else None

    def elapsed_micros(self) -> int:
        """Tell for how many microseconds this request has been worked on."""
        return (time.perf_counter_ns() - self.started) // 1000


def read_arrival(request: Request, kind: Kind, services: Services) -> Arrival:
    """Read a request. Raises the 4xx that says what is wrong with one that cannot be read."""
    started = time.perf_counter_ns()
    environ = request.environ
    # Werkzeug decodes the path and the query; what was signed is the text as it came.
    target = _origin_form(environ.get("RAW_URI") or environ.get("REQUEST_URI") or request.full_path)
    path, _, query = target.partition("?")
    base_url = services.config.public_url or _base_url(request, services)
    query_pairs = _pairs(query)
    reads_body = kind is Kind.PHLO or request.method not in {"GET", "HEAD"}
    form = _read_body(request) if reads_body else ()
    params = _plivo_params(form, query_pairs, path_kind=kind)
    return Arrival(
        services=services,
        kind=kind,
        method=request.method,
        base_url=base_url,
        url=base_url + target,
        path=path,
        query=query,
        params=params,
        first=dict(reversed(params)),
        own={name: value for name, value in query_pairs if name in OWN_NAMES},
        asked=query_pairs,
        form=form,
        received_at=_received_at(request, services),
        started=started,
        sender=request.remote_addr,
        request_id=environ.get("HTTP_X_REQUEST_ID", "")[:100] or None,
    )


def _plivo_params(form: Pairs, query: Pairs, *, path_kind: Kind) -> Pairs:
    """Tell Plivo's parameters from our own: the form on POST, the query without our names on GET.

    PHLO's author chooses where the values go, so there both are read and the body wins.
    """
    if form and path_kind is not Kind.PHLO:
        return form
    from_query = tuple([pair for pair in query if pair[0] not in OWN_NAMES])
    if path_kind is Kind.PHLO:
        named = {name for name, _ in form}
        return form + tuple(pair for pair in from_query if pair[0] not in named)
    return from_query


def _read_body(request: Request) -> Pairs:
    body = request.get_data(parse_form_data=False)
    if request.environ.get("CONTENT_TYPE") == _FORM and BODY in request.environ:
        return _pairs(body.decode("utf-8", "replace"))  # Every webhook of Plivo's own, whole.
    mimetype = request.mimetype
    if request.content_length is not None and len(body) < request.content_length:
        raise BadRequest("the body ends before its Content-Length")  # Half a report says something else.
    if mimetype == "application/json":
        return _json_pairs(body)
    if mimetype == "multipart/form-data":
        pairs = tuple(request.form.items(multi=True))
        return _checked(pairs)
    return _pairs(body.decode("utf-8", "replace"))


def _pairs(text: str) -> Pairs:
    """Decode a query or form as `urllib.parse.parse_qsl` does when it keeps blank values, in a third of the time."""
    if not text:
        return ()
    if text.count("&") >= MAX_PARAMETERS:
        raise BadRequest(f"more than {MAX_PARAMETERS} parameters")
    if "+" in text:
        text = text.replace("+", " ")
    if "%" in text:
        # Nearly every webhook has these, of numbers and of times, and no others.
        text = text.replace("%2B", "+").replace("%3A", ":")
    if "%" in text:
        if _ESCAPED_BORDER.search(text):
            return tuple([(unquote(name), unquote(value)) for name, value in _split(text)])
        text = unquote(text)
    return tuple(_split(text))


def _split(text: str) -> list[tuple[str, str]]:
    pairs = []
    for piece in text.split("&"):
        name, _, value = piece.partition("=")
        if piece:
            pairs.append((name, value))
    return pairs


def _checked(pairs: Pairs) -> Pairs:
    if len(pairs) > MAX_PARAMETERS:
        raise BadRequest(f"more than {MAX_PARAMETERS} parameters")
    return pairs


def _json_pairs(body: bytes) -> Pairs:
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(fields, dict):
        raise BadRequest("the body is not a JSON object")
    return _checked(tuple((_storable(name), _storable(_as_text(value))) for name, value in fields.items()))


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


def _storable(text: str) -> str:
    """Replace lone surrogates, which JSON can spell but no encoding can write."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _origin_form(target: str) -> str:
    """Cut scheme and host off a request target in absolute form, and a fragment, which is no part of what is signed."""
    target = target.partition("#")[0]
    if target.startswith("/"):
        return target
    rest = target.partition("://")[2]
    return "/" + rest.partition("/")[2]


def _base_url(request: Request, services: Services) -> str:
    host = request.environ.get("HTTP_HOST") or ""
    if not _HOST.fullmatch(host):
        host = f"{services.config.host}:{services.config.port}"
    scheme = request.environ["wsgi.url_scheme"]  # A proxy's word, where one is trusted.
    return f"{scheme if scheme in {'http', 'https'} else 'https'}://{host}"


def _received_at(request: Request, services: Services) -> int:
    if services.config.simulated_time:
        said = request.headers.get(_SIMULATED_TIME)
        if said:
            try:
                return round(datetime.fromisoformat(said).timestamp() * 1000)
            except ValueError as error:
                raise BadRequest(f"{_SIMULATED_TIME} is {said!r}; write a time as in RFC 3339") from error
    return now()
