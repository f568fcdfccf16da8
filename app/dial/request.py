"""Read a request on one of Plivo's routes: its head first, its parameters once it is known who sent it."""

import ipaddress
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from flask import Request as FlaskRequest
from flask import g
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.http import parse_options_header

from app.dial.parameters import Pairs, checked, decode_form, decode_json, plivo_parameters
from app.dial.ticket import Ticket, dial_of_notice
from app.records.model.ids import now
from app.voice.events import Kind
from app.voice.parsing import is_hangup
from app.voice.signature import Verdict, Verification
from app.voice.times import parse_time
from config import Config, SignatureMode

BODY = "dialstatus.body"  # The key in the environ for the body, where the server has read the whole of it.

_DIAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.\-_]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{1,45}\](:[0-9]{1,5})?", re.ASCII)
_SIMULATED_TIME = "X-Dialstatus-Simulated-Time"
_JSON, _MULTIPART = "application/json", "multipart/form-data"

_UNCHECKED = Verification(verdict=Verdict.UNCHECKED)


class Request(FlaskRequest):
    """Flask's request, which answers 400 and 413 where Flask's would fail or quietly cut a body short."""

    @property
    def itself(self) -> "Request":
        """Return this request; asked of Flask's proxy, the request behind it, which is faster to read."""
        return self

    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        """Read the body. Raises 400 where it breaks the rules of HTTP, 413 where it is too long."""
        try:
            body = super().get_data(*args, **kwargs)
        except HTTPException:
            raise
        except Exception as error:  # A connection that ends, or broken chunks; each server has errors of its own.
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


@dataclass(slots=True, kw_only=True)
class Webhook:
    """One request on one of Plivo's routes.

    `base_url` begins every URL that we hand out; `url` is what Plivo called, still encoded; `path` and `query` are as
    received. `received_at` is in milliseconds since 1970 UTC, `started` a reading of `time.perf_counter_ns`.

    `read_parameters` fills the rest: `form` has the fields of the body, `asked` those of the query, `params` those of
    Plivo, `first` the first value of each of these. `ticket` and `dial_id` are from our own part of the query.
    `nonce` is that of a valid signature.
    """

    kind: Kind
    method: str
    base_url: str
    url: str
    path: str
    query: str
    received_at: int
    started: int
    sender: str | None
    request_id: str | None
    verification: Verification = _UNCHECKED
    nonce: str | None = None
    form: Pairs = ()
    asked: Pairs = ()
    params: Pairs = ()
    first: Mapping[str, str] = field(default_factory=dict)
    ticket: Ticket | None = None
    dial_id: str | None = None

    def elapsed_micros(self) -> int:
        """Return for how many microseconds this request has been worked on."""
        return (time.perf_counter_ns() - self.started) // 1000


def current_webhook() -> Webhook:
    """Return the webhook that the guard has read."""
    webhook: Webhook = g.webhook
    return webhook


def read_head(request: FlaskRequest, kind: Kind, config: Config) -> Webhook:
    """Return a request without its parameters; neither query nor body is decoded.

    Raises BadRequest for a simulated time that cannot be read.
    """
    started = time.perf_counter_ns()
    environ = request.environ
    # Werkzeug decodes path and query; Plivo signed the text as it was sent.
    target = _origin_form(environ.get("RAW_URI") or environ.get("REQUEST_URI") or request.full_path)
    path, _, query = target.partition("?")
    base_url = _base_url(environ, config)
    return Webhook(
        kind=kind,
        method=request.method,
        base_url=base_url,
        url=_called_url(base_url, target),
        path=path,
        query=query,
        received_at=_received_at(request, config),
        started=started,
        sender=request.remote_addr,
        request_id=environ.get("HTTP_X_REQUEST_ID", "")[:100] or None,
    )


def read_parameters(webhook: Webhook, request: FlaskRequest, secret: str) -> None:
    """Decode query and body. Raises the 4xx that says what is wrong with a request that cannot be read."""
    is_phlo = webhook.kind is Kind.PHLO
    webhook.asked = decode_form(webhook.query)
    if is_phlo or webhook.method not in {"GET", "HEAD"}:
        webhook.form = _read_body(request, any_type=is_phlo)
    webhook.params = plivo_parameters(webhook.form, webhook.asked, is_phlo=is_phlo)
    webhook.first = dict(reversed(webhook.params))  # Plivo never sends a name twice.
    own = dict(webhook.asked)
    if "step" in own:
        webhook.ticket = Ticket.from_query(own, secret)
    webhook.dial_id = _dial_id(webhook, own, secret)
    if webhook.kind in {Kind.ANSWER, Kind.FALLBACK} and is_hangup(webhook.first):
        webhook.kind = Kind.HANGUP  # An application without a hangup URL sends this notice to its answer URL.


def _dial_id(webhook: Webhook, own: Mapping[str, str], secret: str) -> str | None:
    """Return the dial that our own part of the query names.

    A notice must carry our seal: otherwise any sender could add dials and legs to a call without end.
    """
    if webhook.ticket is not None:
        return webhook.ticket.dial_id
    if webhook.kind is Kind.ACTION:
        dial_id = own.get("dial", "")
        return dial_id if _DIAL_ID.fullmatch(dial_id) else None
    return dial_of_notice(own, secret) if "seal" in own else None


def _read_body(request: FlaskRequest, *, any_type: bool) -> Pairs:
    mimetype = _mimetype(request.environ.get("CONTENT_TYPE", ""))
    if mimetype in {_JSON, _MULTIPART} and not any_type:
        raise UnsupportedMediaType("Plivo sends application/x-www-form-urlencoded")
    body: bytes | None = request.environ.get(BODY)
    if body is None:
        body = request.get_data(parse_form_data=False)
        if request.content_length is not None and len(body) < request.content_length:
            raise BadRequest("the body ends before its Content-Length")  # Half a report says something else.
    if mimetype == _JSON:
        return decode_json(body)
    if mimetype == _MULTIPART:
        return checked(tuple(request.form.items(multi=True)))
    return decode_form(body.decode("utf-8", "replace"))


@lru_cache(maxsize=64)
def _mimetype(content_type: str) -> str:
    return parse_options_header(content_type)[0].lower()


def _origin_form(target: str) -> str:
    """Return a request target without scheme, host and fragment; a fragment is not signed."""
    target = target.partition("#")[0]
    if target.startswith("/"):
        return target
    rest = target.partition("://")[2]
    return "/" + rest.partition("/")[2]


def _called_url(base_url: str, target: str) -> str:
    """Return what Plivo called. A proxy in front may keep the path of `base_url` in the target, or remove it."""
    origin, prefix = _split_base(base_url)
    return origin + target if prefix and target.startswith(f"{prefix}/") else base_url + target


@lru_cache(maxsize=64)
def _split_base(base_url: str) -> tuple[str, str]:
    scheme, separator, rest = base_url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host, slash + path


def _base_url(environ: Mapping[str, Any], config: Config) -> str:
    prefix = _quoted_prefix(environ.get("SCRIPT_NAME", ""))
    if config.public_url:
        return config.public_url if _split_base(config.public_url)[1] else config.public_url + prefix
    host = environ.get("HTTP_HOST") or ""
    if not _HOST.fullmatch(host) or not _is_ours(host, config):
        host = f"{config.host}:{config.port}"
    scheme = environ["wsgi.url_scheme"]  # A proxy's word, where one is trusted.
    return f"{scheme if scheme in {'http', 'https'} else 'https'}://{host}{prefix}"


def _quoted_prefix(script_name: str) -> str:
    return quote(script_name.encode("latin-1"), safe="/:@!$&'()*+,;=") if script_name else ""


def _is_ours(host: str, config: Config) -> bool:
    """Return whether a Host can be believed without PUBLIC_URL: a trusted proxy's, this machine's, or that of HOST.

    Without signatures any is: it decides the sender's reply alone, and Plivo can call nothing but a tunnel's address.
    """
    if config.trusted_proxies or config.verify_signatures is SignatureMode.OFF:
        return True
    name = host.rpartition(":")[0] if re.search(r":[0-9]+$", host) else host
    if name.lower() in {"localhost", config.host.lower()}:
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _received_at(request: FlaskRequest, config: Config) -> int:
    if config.simulated_time and (said := request.headers.get(_SIMULATED_TIME)):
        moment = parse_time(said, UTC)
        if moment is None:
            raise BadRequest(f"{_SIMULATED_TIME} is {said!r}; write a time of 2000 to 2099 as in RFC 3339")
        return moment
    return now()
