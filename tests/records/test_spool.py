"""Receipts wait on local disk while the store is away, and come in exactly once."""

import fcntl
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest

from app.records.model.receipt import Receipt, StoreUnavailable, receipt_from_json, receipt_to_json
from app.records.spool.drainer import Drainer
from app.records.spool.spool import Spool, SpoolFull
from app.records.store import migrate
from app.records.store.store import Store
from app.records.writing.journal import Journal
from app.voice.events import CallHungUp, Kind
from tests.records.reading import rows, scalar, states
from tests.records.scenarios import ALICE, Call, answered, lost_race, receipt
from tests.records.test_journal import busy_report
from tests.support.server import ROOT, until


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Return an empty spool."""
    spool = Spool(tmp_path / "spool", zone=UTC)
    yield spool
    spool.close()


def test_spooled_receipts_are_stored_in_order(store: Store, journal: Journal, spool: Spool) -> None:
    for item in lost_race().receipts:
        spool.put(item)
    assert spool.size() == 7

    assert spool.drain(journal) == 7

    assert spool.size() == 0
    assert scalar(store, "SELECT count(*) FROM receipts WHERE deliveries = 1") == 7
    assert rows(store, "SELECT outcome, answered_by FROM dials") == [("answered", "+14155550122")]


def test_it_is_as_if_the_store_had_never_been_away(store: Store, journal: Journal, spool: Spool) -> None:
    call = answered()
    journal.append_all(call.receipts)
    expected = states(store)
    migrate.downgrade(store, "base")
    migrate.upgrade(store)
    for item in call.receipts[::2]:
        spool.put(item)
    journal.append_all(call.receipts[1::2])

    spool.drain(journal)

    assert states(store) == expected


@pytest.mark.parametrize(
    "item",
    [
        Call().answer(ALICE).receipts[0],
        busy_report()._replace(reply="<Response/>", request_id="x", sender=None, reply_micros=7),
        receipt(Kind.HANGUP, None, {"CallUUID": "a", "EndTime": "2024-09-26 14:06:23", "CallerName": "Jos\u00e9\0"}, 1),
    ],
)
def test_a_receipt_is_read_as_it_was_written(item: Receipt) -> None:
    assert receipt_from_json(receipt_to_json(item), UTC) == item


def test_times_are_read_in_the_accounts_zone() -> None:
    for zone, ended_at in ((UTC, 1_727_359_583_000), (timezone(timedelta(hours=5.5)), 1_727_339_783_000)):
        hangup = receipt(Kind.HANGUP, None, {"CallUUID": "a", "EndTime": "2024-09-26 14:06:23"}, ended_at + 500)

        event = receipt_from_json(receipt_to_json(hangup), zone).event

        assert isinstance(event, CallHungUp)
        assert event.ended_at == ended_at


def test_copies_on_the_spool_are_counted_as_copies(store: Store, journal: Journal, spool: Spool) -> None:
    journal.append(busy_report())
    for _ in range(3):
        spool.put(busy_report())

    spool.drain(journal)

    assert rows(store, "SELECT deliveries FROM receipts") == [(4,)]


def test_receipts_drained_twice_are_stored_once(store: Store, journal: Journal, spool: Spool, tmp_path: Path) -> None:
    for number in (1, 1, 2):
        spool.put(busy_report(number))
    with closing(sqlite3.connect(tmp_path / "spool" / "spool.db")) as connection, connection:
        waiting = connection.execute("SELECT number, receipt FROM spool").fetchall()
        spool.drain(journal)
        connection.executemany("INSERT INTO spool VALUES (?, ?)", waiting)  # As if the process had died before.

    spool.drain(journal)

    assert rows(store, "SELECT deliveries FROM receipts ORDER BY deliveries") == [(1,), (2,)]
    assert spool.size() == 0


def test_a_refused_receipt_is_set_aside_and_does_not_hold_up_others(
    store: Store, journal: Journal, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        spool.put(busy_report(number)._replace(path="\ud800" if number == 2 else "/"))

    assert spool.drain(journal) == 4

    assert (spool.size(), spool.set_aside_size()) == (0, 1)
    [kept] = spool.set_aside()
    assert "call-2" in kept.text
    assert kept.reason
    assert "UnicodeEncodeError" in kept.reason
    assert scalar(store, "SELECT count(*) FROM receipts") == 4
    assert [record.msg for record in caplog.records if record.levelname == "ERROR"] == ["receipt_set_aside"]


def test_a_removed_person_is_not_left_in_the_files_by_receipts_drained_before(
    journal: Journal, spool: Spool, tmp_path: Path
) -> None:
    spool.put(busy_report()._replace(path="/of-a-person/"))
    spool.drain(journal)

    assert spool.remove(lambda text: "of-a-person" in text) == 0

    assert not [path.name for path in (tmp_path / "spool").glob("spool.db*") if b"of-a-person" in path.read_bytes()]


@pytest.mark.parametrize("text", ["{", "[]", "7", "{}", '{"kind": "seance"}', "null"])
def test_a_receipt_that_cannot_be_read_is_set_aside(journal: Journal, spool: Spool, tmp_path: Path, text: str) -> None:
    spool.put(busy_report())
    with closing(sqlite3.connect(tmp_path / "spool" / "spool.db")) as connection, connection:
        connection.execute("INSERT INTO spool (receipt) VALUES (?)", (text,))

    assert spool.drain(journal) == 1

    assert [item.text for item in spool.set_aside()] == [text]


def test_a_disk_that_refuses_it_too_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SpoolFull):
        Spool(tmp_path / "file", zone=UTC).put(busy_report())


def test_a_spool_that_was_moved_away_is_created_again(spool: Spool, tmp_path: Path) -> None:
    spool.put(busy_report(1))
    (tmp_path / "spool").rename(tmp_path / "elsewhere")

    spool.put(busy_report(2))

    assert ["call-2" in item.text for item in spool.waiting()] == [True]


@pytest.mark.parametrize("is_in_transaction", [False, True])
def test_a_lock_that_another_process_holds_delays_a_receipt_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_in_transaction: bool
) -> None:
    spool = Spool(tmp_path / "spool", zone=UTC, timeout=0.4)
    spool.put(busy_report(1))
    with (
        (tmp_path / "spool" / "write.lock").open("r+b") as lock,
        closing(sqlite3.connect(tmp_path / "spool" / "spool.db", isolation_level=None)) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_in_transaction:
            other.execute("BEGIN IMMEDIATE")
        put = pool.submit(spool.put, busy_report(2))
        while not put.done():
            assert spool.size() in {1, 2}  # Metrics are read meanwhile.
        raised = put.exception(timeout=30)

    assert isinstance(raised, SpoolFull) is is_in_transaction
    assert spool.size() == (1 if is_in_transaction else 2)
    assert "spool_lock_held" in caplog.messages


def test_an_unused_spool_touches_no_disk(tmp_path: Path, spool: Spool) -> None:
    assert (spool.size(), spool.waiting(), spool.set_aside(), spool.set_aside_size()) == (0, [], [], 0)
    assert not (tmp_path / "spool").exists()


def test_many_threads_put_at_once(spool: Spool) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: spool.put(busy_report(number)), range(200)))

    assert spool.size() == 200


@pytest.fixture
def drainer(spool: Spool, journal: Journal) -> Iterator[Drainer]:
    """Return a drainer that is stopped after the test."""
    drainer = Drainer(spool, journal)
    yield drainer
    drainer.stop()


def test_receipts_that_wait_together_are_synced_together(spool: Spool, tmp_path: Path) -> None:
    spool.put(busy_report())
    log = tmp_path / "spool" / "spool.db-wal"
    before = log.stat().st_size
    with (tmp_path / "spool" / "write.lock").open("rb") as lock, ThreadPoolExecutor(64) as threads:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = [threads.submit(spool.put, busy_report(number)) for number in range(1, 65)]
        time.sleep(0.5)
        fcntl.flock(lock, fcntl.LOCK_UN)
    assert [one.result() for one in waiting] == [None] * 64
    assert spool.size() == 65
    # A transaction of its own writes a page or more.
    assert log.stat().st_size - before < 64 * 4096


def test_a_drainer_woken_again_and_again_leaves_nothing_behind(store: Store, spool: Spool, drainer: Drainer) -> None:
    for number in range(60):
        spool.put(busy_report(number))
        drainer.wake()

    until(lambda: spool.size() == 0)
    assert rows(store, "SELECT count(*), sum(deliveries) FROM receipts") == [(60, 60)]


def test_when_the_store_is_back_the_spool_empties_by_itself(
    sqlite_url: str,
    open_store: Callable[..., Store],
    open_journal: Callable[[Store], Journal],
    spool: Spool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = open_store(sqlite_url, timeout=0.3)
    migrate.upgrade(store)
    journal = open_journal(store)
    drainer = Drainer(spool, journal)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            journal.append(busy_report())
        spool.put(busy_report())
        with pytest.raises(StoreUnavailable):
            spool.drain(journal)  # Before the drainer does: one of two leaves it to the other.
        drainer.wake()
        until(lambda: "batch_failed" in caplog.text)  # What was given up is not kept after all.
        other.execute("ROLLBACK")

    until(lambda: spool.size() == 0)
    drainer.stop()
    assert rows(store, "SELECT deliveries FROM receipts") == [(1,)]


DRAIN = """
import sys
from datetime import UTC
from pathlib import Path
from app.records.writing.journal import Journal
from app.records.spool.spool import Spool
from app.records.store.store import Store
spool, journal = Spool(Path(sys.argv[2]), zone=UTC), Journal(Store(sys.argv[1], timeout=20))
print("ready", flush=True)
sys.stdin.readline()
while spool.size():
    spool.drain(journal)
journal.close()
"""


def start_drain(store: Store, directory: Path) -> "subprocess.Popen[bytes]":
    """Start a process that empties the spool as soon as it is told to."""
    url = store.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", DRAIN, url, str(directory)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


def go(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin
    process.stdin.write(b"\n")
    process.stdin.flush()


def test_two_processes_that_drain_at_once_store_each_receipt_once(store: Store, spool: Spool, tmp_path: Path) -> None:
    for number in range(300):
        spool.put(busy_report(number // 2))
    processes = [start_drain(store, tmp_path / "spool") for _ in range(2)]
    for process in processes:
        go(process)
    for process in processes:
        process.communicate()

    assert [process.returncode for process in processes] == [0, 0]
    assert spool.size() == 0
    assert rows(store, "SELECT DISTINCT deliveries FROM receipts") == [(2,)]
    assert scalar(store, "SELECT count(*) FROM receipts") == 150


def fill(spool: Spool, directory: Path, count: int) -> None:
    """Put so many receipts on a spool, two of each; in one transaction, as each `put` waits for the disk."""
    spool.put(busy_report())  # Makes its tables.
    waiting = [(receipt_to_json(busy_report(number // 2)),) for number in range(1, count)]
    with closing(sqlite3.connect(directory / "spool.db")) as connection, connection:
        connection.executemany("INSERT INTO spool (receipt) VALUES (?)", waiting)


def test_killed_in_the_middle_nothing_is_lost_and_nothing_counts_twice(
    store: Store, spool: Spool, journal: Journal, tmp_path: Path
) -> None:
    generator = random.Random(7)
    fill(spool, tmp_path / "spool", 3000)
    for _ in range(3):
        goal = max(0, spool.size() - generator.randrange(50, 150))
        process = start_drain(store, tmp_path / "spool")
        go(process)
        until(lambda goal=goal: spool.size() <= goal)
        process.kill()
        process.communicate()

    spool.drain(journal)

    assert spool.size() == 0
    assert rows(store, "SELECT count(*), sum(deliveries), max(deliveries) FROM receipts") == [(1500, 3000, 2)]
