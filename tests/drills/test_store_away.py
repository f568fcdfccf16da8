"""The store goes away while calls come in, and comes back: no caller notices, and no outcome is lost."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC
from pathlib import Path

import pytest

from app.records.spool.spool import Spool
from tests.drills.conftest import Tell
from tests.drills.load import Load, assert_callers_were_served, longest_control_reply
from tests.drills.sizes import sizes
from tests.support.postgresql import Postgresql
from tests.support.server import Server, until

Start = Callable[..., Server]
RATE = 8  # Calls started per second.
TIMEOUT = "0.8"  # The default.


@contextmanager
def away(spool: Spool, seconds: int) -> Iterator[None]:
    """Check that receipts go to the spool, and keep the store away for `seconds`."""
    begun = time.monotonic()
    yield
    until(lambda: spool.size() > 0)
    time.sleep(max(0, seconds - (time.monotonic() - begun)))


def drill(server: Server, take_away: Callable[[], object], bring_back: Callable[[], object], seconds: int) -> str:
    """Play calls, break the store for some seconds, repair it, and check that nothing is missing."""
    spool = Spool(Path(server.settings["INSTANCE_DIR"]) / "spool", zone=UTC)
    load = Load(server.url, rate=RATE)
    load.start()
    until(lambda: load.calls)
    with away(spool, seconds):
        take_away()
    waiting = spool.size()
    bring_back()
    back_since = time.monotonic()
    until(lambda: spool.size() == 0)
    drained = time.monotonic() - back_since
    calls = load.finish()
    until(lambda: spool.size() == 0)
    spool.close()

    assert_callers_were_served(calls)
    assert not server.events("receipt_lost")
    assert spool.set_aside_size() == 0
    sent_again = load.send_refused_again()
    load.assert_recorded()
    return (
        f"{seconds} s away, {len(calls)} calls, {sum(len(call.requests) for call in calls)} requests: 0 outcomes lost, "
        f"0 control replies that are not 2xx XML, the longest after {longest_control_reply(calls):.2f} s; "
        f"{sent_again} notices answered 503 and brought again; "
        f"{waiting} receipts waited on the spool and were in {drained:.1f} s after the store was back"
    )


@sizes(short=3, long=30)
def test_postgresql_is_stopped_under_load(
    start_server: Start, own_postgresql: Postgresql, tell: Tell, size: int
) -> None:
    server = start_server(DATABASE_URL=own_postgresql.url, STORE_TIMEOUT=TIMEOUT)

    tell(drill(server, own_postgresql.stop, lambda: own_postgresql.start(), size))


@sizes(short=3, long=30)
def test_postgresql_freezes_under_load(start_server: Start, own_postgresql: Postgresql, tell: Tell, size: int) -> None:
    server = start_server(DATABASE_URL=own_postgresql.url, STORE_TIMEOUT=TIMEOUT)

    tell(drill(server, own_postgresql.pause, own_postgresql.resume, size))


@sizes(short=3, long=30)
def test_sqlite_is_locked_by_another_process(start_server: Start, tmp_path: Path, tell: Tell, size: int) -> None:
    server = start_server(DATABASE_URL=f"sqlite:///{tmp_path / 'dialstatus.db'}", STORE_TIMEOUT=TIMEOUT)
    with closing(sqlite3.connect(tmp_path / "dialstatus.db", isolation_level=None, timeout=60)) as other:
        tell(
            drill(
                server,
                lambda: other.execute("BEGIN EXCLUSIVE"),
                lambda: other.execute("ROLLBACK"),
                size,
            )
        )


@pytest.mark.parametrize("is_shared", [False, True], ids=["spool-elsewhere", "spool-on-it"])
@sizes(short=3, long=30)
def test_the_file_system_is_full(
    start_server: Start, small_disk: Path, tmp_path: Path, tell: Tell, size: int, *, is_shared: bool
) -> None:
    instance = small_disk / "instance" if is_shared else tmp_path / "instance"
    database_url = f"sqlite:///{small_disk / 'dialstatus.db'}"
    server = start_server(DATABASE_URL=database_url, INSTANCE_DIR=instance, STORE_TIMEOUT=TIMEOUT)

    tell(drill(server, lambda: fill(small_disk), (small_disk / "filler").unlink, size))


def fill(disk: Path) -> None:
    """Write until the file system is full, to the last byte."""
    with (disk / "filler").open("wb", buffering=0) as file:
        for piece in (2**20, 2**12, 1):
            try:
                while file.write(bytes(piece)) == piece:
                    pass
            except OSError:
                continue
