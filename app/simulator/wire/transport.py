"""The wire between Plivo and the server: real HTTP, signed, with Plivo's time limits and retries."""

import ipaddress
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

from app.simulator.wire.callback_settings import CallbackSettings, split_url
from app.simulator.wire.http_exchange import Damage, Reply, WireError, connect, read, write
from app.voice.signature import sign_v2, sign_v3

SIMULATED_TIME_HEADER = "X-Dialstatus-Simulated-Time"


class RemoteTargetError(Exception):
    """The URL is not on this machine, and nobody allowed to call another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of Plivo's: `url` with its fragment, the parameters, and the simulated time."""

    method: str
    url: str
    params: Mapping[str, str]
    at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    json: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How requests leave: the tokens they are signed with, and where they may go.

    Without `token` nothing is signed. `main_token` signs the `Ma-` headers (default: `token`).
    `connect_to` is a (host, port) that takes the place of every URL's own, which is still signed and sent
    as `Host`. Only this machine is called, unless `allow_remote`. `patience` multiplies all time limits.
    """

    token: str | None = None
    main_token: str | None = None
    connect_to: tuple[str, int] | None = None
    allow_remote: bool = False
    tell_simulated_time: bool = True
    patience: float = 1.0

    def send(
        self, request: Request, chance: random.Random, *, damage: Damage | None = None, pause: float = 0.0
    ) -> Reply:
        """Send a request, again and again as its fragment says, and return the last reply.

        A cut is made in the first try alone, a wrong signature in each; `pause` seconds pass between head
        and body. Raises WireError when no reply came at all, RemoteTargetError for another machine.
        """
        bare, settings, _remarks = split_url(request.url)
        settings = settings.stretched(self.patience)
        self.check_target(bare)
        begun = time.monotonic()
        for attempt in range(1, settings.retries + 2):
            try:
                reply = self._try(request, bare, settings, chance, _damage_of_try(damage, attempt), pause)
            except WireError as error:
                if not _has_another(settings, attempt, begun) or error.retry_word not in settings.retried:
                    raise
                continue
            is_retried = f"{reply.status // 100}xx" in settings.retried
            if not is_retried or not _has_another(settings, attempt, begun):
                spent = time.monotonic() - begun
                return replace(reply, attempts=attempt, milliseconds=spent * 1000)
        raise AssertionError("the last try returns or raises")

    def check_target(self, url: str) -> None:
        """Refuse a URL that is not on this machine, unless others are allowed."""
        if not self.may_call(url):
            raise RemoteTargetError(
                f"{url} is not on this machine; start the server without PUBLIC_URL, "
                "use --connect-to 127.0.0.1:PORT, or --allow-remote if the host is yours"
            )

    def may_call(self, url: str) -> bool:
        """Tell whether a URL is on this machine, or others are allowed."""
        host = self.connect_to[0] if self.connect_to else urlsplit(url).hostname or ""
        return self.allow_remote or is_loopback(host)

    def _try(
        self,
        request: Request,
        bare: str,
        settings: CallbackSettings,
        chance: random.Random,
        damage: Damage | None,
        pause: float,
    ) -> Reply:
        url, body = _place_params(request, bare)
        headers = self._headers(request, url, chance, damage)
        parts = urlsplit(url)
        default_port = 443 if parts.scheme == "https" else 80
        address = self.connect_to or (parts.hostname or "", parts.port or default_port)
        scheme = "http" if self.connect_to else parts.scheme
        connection = connect(scheme, address, settings.connect_timeout)
        try:
            write(connection, request.method, _target(url), parts.netloc, headers, body, damage, pause)
            return read(connection, min(settings.read_timeout, settings.total_time))
        finally:
            connection.close()

    def _headers(self, request: Request, url: str, chance: random.Random, damage: Damage | None) -> dict[str, str]:
        headers = {"User-Agent": "Dialstatus-Simulator", "Accept": "*/*"}
        if request.json is not None:
            return headers | {"Content-Type": "application/json"} | dict(request.headers)
        if request.method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if self.tell_simulated_time:
            headers[SIMULATED_TIME_HEADER] = request.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if self.token and damage is not Damage.UNSIGNED:
            headers |= sign(request, url, self.token, self.main_token or self.token, chance)
            if damage is Damage.BAD_SIGNATURE:
                headers |= {name: _spoil(value) for name, value in headers.items() if _is_signature(name)}
        return headers | dict(request.headers)


def send_again(
    url: str, method: str, params: Mapping[str, str], token: str | None, *, allow_remote: bool = False
) -> Reply:
    """Send stored parameters to a URL as Plivo would, newly signed, and return the reply.

    Raises WireError when no reply came, RemoteTargetError for another machine unless `allow_remote`.
    """
    request = Request(method=method, url=url, params=params, at=datetime.now(UTC))
    wire = Wire(token=token, allow_remote=allow_remote, tell_simulated_time=False)
    return wire.send(request, random.SystemRandom())


def sign(request: Request, url: str, token: str, main_token: str, chance: random.Random) -> dict[str, str]:
    """Return the V3 and V2 headers, plain and `Ma-`, with a nonce of 20 digits for each version."""
    params = [] if request.method == "GET" else list(request.params.items())
    third, second = (f"{chance.randrange(10**20):020d}" for _ in range(2))
    return {
        "X-Plivo-Signature-V3": sign_v3(method=request.method, url=url, params=params, nonce=third, token=token),
        "X-Plivo-Signature-Ma-V3": sign_v3(
            method=request.method, url=url, params=params, nonce=third, token=main_token
        ),
        "X-Plivo-Signature-V3-Nonce": third,
        "X-Plivo-Signature-V2": sign_v2(url=url, nonce=second, token=token),
        "X-Plivo-Signature-Ma-V2": sign_v2(url=url, nonce=second, token=main_token),
        "X-Plivo-Signature-V2-Nonce": second,
    }


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_listening(url: str, connect_to: tuple[str, int] | None) -> bool:
    """Tell whether anything accepts connections at a URL."""
    parts = urlsplit(url)
    address = connect_to or (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError:
        return False
    return True


def _place_params(request: Request, bare: str) -> tuple[str, bytes]:
    """Put the parameters, in byte order, into the body or before the URL's own query."""
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


def _has_another(settings: CallbackSettings, attempt: int, begun: float) -> bool:
    """Tell whether a further try is allowed: by count, and by the total time."""
    return attempt <= settings.retries and time.monotonic() - begun < settings.total_time


def _damage_of_try(damage: Damage | None, attempt: int) -> Damage | None:
    is_cut = damage in {Damage.CUT_BODY, Damage.CUT_REPLY}
    return None if is_cut and attempt > 1 else damage


def _is_signature(name: str) -> bool:
    return name.startswith("X-Plivo-Signature") and not name.endswith("Nonce")


def _spoil(signature: str) -> str:
    """Return a well-formed signature that is not this one."""
    return ("B" if signature[0] == "A" else "A") + signature[1:]
