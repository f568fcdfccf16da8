"""Clients that send what no HTTP client would: hand-written over raw sockets, or at random."""

import gzip
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import psutil

from tests.server.calls import inbound, new_uuid
from tests.support.server import Server

PATIENCE = 30  # Seconds; a reply that takes longer is lost.
HEAD = b"POST /dialstatus/action/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
# Follows a request whose end two parsers may see at different places.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
# How slow clients begin their requests.
BEGINNINGS = (
    b"P",
    b"POST /dialstatus/ HT",
    HEAD + b"X-Slow: ",
    HEAD + FORM + b"Content-Length: 5000\r\n\r\nCallUUID=",
    HEAD + FORM + b"Transfer-Encoding: chunked\r\n\r\n1000\r\nCallUUID=",
    (HEAD + FORM).replace(b"/dialstatus/action/", b"/login") + b"Content-Length: 5000\r\n\r\ntoken=",
)


def exchange(server: Server, raw: bytes) -> bytes:
    """Send bytes unchanged, close the sending side, and return all that comes back."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
        except TimeoutError:
            raise
        except OSError:
            pass  # A server that refuses may close before it has read everything.
        with suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
    return answer


def statuses(answer: bytes) -> list[int]:
    """Return the status of each response in what came back, without `100 Continue`."""
    # A body may end without a line break before the next response.
    found = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]
    return [status for status in found if status != 100]


def workers(server: Server) -> dict[int, int]:
    """Return the resident memory in bytes of each worker, by process id."""
    assert server.process
    return {child.pid: child.memory_info().rss for child in psutil.Process(server.process.pid).children()}


class Caller(threading.Thread):
    """Plivo, which keeps calling: every signed call must be answered with XML."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.answered: list[str] = []
        self.refused: list[str] = []
        self._enough = threading.Event()

    def run(self) -> None:
        """Call until told to stop."""
        while not self._enough.is_set():
            call_uuid = new_uuid()
            try:
                reply = self.server.plivo("POST", "/dialstatus/", inbound(call_uuid))
            except OSError as error:
                self.refused.append(repr(error))
                continue
            fine = reply.status == 200 and "<Dial" in reply.body
            (self.answered if fine else self.refused).append(call_uuid if fine else repr(reply))

    def stop(self) -> None:
        """Stop, and wait for the last answer."""
        self._enough.set()
        self.join(PATIENCE)
        assert not self.is_alive(), "a call was not answered"


class Fuzzer(threading.Thread):
    """Sends `requests` random requests and counts the statuses."""

    def __init__(self, server: Server, requests: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.requests = requests
        self.dice = random.Random(seed)
        self.counts: Counter[int] = Counter()
        self.faults: list[tuple[bytes, bytes]] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Send them all."""
        try:
            for _ in range(self.requests):
                raw = hostile_request(self.dice)
                answer = exchange(self.server, raw)
                self.counts.update(statuses(answer) or [0])
                if any(status >= 500 and status != 501 for status in statuses(answer)):  # 501: an unknown coding.
                    self.faults.append((raw[:500], answer[:500]))
        except BaseException as error:  # The test raises it.
            self.failure = error


_METHODS = (
    b"GET",
    b"POST",
    b"POST",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"P\x00ST",
    b"",
)
_PATHS = (
    *(b"/dialstatus/" + name for name in (b"", b"action/", b"callback/", b"ring/", b"hangup/", b"recording/")),
    *(b"/dialstatus/" + name for name in (b"fallback/", b"confirm/", b"voicemail/", b"phlo/", b"../", b"%00", b"x")),
    *(
        b"/",
        b"/?range=7d&hour=9",
        b"/calls/%ff",
        b"/login",
        b"/logout",
        b"/theme",
        b"/docs",
        b"/metrics",
        b"/healthz",
        b"/openapi.json",
    ),
    *(b"/api/v1/dials", b"/api/v1/dials.csv", b"/api/v1/summary", b"/api/v1/calls/x", b"/assets/../../config.py"),
    *(b"//dialstatus//", b"/" + b"a/" * 2000, b"*", b"http://10.0.0.1/dialstatus/", b"dialstatus", b"/\xff\xfe"),
)
_VERSIONS = (b"HTTP/1.1",) * 8 + (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.1 x", b"http/1.1", b"")
_NAMES = (
    b"CallUUID",
    b"DialStatus",
    b"DialALegUUID",
    b"DialBLegUUID",
    b"Event",
    b"From",
    b"To",
    b"EndTime",
    b"Duration",
    b"dial",
    b"seal",
    b"token",
    b"limit",
    b"cursor",
    b"since",
    b"group_by",
    b"X-PH-a",
    b"\xff",
    b"",
)
_VALUES = (
    b"",
    b"1",
    b"-1",
    b"9" * 400,
    b"%00",
    b"%ff%fe",
    b"%zz",
    b"%0d%0aX:%20y",
    b"<Hangup/>",
    b"'",
    b"%F0%9F%99%82",
    b"a" * 3000,
    b"completed",
    b"Hangup",
    b"hangup",
    b"2026-01-01 00:00:00",
    b"99999-99-99",
    b"NaN",
    b"1e999",
    b"true",
)
_FIELDS = (
    b"Content-Length: 5",
    b"Content-Length: 5, 5",
    b"Content-Length: -1",
    b"Content-Length: +5",
    b"Content-Length: 0x5",
    b"Content-Length: 99999999999999999999",
    b"Content-Length : 5",
    b"Content_Length: 5",
    b"content-length: 70000",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding: \x0bchunked",
    b"X: y\r\n Transfer-Encoding: chunked",
    b"X: y\nTransfer-Encoding: chunked",
    b"Content-Type: application/json",
    b"Content-Type: multipart/form-data; boundary=x",
    b"Content-Type: \xff",
    b"Content-Encoding: gzip",
    b"Expect: 100-continue",
    b"Expect: x",
    b"Upgrade: h2c",
    b'Host: a"><x>',
    b"Host: b\r\nHost: c",
    b"Host: " + b"a" * 4000,
    b"Cookie: session=" + b"x" * 3000,
    b"Authorization: Bearer \xff\xfe",
    b"Authorization: Basic x",
    b"X-Plivo-Signature-V3: ,,,\xff\r\nX-Plivo-Signature-V3-Nonce: 1",
    b"X-Plivo-Signature-V2: x",
    b"X-Request-ID: \x1b[2J",
    b"X-Forwarded-For: <script>",
    b"X-Forwarded-Proto: https",
    b"SCRIPT_NAME: /x",
    b"A" * 9000 + b": b",
    b"B: " + b"b" * 9000,
    b"NoColon",
    b": empty",
    b"N\x00: 1",
    b"\r\n",
    b"Range: bytes=0-99999999999",
    b"X-HTTP-Method-Override: PATCH",
)
_BODIES = (
    b"",
    b"CallUUID=1",
    b"abcde" + SMUGGLED,
    b"0\r\n\r\n" + SMUGGLED,
    b"5\r\nabcde\r\n0\r\n\r\n",
    b"-5\r\nabcde\r\n0\r\n\r\n",
    b"5;a=b\nxx\r\nabcde\r\n0\r\n\r\n",
    b"ffffffffffffffffffff\r\nabcde",
    b"zz\r\n",
    b"5\r\nabc",
    b"0\r\nX: y\r\n\r\n",
    b"1000\r\n" + b"a" * 4096 + b"\r\n",
    b"a" * 70_000,
    b"&" * 3000,
    b"a=b&" * 2000,
    b"%" * 1000,
    b"\x00" * 1000,
    b'{"a":' + b"[" * 3000,
    b'{"CallUUID": "\\ud800"}',
    b"[]",
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n',
    gzip.compress(b"CallUUID=" + b"a" * 3_000_000),
)


def hostile_request(dice: random.Random) -> bytes:
    """Return one request; some are odd but whole, some are broken."""
    method, path, version = dice.choice(_METHODS), dice.choice(_PATHS), dice.choice(_VERSIONS)
    pairs = [dice.choice(_NAMES) + b"=" + dice.choice(_VALUES) for _ in range(dice.randint(0, 3))]
    target = path + (b"?" + b"&".join(pairs) if pairs else b"")
    fields = [dice.choice(_FIELDS) for _ in range(dice.randint(0, 3))]
    body = dice.choice(_BODIES)
    # Half of them have a true length, so that their content reaches the application.
    if dice.random() < 0.5:
        fields = [field for field in fields if not any(word in field for word in (b"ength", b"ncoding", b"Host"))]
        fields += [b"Host: 127.0.0.1", b"Content-Length: %d" % len(body)]
        method, version = dice.choice((b"GET", b"POST", b"POST")), b"HTTP/1.1"
    raw = b"\r\n".join([method + b" " + target + b" " + version, *fields, b"Connection: close", b"", b""]) + body
    return _mutated(raw, dice) if dice.random() < 0.2 else raw


def _mutated(raw: bytes, dice: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(dice.randint(1, 5)):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed[: dice.randint(1, len(changed))]) if dice.random() < 0.3 else bytes(changed)


def chunks(body: bytes, size: int = 4096) -> Iterator[bytes]:
    """Yield a body in chunks, the empty last one included."""
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
