"""Processes are killed at random moments and files damaged: everything acknowledged is there, intact."""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from app import create_app
from app.cli.store_commands import db
from app.records.maintenance.check import CheckReport, check
from app.records.spool.spool import Spool
from app.records.store.store import Store
from config import Config
from tests.drills.conftest import Tell
from tests.drills.reporters import reporting
from tests.drills.sizes import sizes
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.database import rows
from tests.support.postgresql import Postgresql
from tests.support.server import Server, until

Start = Callable[..., Server]
WHOLE = CheckReport(damage=(), differing=(), repaired=0)


def checked(database_url: str, scratch: Path) -> CheckReport:
    """Check every record against its receipts, as `flask db check` does."""
    config = Config.load({"DATABASE_URL": database_url, "INSTANCE_DIR": str(scratch)})
    store = Store(config.database_url, timeout=60)
    try:
        return check(store, zone=UTC, repair=False, step=lambda _: None)
    finally:
        store.close()


def spool_of(server: Server) -> Spool:
    return Spool(Path(server.settings["INSTANCE_DIR"]) / "spool", zone=UTC)


def kill_a_worker(server: Server) -> None:
    assert server.process
    workers = psutil.Process(server.process.pid).children()
    os.kill(random.choice(workers).pid, signal.SIGKILL)


def kill_the_master(server: Server) -> None:
    server.kill_master()
    server.start()


def kill_all(server: Server) -> None:
    server.kill()
    server.start()


# Each engine gets half of the rounds.
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@sizes(short=3, long=100)
def test_processes_are_killed_at_random_moments(
    start_server: Start, request: pytest.FixtureRequest, tmp_path: Path, tell: Tell, size: int, engine: str
) -> None:
    database_url: str = request.getfixturevalue(f"{engine}_url")
    server = start_server(DATABASE_URL=database_url, LOG_LEVEL="ERROR")
    chance = random.Random(size)
    ways = [(kill_a_worker, kill_the_master, kill_all)[number % 3] for number in range(size)]
    chance.shuffle(ways)
    # Not at full speed: the machine has servers to start, and the final check reads every call.
    with reporting(server, pause=0.05) as reporters:
        for kill in ways:
            already = sum(len(reporter.acknowledged) for reporter in reporters)
            until(lambda already=already: sum(len(reporter.acknowledged) for reporter in reporters) > already)
            time.sleep(chance.random() / 2)
            kill(server)
    spool = spool_of(server)
    until(lambda: spool.size() == 0)
    server.stop()

    acknowledged = {one for reporter in reporters for one in reporter.acknowledged}
    kept = set(rows(database_url, tmp_path, "SELECT call_uuid, kind FROM receipts JOIN calls USING (call_key)"))
    assert acknowledged - kept == set()
    assert spool.set_aside_size() == 0
    spool.close()
    assert checked(database_url, tmp_path) == WHOLE
    tell(f"{size} kills, {len(acknowledged)} receipts acknowledged: 0 lost, 0 records that differ from their receipts")


@sizes(short=100, long=5000)
def test_the_server_is_killed_with_the_spool_full(
    start_server: Start, own_postgresql: Postgresql, tmp_path: Path, tell: Tell, size: int
) -> None:
    server = start_server(DATABASE_URL=own_postgresql.url, LOG_LEVEL="CRITICAL", STORE_TIMEOUT="0.8")
    own_postgresql.stop()
    connection = server.connect()
    for number in range(size):
        reply = server.plivo(
            "POST", f"/dialstatus/action/?dial=d-{number}", dial_report(f"call-{number}"), connection=connection
        )
        assert reply.status == 200
    connection.close()
    server.kill()
    own_postgresql.start()
    server.start()
    spool = spool_of(server)
    # Kill it again while it drains the spool.
    until(lambda: spool.size() < size)
    server.kill()
    server.start()
    until(lambda: spool.size() == 0)
    spool.close()

    counts = (
        "SELECT count(*), sum(deliveries), (SELECT count(*) FROM dials), (SELECT count(*) FROM calls) FROM receipts"
    )
    assert rows(own_postgresql.url, tmp_path, counts) == [(size, size, size, size)]
    assert checked(own_postgresql.url, tmp_path) == WHOLE
    tell(f"{size} receipts on the spool, killed twice: each came in exactly once")


@sizes(short=4, long=24)  # Every four rounds cover each kind of damage.
def test_a_damaged_file_is_survived_or_refused_with_a_sentence(
    start_server: Start, tmp_path: Path, tell: Tell, size: int
) -> None:
    database = tmp_path / "dialstatus.db"
    server = start_server(DATABASE_URL=f"sqlite:///{database}", LOG_LEVEL="ERROR")
    with reporting(server) as reporters:
        until(lambda: sum(len(reporter.acknowledged) for reporter in reporters) > 200)
        server.kill()
    content, log = database.read_bytes(), Path(f"{database}-wal").read_bytes()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = database.read_bytes()
    chance = random.Random(7)
    named = 0
    for number in range(size):
        torn = tmp_path / f"torn{number}.db"
        damage = (cut, changed)[number % 2]
        if number % 4 < 2:
            torn.write_bytes(content)
            Path(f"{torn}-wal").write_bytes(damage(log, chance))
        else:
            torn.write_bytes(damage(whole, chance))
        named += not is_survived(start_server(DATABASE_URL=f"sqlite:///{torn}", LOG_LEVEL="ERROR"), tmp_path)
    tell(
        f"{size} files and logs, cut or with a page of noise: {size - named} read whole, {named} named as damaged; "
        "every caller was answered and every receipt kept"
    )


def is_survived(server: Server, tmp_path: Path) -> bool:
    """Check that callers are served on a damaged file; return whether all of it could be read."""
    call_uuid = new_uuid()
    reply = server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    server.stop()
    spool = spool_of(server)
    waits = spool.size()
    spool.close()
    database_url = server.settings["DATABASE_URL"]
    config = Config.load({"INSTANCE_DIR": str(tmp_path / "check"), "DATABASE_URL": database_url})
    with create_app(config).app_context():
        said = CliRunner().invoke(db, ["check"])

    assert (reply.status, "<Dial" in reply.body) == (200, True)
    assert not server.events("receipt_lost")
    assert said.exception is None or isinstance(said.exception, SystemExit)
    is_kept = waits or rows(database_url, tmp_path, f"SELECT 1 FROM calls WHERE call_uuid = '{call_uuid}'")
    assert is_kept, server.lines
    is_whole = said.exit_code == 0
    assert ("Calls checked" if is_whole else "Error: ") in said.output
    return is_whole


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def changed(data: bytes, chance: random.Random) -> bytes:
    place = 4096 * chance.randrange(len(data) // 4096)
    return data[:place] + chance.randbytes(4096) + data[place + 4096 :]
