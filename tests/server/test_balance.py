"""Workers that share a port share its connections."""

import socket
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from app.server.balance import Shares
from tests.support.server import DEADLINE, Server, until


def test_who_has_clearly_more_than_another_is_ahead() -> None:
    shares = Shares()
    assert not shares.is_ahead(1000)  # There is nobody else.
    shares.tell(1, 3)
    assert not shares.is_ahead(6)
    assert shares.is_ahead(8)
    shares.tell(2, 100)
    assert shares.is_ahead(8)
    shares.forget(1)
    assert not shares.is_ahead(8)


def test_numbers_beyond_what_a_slot_holds_do_no_harm() -> None:
    shares = Shares()
    shares.tell(10**6, 10**6)

    assert shares.is_ahead(10**6)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells whose a connection is")
def test_a_burst_of_connections_is_taken_by_every_worker(start_server: Callable[..., Server]) -> None:
    server = start_server(WORKERS=2, VERIFY_SIGNATURES="off")

    def burst() -> bool:
        with ExitStack() as stack:
            for _ in range(60):
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE))
            taken = until(lambda: found if sum((found := sockets_of(server)).values()) >= 60 else None)
        return len(taken) == 2 and min(taken.values()) >= 20

    until(burst)  # A worker that is still starting takes none.


def sockets_of(server: Server) -> Counter[int]:
    """Count the sockets that each worker has open."""
    return Counter({pid: sockets(pid) for pid in server.workers()})


def sockets(pid: int) -> int:
    """Count the sockets that a process has open."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # Closed since it was listed.
            count += str(link.readlink()).startswith("socket:")
    return count
