"""Workers that share a port share its connections."""

import socket
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.ops.balance import Shares
from tests.server.calls import inbound as call
from tests.server.calls import new_uuid
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
    assert server.process
    master = server.process.pid
    children = Path(f"/proc/{master}/task/{master}/children")
    until(lambda: len(children.read_text().split()) == 2)
    server.plivo("POST", "/dialstatus/", call(new_uuid()))
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE))

        def taken() -> Counter[str]:
            return Counter({pid: sockets(pid) for pid in children.read_text().split()})

        shared = until(lambda: found if sum((found := taken()).values()) >= 60 else None)

    assert min(shared.values()) >= 20


def sockets(pid: str) -> int:
    """Count the sockets that a process has open."""
    return sum(str(link.readlink()).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir())
