"""Callers whose webhooks are signed, paced and remembered by what was acknowledged."""

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from app.voice.signature import make_nonce, sign_v3
from tests.drills.reporters import webhooks
from tests.support.server import DEADLINE, TOKEN, Server, until

KINDS = ("answer", "callback", "action", "hangup")
_NOTICES = {"callback", "hangup"}
_CONNECTIONS = 16


def name_of(number: int) -> str:
    """Return the UUID of a call by its number."""
    return f"{number:08x}-0000-4000-8000-000000000000"


class Callers(threading.Thread):
    """Reports whole calls at `rate` webhooks a second, until `finish` is called.

    A notice that got a 503 is sent again by `send_refused_again`, as Plivo would do by and by.
    """

    def __init__(self, server: Server, rate: float) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._pause = 1 / rate
        self._over = threading.Event()
        self._numbers = itertools.count(1)
        self._next = 0.0
        self.acknowledged: dict[int, set[str]] = {}
        self.refused: list[tuple[int, str]] = []
        self._refusals: list[float] = []
        self.faults: list[str] = []  # Control replies that were no XML with a 200, and anything else unexpected.
        self.longest = 0.0  # Seconds that a caller waited for a reply.

    @property
    def count(self) -> int:
        """Return how many webhooks were acknowledged."""
        return sum(map(len, list(self.acknowledged.values())))

    def seconds_refused(self, since: float) -> float:
        """Return in how many seconds since a moment a notice was refused, to a half second."""
        return len({int(2 * at) for at in list(self._refusals) if at >= since}) / 2

    def run(self) -> None:
        """Report calls."""
        asyncio.run(self._report())

    def finish(self) -> None:
        """Stop, and wait for the last replies."""
        self._over.set()
        self.join(DEADLINE)
        assert not self.is_alive(), "a reply never came"

    def send_refused_again(self) -> int:
        """Send the refused notices again; return how many. Raises AssertionError where one is refused again."""
        refused, self.refused = self.refused, []
        asyncio.run(self._repeat_all(refused))
        return len(refused)

    def assert_stored(self, rows: Iterator[tuple[str, str]]) -> None:
        """Raise AssertionError unless each acknowledged webhook is among the receipts, by call UUID and kind."""
        stored = Counter((int(call_uuid[:8], 16), kind) for call_uuid, kind in rows)
        expected = {(number, kind) for number, kinds in self.acknowledged.items() for kind in kinds}
        assert expected - stored.keys() == set()

    async def _report(self) -> None:
        self._next = time.monotonic()
        await asyncio.gather(*(self._client() for _ in range(_CONNECTIONS)))

    async def _client(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        while not self._over.is_set():
            number = next(self._numbers)
            for kind, target, fields in webhooks(name_of(number)):
                self._next = max(self._next + self._pause, time.monotonic() - 1)  # Lost time is not made good.
                await asyncio.sleep(self._next - time.monotonic())
                await self._send(reader, writer, number, kind, self._request(target, fields))
        writer.close()

    async def _repeat_all(self, refused: list[tuple[int, str]]) -> None:
        await asyncio.gather(*(self._repeat(refused[first::_CONNECTIONS]) for first in range(_CONNECTIONS)))

    async def _repeat(self, refused: list[tuple[int, str]]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        for number, wanted in refused:
            [request] = [
                self._request(target, fields) for kind, target, fields in webhooks(name_of(number)) if kind == wanted
            ]
            await self._send(reader, writer, number, wanted, request)
            assert wanted in self.acknowledged[number], f"{wanted} of {name_of(number)} was refused again"
        writer.close()

    async def _send(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, kind: str, request: bytes
    ) -> None:
        begun = time.monotonic()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if head.startswith(b"http/1.1 200 "):
            self.acknowledged.setdefault(number, set()).add(kind)
        if kind in _NOTICES:
            if head.startswith(b"http/1.1 503 "):
                self.refused.append((number, kind))
                self._refusals.append(time.monotonic())
                return
        else:
            self.longest = max(self.longest, time.monotonic() - begun)
        if not head.startswith(b"http/1.1 200 ") or (kind not in _NOTICES and b"<Response" not in body):
            self.faults.append(f"{kind}: {head!r} {body!r}")

    def _request(self, target: str, fields: dict[str, str]) -> bytes:
        nonce, body = make_nonce(), urlencode(fields)
        url = self._server.url + target
        signature = sign_v3(method="POST", url=url, params=list(fields.items()), nonce=nonce, token=TOKEN)
        return (
            f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{self._server.port}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"X-Plivo-Signature-V3: {signature}\r\nX-Plivo-Signature-V3-Nonce: {nonce}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


@contextmanager
def calling(server: Server, rate: float) -> Iterator[Callers]:
    """Let callers report; they have finished afterwards."""
    callers = Callers(server, rate)
    callers.start()
    try:
        until(lambda: callers.count)
        yield callers
    finally:
        callers.finish()
