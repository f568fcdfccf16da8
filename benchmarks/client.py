"""A small load generator: many connections, one request at a time on each, and every reply's status.

It is what proves the peers right, request by request, and what loads them where wrk is not installed. It is written in
Python, so it takes a larger part of the machine than wrk does.
"""

import itertools
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_DEADLINE = 30.0  # Seconds without a reply after which a server counts as hung.


@dataclass(slots=True)
class Answers:
    """The status of each request, 0 without a reply; latencies in milliseconds."""

    statuses: list[int]
    latencies: list[float]
    seconds: float = 0.0


@dataclass(slots=True, eq=False)
class _Connection:
    socket: socket.socket
    number: int = -1
    sent_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)


def send_all(port: int, requests: Sequence[bytes], *, connections: int, seconds: float | None = None) -> Answers:
    """Send requests over `connections`, all of them or for `seconds`."""
    answers = Answers([0] * len(requests), [])
    started = time.perf_counter()
    ends = started + seconds if seconds else float("inf")
    following = iter(range(len(requests)))
    with selectors.DefaultSelector() as selector:
        for first in itertools.islice(following, connections):
            _send(_open(port, selector), requests, first)
        while selector.get_map() and (ready := selector.select(_DEADLINE)):
            for key, _events in ready:
                connection: _Connection = key.data
                status, stays = _receive(connection)
                if status is None:
                    continue
                answers.statuses[connection.number] = status
                answers.latencies.append((time.perf_counter() - connection.sent_at) * 1000)
                number = next(following, None) if time.perf_counter() < ends else None
                if number is None or not stays:
                    selector.unregister(connection.socket)
                    connection.socket.close()
                if number is not None:
                    _send(connection if stays else _open(port, selector), requests, number)
    answers.seconds = time.perf_counter() - started
    return answers


def _open(port: int, selector: selectors.BaseSelector) -> _Connection:
    opened = socket.create_connection(("127.0.0.1", port), timeout=_DEADLINE)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = _Connection(opened)
    selector.register(opened, selectors.EVENT_READ, connection)
    return connection


def _send(connection: _Connection, requests: Sequence[bytes], number: int) -> None:
    connection.number, connection.sent_at = number, time.perf_counter()
    connection.received.clear()
    connection.socket.sendall(requests[number])


def _receive(connection: _Connection) -> tuple[int | None, bool]:
    """Return the status once the reply is whole (0: cut off), and whether the connection stays open."""
    try:
        piece = connection.socket.recv(65536)
    except OSError:
        piece = b""
    received = connection.received
    received += piece
    head, end, body = bytes(received).partition(b"\r\n\r\n")
    if not end:
        return (None, True) if piece else (0, False)
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    }
    length = fields.get(b"content-length")
    if length is None or len(body) < int(length):
        return (None, True) if piece else (_status(head) if length is None else 0, False)
    return _status(head), fields.get(b"connection", b"").lower() != b"close"


def _status(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])
