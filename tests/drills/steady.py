"""Webhooks one after another on many connections, each of them remembered with what came back."""

import asyncio
import threading
import time
from urllib.parse import urlencode

from tests.server.calls import dial_report, new_uuid
from tests.support.server import DEADLINE, Server


class SteadyLoad(threading.Thread):
    """Reports dials over `connections`, kept alive or new for each report, until told to finish.

    A client closes its connection where the server asks for that. A request without a whole reply is `failed`.
    """

    def __init__(self, server: Server, *, connections: int = 16, keeps_alive: bool = True) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._connections = connections
        self._keeps_alive = keeps_alive
        self._over = threading.Event()
        self.acknowledged: list[str] = []
        self.failed: list[str] = []
        self.half_answered: list[bytes] = []
        self.refused = 0  # Connections that nobody took.
        self.seconds: list[float] = []

    def run(self) -> None:
        """Report."""
        asyncio.run(self._all())

    def finish(self) -> "SteadyLoad":
        """Stop, and wait for the last replies."""
        self._over.set()
        self.join(DEADLINE)
        assert not self.is_alive(), "a reply never came"
        return self

    async def _all(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(self._connections)))

    async def _client(self) -> None:
        while not self._over.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port)
            except OSError:
                self.refused += 1
                await asyncio.sleep(0.02)
                continue
            try:
                while not self._over.is_set() and await self._report(reader, writer):
                    pass
            finally:
                writer.close()

    async def _report(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Report one dial; return whether the connection goes on."""
        call_uuid, got = new_uuid(), b""
        started = time.perf_counter()
        try:
            writer.write(request(call_uuid, keeps_alive=self._keeps_alive))
            while b"\r\n\r\n" not in got or not _is_whole(got):
                more = await reader.read(65536)
                if not more:
                    raise ConnectionError("closed")
                got += more
        except OSError as error:
            if got:
                self.half_answered.append(got)
            self.failed.append(f"{call_uuid}: {error!r} after {got!r}")
            return False
        self.seconds.append(time.perf_counter() - started)
        if got.startswith(b"HTTP/1.1 200 "):
            self.acknowledged.append(call_uuid)
        else:
            self.failed.append(f"{call_uuid}: {got[:100]!r}")
        return b"connection: close" not in got.lower()


def request(call_uuid: str, *, keeps_alive: bool = True) -> bytes:
    """Write a report on a dial, unsigned."""
    body = urlencode(dial_report(call_uuid, "busy"))
    close = "" if keeps_alive else "Connection: close\r\n"
    return (
        f"POST /dialstatus/action/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{close}"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _is_whole(reply: bytes) -> bool:
    head, _, body = reply.partition(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return len(body) >= lengths[0]
