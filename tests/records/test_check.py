"""Records compared with their receipts, mended, copied and brought back."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC
from pathlib import Path

import pytest

from app.records.maintenance.backup import BackupError, backup, restore
from app.records.maintenance.check import CheckReport, check, count_calls
from app.records.store import migrate
from app.records.store.store import Store
from app.records.writing.journal import Journal
from app.voice.events import Kind
from tests.records.reading import rows, scalar, states
from tests.records.scenarios import SCENARIOS, START, Call, answered, lost_race, receipt
from tests.records.test_journal import busy_report


def checked(store: Store, *, repair: bool = False) -> CheckReport:
    return check(store, zone=UTC, repair=repair, step=lambda _: None)


def quiet(_done: int, _total: int) -> None:
    """Show no progress."""


@pytest.fixture
def filled(store: Store, journal: Journal) -> Store:
    """Return a store that holds a call of every kind, each told in an order of its own."""
    for name, scenario in SCENARIOS.items():
        told = [item for item in scenario().receipts if item.kind is not Kind.CDR]
        random.Random(name).shuffle(told)
        journal.append_all(told)
    journal.append_all([receipt(Kind.PHLO, None, {"DialStatus": "busy"}, START), busy_report(), busy_report()])
    journal.append(receipt(Kind.CALLBACK, "lonely", {"DialAction": "answer", "DialBLegUUID": "b"}, START))
    return store


def test_every_record_equals_the_fold_of_its_receipts(filled: Store) -> None:
    assert checked(filled) == CheckReport(damage=(), differing=(), repaired=0)
    assert count_calls(filled) == len(SCENARIOS) + 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE dials SET outcome = 'unknown'",
        "UPDATE calls SET hangup_code = 1, call_status = 'ringing'",
        "UPDATE dials SET targets = NULL, route = 'another'",
        "UPDATE legs SET duration = 7777, target = NULL",
        "DELETE FROM legs",
        "UPDATE recordings SET url = 'https://elsewhere.example.com'",
    ],
)
def test_a_record_that_was_changed_is_found_and_rewritten(filled: Store, change: str) -> None:
    before = states(filled)
    with filled.engine.connect() as connection:
        connection.exec_driver_sql(change)

    found = checked(filled)
    assert found.differing
    assert found.repaired == 0
    assert states(filled) != before

    assert checked(filled, repair=True).repaired == len(found.differing)
    assert states(filled) == before
    assert checked(filled).differing == ()


def test_a_lost_record_is_rewritten_from_its_receipts(filled: Store) -> None:
    before = states(filled)
    with filled.engine.connect() as connection:
        for table in ("recordings", "legs", "dials", "calls"):
            connection.exec_driver_sql(f"DELETE FROM {table}")

    assert checked(filled, repair=True).repaired == len(SCENARIOS) + 3
    assert states(filled) == before


def test_a_record_without_receipts_is_named_and_left_alone(filled: Store) -> None:
    with filled.engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM receipts")

    found = checked(filled, repair=True)

    assert (len(found.differing), found.repaired) == (len(SCENARIOS) + 3, 0)
    assert count_calls(filled) == len(SCENARIOS) + 3


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest, open_store: Callable[..., Store], tmp_path: Path) -> Store:
    """Return a second, empty store on each engine."""
    if request.param == "sqlite":
        return open_store(f"sqlite:///{tmp_path / 'second.db'}")
    return open_store(request.getfixturevalue("second_postgresql_url"))


def test_a_backup_is_restored_by_either_engine(filled: Store, other: Store, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    backup(filled, tmp_path / "copy", lambda done, total: told.append((done, total)))

    restore(other, tmp_path / "copy", quiet)

    assert states(other) == states(filled)
    query = "SELECT receipt_key, call_key, digest, params, deliveries, placement FROM receipts ORDER BY receipt_key"
    assert rows(other, query) == rows(filled, query)
    assert told[-1][0] == told[-1][1]
    assert not list(tmp_path.glob("copy?*"))
    assert checked(other) == CheckReport(damage=(), differing=(), repaired=0)


def test_a_backup_made_while_others_write_is_one_snapshot(
    store: Store, journal: Journal, open_store: Callable[..., Store], tmp_path: Path
) -> None:
    for number in range(30):
        journal.append(busy_report(number))
    written = []

    def write(done: int, _total: int) -> None:
        written.append(journal.append(busy_report(1000 + done)))

    backup(store, tmp_path / "copy", write)

    copy = open_store(f"sqlite:///{tmp_path / 'copy'}")
    assert written
    assert [scalar(copy, f"SELECT count(*) FROM {table}") for table in ("receipts", "calls", "dials")] == [30] * 3


def test_a_backup_overwrites_nothing(filled: Store, journal: Journal, tmp_path: Path) -> None:
    journal.close()
    (tmp_path / "there").write_text("mine")
    with pytest.raises(BackupError, match="exists already"):
        backup(filled, tmp_path / "there", quiet)

    backup(filled, tmp_path / "copy", quiet)
    with pytest.raises(BackupError, match="restore into an empty one"):
        restore(filled, tmp_path / "copy", quiet)

    assert (tmp_path / "there").read_text() == "mine"


@pytest.mark.parametrize("place", ["no such directory/copy", "a file/copy"])
def test_a_backup_that_cannot_be_written_is_refused_with_a_sentence(store: Store, tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").touch()

    with pytest.raises(BackupError, match=r"copy cannot be written: .*; name a new file in a directory"):
        backup(store, tmp_path / place, quiet)


def test_a_backup_is_readable_by_its_owner_only(store: Store, tmp_path: Path) -> None:
    backup(store, tmp_path / "copy", quiet)

    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600


def test_a_restored_backup_stays_as_it_is(filled: Store, other: Store, tmp_path: Path) -> None:
    copy = tmp_path / "why? 100%" / "copy"  # Words that mean something in a URL.
    copy.parent.mkdir()
    backup(filled, tmp_path / "copy", quiet)
    (tmp_path / "copy").rename(copy)
    before = copy.read_bytes()

    restore(other, copy, quiet)

    assert copy.read_bytes() == before
    assert list(copy.parent.iterdir()) == [copy]
    assert states(other) == states(filled)


@pytest.mark.parametrize("content", [b"", b"not a database" * 100, None])
def test_a_file_that_is_no_backup_is_refused(
    open_store: Callable[..., Store], sqlite_url: str, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "copy").write_bytes(content)

    with pytest.raises(BackupError):
        restore(open_store(sqlite_url), tmp_path / "copy", quiet)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP TABLE alembic_version", "is no copy of a store"),
        ("UPDATE alembic_version SET version_num = '9999'", "was made by another version"),
    ],
)
def test_a_file_of_another_kind_or_version_is_refused(
    store: Store, other: Store, tmp_path: Path, change: str, said: str
) -> None:
    backup(store, tmp_path / "copy", quiet)
    with closing(sqlite3.connect(tmp_path / "copy")) as connection, connection:
        connection.execute(change)

    with pytest.raises(BackupError, match=said):
        restore(other, tmp_path / "copy", quiet)


@pytest.fixture
def local(sqlite_url: str, open_store: Callable[..., Store]) -> Store:
    """Return an empty SQLite store."""
    store = open_store(sqlite_url, timeout=2)
    migrate.upgrade(store)
    return store


def file_of(store: Store) -> Path:
    return Path(store.url.database or "")


def test_a_cut_off_tail_of_the_write_ahead_log_loses_only_what_was_cut(
    local: Store, open_journal: Callable[[Store], Journal], open_store: Callable[..., Store], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(file_of(local))) as holder:  # While it is open the log is not folded into the file.
        holder.execute("SELECT count(*) FROM calls")
        journal = open_journal(local)
        for call in (answered(), lost_race(), Call(uuid="the-last").answer("+14155550111")):
            journal.append_all(call.receipts)
        journal.close()
        content, log = file_of(local).read_bytes(), Path(f"{file_of(local)}-wal").read_bytes()
    generator = random.Random(3)
    for number in range(8):
        torn = tmp_path / f"torn{number}.db"
        torn.write_bytes(content)
        cut = bytearray(log[: generator.randrange(32, len(log))])
        if number % 2:
            cut[generator.randrange(len(cut))] ^= 0xFF
        Path(f"{torn}-wal").write_bytes(cut)

        found = checked(open_store(f"sqlite:///{torn}"))

        assert found == CheckReport(damage=(), differing=(), repaired=0)  # Fewer records, perhaps; never half of one.


def test_a_damaged_file_is_named_and_nothing_is_repaired(
    local: Store, open_journal: Callable[[Store], Journal]
) -> None:
    journal = open_journal(local)
    for number in range(300):
        journal.append(busy_report(number))
    journal.close()
    content = bytearray(file_of(local).read_bytes())
    for page in range(6, len(content) // 4096, 3):
        content[page * 4096 : page * 4096 + 200] = b"\xaa" * 200
    file_of(local).write_bytes(content)

    found = checked(local, repair=True)

    assert found.damage
    assert found.repaired == 0
