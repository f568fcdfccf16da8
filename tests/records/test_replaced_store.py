"""A SQLite file that is moved, deleted or replaced while a server has it open."""

import logging
import shutil
import threading
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest

from app.records.maintenance.backup import BackupError, backup, restore
from app.records.model.receipt import StoreUnavailable
from app.records.spool.drainer import Drainer
from app.records.spool.spool import Spool
from app.records.store import migrate
from app.records.store.readiness import prove_write
from app.records.store.store import Store
from app.records.writing.journal import Journal
from tests.records.reading import scalar
from tests.records.test_journal import busy_report
from tests.support.server import until


def silent(*_: int) -> None:
    """Ignore progress."""


@pytest.fixture
def store(open_store: Callable[..., Store], sqlite_url: str) -> Store:
    """Return an empty SQLite store."""
    store = open_store(sqlite_url)
    migrate.upgrade(store)
    return store


def path_of(store: Store) -> Path:
    return Path(str(store.url.database))


def move_away(store: Store) -> Path:
    """Move the database's files as a person does, and return the directory they are in."""
    directory = path_of(store).parent / "moved"
    directory.mkdir()
    for file in path_of(store).parent.glob(f"{path_of(store).name}*"):
        file.rename(directory / file.name)
    return directory


def delete(store: Store) -> None:
    for file in path_of(store).parent.glob(f"{path_of(store).name}*"):
        file.unlink()


def replace_by_another_store(store: Store) -> None:
    other = Store(f"sqlite:///{path_of(store).with_name('other')}", timeout=20)
    migrate.upgrade(other)
    other.close()
    delete(store)
    other_path = path_of(other)
    other_path.rename(path_of(store))


@pytest.mark.parametrize("remove", [move_away, delete, replace_by_another_store])
def test_no_receipt_is_acknowledged_into_a_file_that_is_gone(
    store: Store, journal: Journal, remove: Callable[[Store], object], caplog: pytest.LogCaptureFixture
) -> None:
    journal.append(busy_report(1))
    remove(store)

    with caplog.at_level(logging.ERROR), pytest.raises(StoreUnavailable, match="moved, deleted or replaced"):
        journal.append(busy_report(2))

    assert "store_replaced" in [record.message for record in caplog.records]


@pytest.mark.parametrize("remove", [move_away, delete])
def test_without_a_file_no_write_is_proved_and_none_is_created(
    store: Store, journal: Journal, remove: Callable[[Store], object]
) -> None:
    journal.append(busy_report(1))
    remove(store)

    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            journal.append(busy_report(2))
        with pytest.raises(StoreUnavailable, match="run flask --app wsgi db upgrade"):
            prove_write(store)

    assert not path_of(store).exists()


def test_spooled_receipts_come_into_the_file_that_is_put_back(store: Store, journal: Journal, tmp_path: Path) -> None:
    journal.append(busy_report(1))
    moved = move_away(store)
    spool = Spool(tmp_path / "spool", zone=UTC)
    drainer = Drainer(spool, journal)
    with pytest.raises(StoreUnavailable):
        journal.append(busy_report(2))
    spool.put(busy_report(2))
    drainer.wake()

    shutil.copy(moved / path_of(store).name, path_of(store))  # Without the log: the first report is not in it.
    until(lambda: not spool.size())
    drainer.stop()

    assert scalar(store, "SELECT count(*) FROM receipts WHERE dial_id = 'dial-2'") == 1
    assert not journal.is_away


def test_a_file_that_is_no_store_is_not_taken_for_one(store: Store, journal: Journal) -> None:
    journal.append(busy_report(1))
    delete(store)
    path_of(store).touch()

    for number in range(2, 5):
        with pytest.raises(StoreUnavailable):
            journal.append(busy_report(number))
    migrate.upgrade(store)
    until(lambda: not journal.is_away)

    assert journal.append(busy_report(5)).deliveries == 1
    assert scalar(store, "SELECT count(*) FROM receipts") == 1


def test_a_file_moved_during_a_commit_acknowledges_nothing(store: Store) -> None:
    writer = store.connect_writer(in_turn=True)
    writer.begin([])
    writer.cursor.execute(store.statements.prove_write, (1,))
    move_away(store)

    with pytest.raises(StoreUnavailable, match="moved, deleted or replaced"):
        writer.commit()
    writer.close()


@pytest.mark.parametrize("is_moved_first", [False, True])
def test_a_restore_is_refused_while_a_server_has_the_store_open(
    store: Store, journal: Journal, tmp_path: Path, is_moved_first: bool
) -> None:
    backup(store, tmp_path / "copy", silent)
    journal.append(busy_report(1))
    if is_moved_first:
        move_away(store)

    with pytest.raises(BackupError, match="a server has this store open; stop the server"):
        restore(store, tmp_path / "copy", silent)
    journal.close()
    if is_moved_first:
        restore(store, tmp_path / "copy", silent)
        assert scalar(store, "SELECT count(*) FROM receipts") == 0


def test_no_server_writes_while_a_restore_runs(store: Store, journal: Journal, tmp_path: Path) -> None:
    journal.append(busy_report(1))
    journal.close()
    backup(store, tmp_path / "copy", silent)
    delete(store)
    refused = threading.Event()

    def write(_done: int, _total: int) -> None:
        with pytest.raises(StoreUnavailable, match="is being restored"):
            store.connect_writer(in_turn=True)
        refused.set()

    restore(store, tmp_path / "copy", write)

    assert refused.is_set()
    assert journal.append(busy_report(1)).deliveries == 2
