"""Strangers attack as an assessment did, and Plivo's callers do not notice: answered soon, and none lost."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC
from pathlib import Path

import pytest

from app.records.spool.spool import Spool
from tests.drills.conftest import Tell
from tests.drills.genuine import GenuineCalls, calling
from tests.drills.sizes import sizes
from tests.support.database import rows
from tests.support.server import DEADLINE, ROOT, Server, until

Start = Callable[..., Server]
RATE = 8  # Genuine calls begun a second, of three requests each.
MOST_P99 = 0.1  # Seconds.
MOST_WAIT = 1.0  # Seconds for a control reply while the store is away; STORE_TIMEOUT is 0.8 of them.
LONG = 60  # Seconds of a round that is long enough for a 99th percentile.
ASIDE = 8  # Seconds of the most that calls come in peace, and with the store locked.
FILES = 1024  # systemd's usual limit of open files.


class Stranger:
    """The process of an assault; `done` is what it did."""

    def __init__(self, name: str, *, host: str, port: int, through: Sequence[str]) -> None:
        # Less important than the server and its callers: strangers bring processors of their own.
        command = [*through, "nice", "-n", "10", sys.executable, "-m", "tests.drills.assaults", name, host, str(port)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert self._process.stdout.readline() == "begun\n"
        self.done: dict[str, int] = {}

    def end(self) -> None:
        """End the assault."""
        self._process.terminate()
        output, _ = self._process.communicate(timeout=DEADLINE)
        assert self._process.returncode == 0
        self.done = json.loads(output)


@contextmanager
def locked_store(server: Server) -> Iterator[None]:
    """Hold the writers' lock of the database."""
    path = Path(server.settings["INSTANCE_DIR"]) / "dialstatus.db"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=DEADLINE)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        yield
        locking.execute("ROLLBACK")


def call(server: Server, seconds: float) -> GenuineCalls:
    """Have Plivo call for so long; return the calls."""
    with calling(server, rate=RATE) as calls:
        time.sleep(seconds)
    return calls


def drill(
    server: Server, name: str, tell: Tell, size: int, *, host: str = "127.0.0.1", through: Sequence[str] = ()
) -> None:
    """Have Plivo call in peace, beside an assault, and beside it with the store locked; check what became of it."""
    workers = server.workers()
    calm = call(server, min(ASIDE, size))
    stranger = Stranger(name, host=host, port=server.port, through=through)
    time.sleep(min(5, size))  # Until the assault is complete.
    beside = call(server, size)
    with locked_store(server):
        away = call(server, min(ASIDE, size))
    stranger.end()

    tell(
        f"{size} s of {name}: {len(beside.seconds)} control replies, 99th percentile {beside.p99 * 1000:.1f} ms "
        f"(without it {calm.p99 * 1000:.1f} ms), the longest {max(beside.seconds) * 1000:.0f} ms; with the store "
        f"locked besides, the longest of {len(away.seconds)} after {max(away.seconds):.2f} s; did {stranger.done}"
    )
    assert (calm.failed, beside.failed, away.failed) == ([], [], [])
    assert server.workers() == workers, "a worker died"
    assert [line for line in server.lines if "Traceback" in line] == []
    assert server.events("receipt_lost") == []
    assert_kept(server, calm.acknowledged + beside.acknowledged + away.acknowledged)
    if size >= LONG:
        assert beside.postponed == []
        assert beside.p99 < MOST_P99
        assert max(away.seconds) < MOST_WAIT


def assert_kept(server: Server, acknowledged: list[tuple[str, str]]) -> None:
    """Check that every acknowledged receipt is in the store once the spool has been brought in."""
    instance = Path(server.settings["INSTANCE_DIR"])
    with closing(Spool(instance / "spool", zone=UTC)) as spool:
        until(lambda: spool.size() == 0)
    kept = rows(
        f"sqlite:///{instance / 'dialstatus.db'}",
        instance.parent / "scratch",
        "SELECT call_uuid, kind FROM receipts JOIN calls USING (call_key)",
    )
    assert set(acknowledged) - set(kept) == set()


@pytest.fixture
def server(start_server: Start) -> Server:
    """Start a server as it is where nothing is set, but that it waits for the store no longer than its default."""
    return start_server(WORKERS=2, STORE_TIMEOUT="0.8", LOG_LEVEL="WARNING")


@pytest.fixture
def far_network() -> Iterator[tuple[str, list[str]]]:
    """Make a network with packets of 1500 bytes; yield our address in it and the command that runs another in it.

    Over loopback the kernel takes a whole reply at once, and a slow reader holds nothing.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can make the network whose packets are of 1500 bytes")
    name, here, there = f"ds{os.getpid()}", f"dh{os.getpid()}", f"dt{os.getpid()}"
    subnet = f"198.18.{os.getpid() % 250}"  # Of the range for measurements.
    commands = (
        f"ip netns add {name}",
        f"ip link add {here} mtu 1500 type veth peer name {there} mtu 1500 netns {name}",
        f"ip addr add {subnet}.1/24 dev {here}",
        f"ip link set {here} up",
        f"ip -n {name} addr add {subnet}.2/24 dev {there}",
        f"ip -n {name} link set {there} up",
    )
    try:
        for command in commands:
            made = subprocess.run(command.split(), check=False, capture_output=True, text=True)
            if made.returncode:
                pytest.skip(f"no network can be made here: {command}: {made.stderr.strip()}")
        yield f"{subnet}.1", ["ip", "netns", "exec", name]
    except FileNotFoundError:
        pytest.skip("the command `ip` is missing; install iproute2")
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.mark.parametrize(
    "name", ["costly signatures", "padded and huge lengths", "requests that stop", "idle and silent connections"]
)
@sizes(short=1, long=LONG)
def test_callers_are_answered_soon_and_kept_beside(server: Server, tell: Tell, size: int, name: str) -> None:
    drill(server, name, tell, size)


@pytest.mark.drill
@pytest.mark.parametrize("name", ["costly bodies", "requests that drip", "one captured V3 request"])
def test_callers_are_answered_soon_and_kept_beside_variants(server: Server, tell: Tell, name: str) -> None:
    drill(server, name, tell, LONG)


@sizes(short=1, long=LONG)
def test_callers_are_answered_soon_and_kept_beside_one_captured_v2_signature(
    start_server: Start, tell: Tell, size: int
) -> None:
    server = start_server(WORKERS=2, STORE_TIMEOUT="0.8", LOG_LEVEL="WARNING", ACCEPT_V2="true")

    drill(server, "one captured V2 signature", tell, size)


@sizes(short=1, long=LONG)
def test_callers_are_answered_soon_and_kept_beside_slow_readers(
    start_server: Start, far_network: tuple[str, list[str]], tell: Tell, size: int
) -> None:
    address, through = far_network
    server = start_server(WORKERS=2, STORE_TIMEOUT="0.8", LOG_LEVEL="WARNING", HOST="0.0.0.0")

    drill(server, "slow readers", tell, size, host=address, through=through)


@pytest.fixture
def few_files(server: Server) -> Server:
    """Limit the open files of the server's workers."""
    assert server.process
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        pytest.skip("the 2,600 connections need a limit of 3,000 open files: ulimit -n 3000")
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
    before = server.workers()
    server.process.send_signal(signal.SIGHUP)  # New workers begin with that limit.
    until(lambda: len(server.workers() - before) == len(before) == len(server.workers()))
    return server


@sizes(short=1, long=LONG)
def test_callers_are_answered_soon_and_kept_beside_more_connections_than_files(
    few_files: Server, tell: Tell, size: int
) -> None:
    drill(few_files, "more connections than files", tell, size)


@pytest.mark.drill
def test_callers_are_answered_and_kept_beside_connections_that_come_back_at_once(few_files: Server, tell: Tell) -> None:
    # As many as two processors can take in: callers wait in the same queue, so no bound in milliseconds is held.
    drill(few_files, "connections without a pause", tell, LONG // 2)
