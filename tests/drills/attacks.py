"""The ways in which strangers attack: each goes on until it is cancelled, and counts what it did."""

import asyncio
import random
import secrets
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode

from app.voice.signature import make_nonce, sign_v2, sign_v3
from tests.server.calls import new_uuid
from tests.support.server import TOKEN

_HELD = 12  # Seconds after which a reader that takes nothing connects again; the server is to drop it before that.


@dataclass
class Target:
    """Where an attack goes, and what it has done so far."""

    host: str
    port: int
    counts: Counter[str] = field(default_factory=Counter)


Attack = Callable[[Target], Awaitable[None]]


def closed_loop(clients: int, make: Callable[[Target], Callable[[], bytes]]) -> Attack:
    """Send one request after the other on each of so many connections, as fast as they are answered."""

    async def attack(target: Target) -> None:
        message = make(target)
        await asyncio.gather(*(client(target, message) for _ in range(clients)))

    async def client(target: Target, message: Callable[[], bytes]) -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(target.host, target.port)
                try:
                    while await _exchange(reader, writer, message(), target.counts):
                        pass
                finally:
                    writer.close()
            await asyncio.sleep(0.01)

    return attack


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes, counts: Counter[str]
) -> bool:
    """Return whether the connection goes on after this reply."""
    writer.write(message)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    await reader.readexactly(length)
    counts[f"answered {head[9:12].decode()}"] += 1
    return b"connection: close" not in head


def holding(
    clients: int, messages: Sequence[bytes], *, pause: float = 1, drip: bytes = b"", half_closes: bool = False
) -> Attack:
    """Hold so many connections, each with one message sent; open each again some `pause` seconds after its end."""

    async def attack(target: Target) -> None:
        await asyncio.gather(*(client(target, messages[number % len(messages)]) for number in range(clients)))

    async def client(target: Target, message: bytes) -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(target.host, target.port)
                target.counts["connections held"] += 1
                try:
                    writer.write(message)
                    if half_closes:
                        writer.write_eof()
                    await _until_closed(reader, writer, drip)
                finally:
                    writer.close()
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))

    return attack


async def _until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drip: bytes) -> None:
    reading = asyncio.ensure_future(reader.read(-1))
    while not reading.done():
        await asyncio.wait([reading], timeout=1 if drip else None)
        if drip and not reading.done():
            writer.write(drip)
    await reading


def churning(rate: float) -> Attack:
    """Open so many connections a second that say nothing; they stay until the server closes them."""

    async def attack(target: Target) -> None:
        silent = set()
        while True:
            silent.add(asyncio.ensure_future(client(target)))
            silent = {each for each in silent if not each.done()}
            await asyncio.sleep(1 / rate)

    async def client(target: Target) -> None:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(target.host, target.port)
            target.counts["silent connections"] += 1
            try:
                await reader.read(-1)
            finally:
                writer.close()

    return attack


def not_reading(clients: int, message: bytes, *, takes: int = 0) -> Attack:
    """Ask for much and read nothing, or so many bytes a second, with the smallest window that there is."""

    async def attack(target: Target) -> None:
        await asyncio.gather(*(client(target) for _ in range(clients)))

    async def client(target: Target) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with suppress(OSError), socket.socket() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                connection.setblocking(False)
                await loop.sock_connect(connection, (target.host, target.port))
                target.counts["slow readers"] += 1
                with suppress(TimeoutError):  # Not all of the message may be taken.
                    await asyncio.wait_for(loop.sock_sendall(connection, message), 1)
                for _ in range(_HELD):
                    await asyncio.sleep(1)
                    if takes and not await loop.sock_recv(connection, takes):
                        break

    return attack


def all_of(*attacks: Attack) -> Attack:
    """Run several attacks at once."""

    async def attack(target: Target) -> None:
        await asyncio.gather(*(each(target) for each in attacks))

    return attack


def in_turn(*messages: bytes) -> Callable[[Target], Callable[[], bytes]]:
    """Return what makes these messages over and over."""

    def make(_target: Target) -> Callable[[], bytes]:
        state = Counter[str]()

        def message() -> bytes:
            state["sent"] += 1
            return messages[state["sent"] % len(messages)]

        return message

    return make


def post(path: str, body: bytes, *fields: str, kind: str = "application/x-www-form-urlencoded") -> bytes:
    """Write a request whose length is right."""
    head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {kind}", *fields]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def forging(versions: str) -> Callable[[Target], Callable[[], bytes]]:
    """Return what makes notices by one captured signature: V2 with random dials and legs, or V3 repeated as it was."""

    def make(target: Target) -> Callable[[], bytes]:
        url, nonce = f"http://127.0.0.1:{target.port}/dialstatus/callback/", make_nonce()
        call_uuid = new_uuid()
        host = f"Host: 127.0.0.1:{target.port}"
        known = {"CallUUID": call_uuid, "DialAction": "hangup", "DialBLegUUID": "captured"}
        v3 = sign_v3(method="POST", url=url, params=list(known.items()), nonce=nonce, token=TOKEN)
        v2 = sign_v2(url=url, nonce=nonce, token=TOKEN)

        def message() -> bytes:
            if versions == "V3":
                signed = (f"X-Plivo-Signature-V3: {v3}", f"X-Plivo-Signature-V3-Nonce: {nonce}")
                return _to(host, post("/dialstatus/callback/", urlencode(known).encode(), *signed))
            signed = (f"X-Plivo-Signature-V2: {v2}", f"X-Plivo-Signature-V2-Nonce: {nonce}")
            forged = known | {"DialBLegUUID": secrets.token_hex(8)}
            path = f"/dialstatus/callback/?dial={secrets.token_hex(8)}"
            return _to(host, post(path, urlencode(forged).encode(), *signed))

        return message

    return make


def _to(host: str, message: bytes) -> bytes:
    return message.replace(b"Host: 127.0.0.1", host.encode(), 1)
