"""How requests reach the server: real HTTP, signed, with Plivo's time limits and retries."""

import ipaddress
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

from app.simulator.wire.http_exchange import (
    CallbackSettings,
    Damage,
    HttpReply,
    NoReplyError,
    connect,
    read_reply,
    split_url,
    write_request,
)
from app.simulator.xml.parser import LARGEST_REPLY
from app.voice.signature import sign_v2, sign_v3

SIMULATED_TIME_HEADER = "X-Dialstatus-Simulated-Time"


class RemoteTargetError(Exception):
    """The URL is on another machine, and calling others is not allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request: `url` with its fragment, the parameters, and the simulated time."""

    method: str
    url: str
    params: Mapping[str, str]
    at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    json: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """Sends requests.

    Without `token` nothing is signed. `main_token` signs the `Ma-` headers (default: `token`). `connect_to` is
    a (host, port) to connect to instead of the URL's own, which is still signed and sent as `Host`. Only this
    machine is called, unless `allow_remote`. `patience` multiplies all time limits.
    """

    token: str | None = field(default=None, repr=False)
    main_token: str | None = field(default=None, repr=False)
    connect_to: tuple[str, int] | None = None
    allow_remote: bool = False
    sends_simulated_time: bool = True
    patience: float = 1.0

    def send(
        self,
        request: HttpRequest,
        rng: random.Random,
        *,
        damage: Damage | None = None,
        pause: float = 0.0,
        limit: int = LARGEST_REPLY,
    ) -> HttpReply:
        """Send a request, retry it as its fragment says, and return the last reply.

        Only the first try is cut; each try carries a wrong signature. `pause` seconds pass between head and body.
        `limit` in bytes of the body. Raises NoReplyError without any reply, RemoteTargetError for another machine.
        """
        bare, settings, _remarks = split_url(request.url)
        settings = settings.stretched(self.patience)
        self.check_target(bare)
        begun = time.monotonic()
        for attempt in range(1, settings.retries + 2):
            can_retry = attempt <= settings.retries
            try:
                reply = self._send_once(request, bare, settings, rng, _damage_of_try(damage, attempt), pause, limit)
            except NoReplyError as error:
                in_time = time.monotonic() - begun < settings.total_time
                if not (can_retry and in_time and error.retry_word in settings.retried):
                    raise
                continue
            spent = time.monotonic() - begun
            is_retried = f"{reply.status // 100}xx" in settings.retried
            if not (can_retry and spent < settings.total_time and is_retried):
                return replace(reply, attempts=attempt, milliseconds=spent * 1000)
        raise AssertionError("the last try returns or raises")

    def check_target(self, url: str) -> None:
        """Raise RemoteTargetError if the URL is on another machine, unless others are allowed."""
        if not self.may_call(url):
            raise RemoteTargetError(
                f"{url} is not on this machine; start the server without PUBLIC_URL, "
                "use --connect-to 127.0.0.1:PORT, or --allow-remote if the host is yours"
            )

    def may_call(self, url: str) -> bool:
        """Return whether a URL is on this machine, or others are allowed."""
        return self.allow_remote or is_loopback(self.address_of(url)[0])

    def address_of(self, url: str) -> tuple[str, int]:
        """Return the host and port to connect to for a URL."""
        parts = urlsplit(url)
        return self.connect_to or (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))

    def is_listening(self, url: str) -> bool:
        """Return whether a server accepts connections at a URL."""
        try:
            socket.create_connection(self.address_of(url), timeout=2).close()
        except OSError:
            return False
        return True

    def _send_once(
        self,
        request: HttpRequest,
        bare: str,
        settings: CallbackSettings,
        rng: random.Random,
        damage: Damage | None,
        pause: float,
        limit: int,
    ) -> HttpReply:
        url, body = _place_params(request, bare)
        headers = self._headers(request, url, rng, damage)
        scheme = "http" if self.connect_to else urlsplit(url).scheme
        connection = connect(scheme, self.address_of(url), settings.connect_timeout)
        try:
            write_request(connection, request.method, _target(url), headers, body, damage, pause)
            return read_reply(connection, min(settings.read_timeout, settings.total_time), limit)
        finally:
            connection.close()

    def _headers(self, request: HttpRequest, url: str, rng: random.Random, damage: Damage | None) -> dict[str, str]:
        headers = {"Host": urlsplit(url).netloc, "User-Agent": "Dialstatus-Simulator", "Accept": "*/*"}
        if request.json is not None:
            return headers | {"Content-Type": "application/json"} | dict(request.headers)
        if request.method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if self.sends_simulated_time:
            headers[SIMULATED_TIME_HEADER] = request.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if self.token and damage is not Damage.UNSIGNED:
            signatures = sign(request, url, self.token, self.main_token or self.token, rng)
            if damage is Damage.BAD_SIGNATURE:
                signatures = {
                    name: value if name.endswith("Nonce") else _falsify(value) for name, value in signatures.items()
                }
            headers |= signatures
        return headers | dict(request.headers)


def send_again(
    url: str,
    method: str,
    params: Mapping[str, str],
    token: str | None,
    *,
    connect_to: tuple[str, int] | None = None,
    allow_remote: bool = False,
) -> HttpReply:
    """Send stored parameters to a URL as Plivo would, newly signed, and return the reply.

    Raises NoReplyError without a reply, RemoteTargetError for another machine unless `allow_remote`.
    """
    request = HttpRequest(method=method, url=url, params=params, at=datetime.now(UTC))
    transport = Transport(token=token, connect_to=connect_to, allow_remote=allow_remote, sends_simulated_time=False)
    return transport.send(request, random.SystemRandom())


def sign(request: HttpRequest, url: str, token: str, main_token: str, rng: random.Random) -> dict[str, str]:
    """Return the V3 and V2 headers, plain and `Ma-`, with a nonce of 20 digits for each version."""
    params = [] if request.method == "GET" else list(request.params.items())
    nonce_v3, nonce_v2 = (f"{rng.randrange(10**20):020d}" for _ in range(2))
    headers = {"X-Plivo-Signature-V3-Nonce": nonce_v3, "X-Plivo-Signature-V2-Nonce": nonce_v2}
    for prefix, key in (("", token), ("Ma-", main_token)):
        headers[f"X-Plivo-Signature-{prefix}V3"] = sign_v3(
            method=request.method, url=url, params=params, nonce=nonce_v3, token=key
        )
        headers[f"X-Plivo-Signature-{prefix}V2"] = sign_v2(url=url, nonce=nonce_v2, token=key)
    return headers


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _place_params(request: HttpRequest, bare: str) -> tuple[str, bytes]:
    """Return the URL and the body; parameters stand in byte order, on GET before the URL's own query."""
    if request.json is not None:
        return bare, request.json
    encoded = urlencode(sorted(request.params.items()))
    if request.method != "GET":
        return bare, encoded.encode()
    base, _, query = bare.partition("?")
    return f"{base}?{'&'.join(filter(None, (encoded, query)))}", b""


def _target(url: str) -> str:
    """Return path and query, as written."""
    _, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if slash:
        return slash + path
    _, mark, query = host.partition("?")
    return f"/{mark}{query}"


def _damage_of_try(damage: Damage | None, attempt: int) -> Damage | None:
    is_cut = damage in {Damage.CUT_BODY, Damage.CUT_REPLY}
    return None if is_cut and attempt > 1 else damage


def _falsify(signature: str) -> str:
    """Return a different, well-formed signature."""
    return ("B" if signature[0] == "A" else "A") + signature[1:]
