"""SQLite: a report is acknowledged when the log with it is on disk, and nobody else waits for that."""

import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.records import migrate
from app.records.checkpoint import COMMITS
from app.records.journal import Journal
from app.records.receipt import Receipt, StoreUnavailable
from app.records.store import Store
from tests.records.scenarios import Call
from tests.support.server import until

sync = os.fdatasync


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dialstatus.db"


@pytest.fixture
def journals(path: Path) -> Iterator[tuple[Journal, Journal]]:
    """Give two journals of one file, as two processes have them; each has written once."""
    store = Store(f"sqlite:///{path}", timeout=5)
    migrate.upgrade(store)
    journals = Journal(store), Journal(store)
    for number, journal in enumerate(journals):
        journal.append(report(-number))
    yield journals
    for journal in journals:
        journal.close()
    store.close()


def report(number: int) -> Receipt:
    return Call(uuid=f"call-{number}", dial_id=f"dial-{number}").action("busy", "USER_BUSY", rang=True).receipts[0]


def test_others_write_while_one_waits_for_the_disk(
    journals: tuple[Journal, Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_syncing, may_go_on = threading.Event(), threading.Event()

    def sync_slowly(file: int) -> None:
        if not is_syncing.is_set():
            is_syncing.set()
            assert may_go_on.wait(30)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", sync_slowly)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(journals[0].append, report(1))
        assert is_syncing.wait(30)

        assert journals[1].append(report(2)).deliveries == 1
        assert not first.done()

        may_go_on.set()
        assert first.result().deliveries == 1


def test_what_is_acknowledged_is_in_what_was_synced(
    journals: tuple[Journal, Journal], path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, on_disk = Path(f"{path}-wal"), [b""]

    def sync_and_note(file: int) -> None:
        written = log.read_bytes()
        sync(file)
        on_disk.append(written)

    monkeypatch.setattr(os, "fdatasync", sync_and_note)

    def is_safe(journal: Journal, number: int) -> bool:
        journal.append(report(number))
        after_a_power_cut = tmp_path / f"cut-{number}.db"
        shutil.copy(path, after_a_power_cut)
        Path(f"{after_a_power_cut}-wal").write_bytes(max(on_disk, key=len))  # It only grows while nothing is copied.
        connection = sqlite3.connect(after_a_power_cut)
        [(kept,)] = connection.execute("SELECT count(*) FROM calls WHERE call_uuid = ?", (f"call-{number}",))
        connection.close()
        return bool(kept == 1)

    with ThreadPoolExecutor() as pool:
        numbers = range(1, COMMITS - 2)  # Each journal commits too little for a copy into the file.
        first = pool.submit(lambda: [is_safe(journals[0], number) for number in numbers])
        second = pool.submit(lambda: [is_safe(journals[1], 100 + number) for number in numbers])

    assert all(first.result())
    assert all(second.result())


def test_a_disk_that_refuses_to_sync_is_a_store_that_is_away(
    journals: tuple[Journal, Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = journals[0]

    def refuse(_file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", refuse)
        with pytest.raises(StoreUnavailable):
            journal.append(report(1))

    until(lambda: not journal.is_away)
    # It was written, only not known to be on disk: brought again it is recognised.
    assert journal.append(report(1)).deliveries == 2
