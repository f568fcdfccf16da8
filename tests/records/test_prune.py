"""Records leave when they are old, and a person leaves everywhere."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import pytest

from app.records.maintenance.check import CheckReport, check, count_calls
from app.records.maintenance.prune import Erased, count_older, count_receipts, erase, prune
from app.records.maintenance.retention import Retention
from app.records.model.ids import make_key, now
from app.records.model.receipt import StoreUnavailable
from app.records.reading.incomplete import open_calls
from app.records.rollups.counting import Kind as RollupKind
from app.records.rollups.update import update_rollups
from app.records.spool.spool import Spool
from app.records.store import migrate
from app.records.store.store import Store
from app.records.writing.journal import Journal
from app.voice.events import Kind
from tests.records.reading import rows, scalar, states
from tests.records.scenarios import ALICE, BOB, CALLER, Call, answered, lost_race, receipt
from tests.support.server import until

HOUR = 60 * 60 * 1000
DAY = 24 * HOUR
# Near enough that its hours are counted in a moment, and in the middle of one, as a few seconds later is the same hour.
PAST = (now() - 5 * DAY) // HOUR * HOUR + HOUR // 2


COUNTED = f"SELECT outcome, target, dials FROM call_rollups WHERE kind = {RollupKind.DIAL_TARGET}"


def quiet(_count: int) -> None:
    """Show no progress."""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Return an empty spool."""
    spool = Spool(tmp_path / "spool", zone=UTC)
    yield spool
    spool.close()


def test_older_calls_are_deleted_whole_and_the_rest_stays(store: Store, journal: Journal) -> None:
    for day in range(-3, 3):
        journal.append_all(Call(at=PAST + day * DAY).answer(ALICE).action("busy", "USER_BUSY", rang=True).receipts)
    before = scalar(store, "SELECT min(call_key) FROM calls WHERE call_key >= " + str(make_key(PAST) - 2**22))
    told: list[int] = []

    assert count_older(store, before=PAST) == 3
    assert prune(store, before=PAST, step=told.append) == 3

    assert (sum(told), count_older(store, before=PAST)) == (3, 0)
    assert rows(store, "SELECT min(call_key) FROM calls") == [(before,)]
    assert [scalar(store, f"SELECT count(*) FROM {table}") for table in ("calls", "dials", "receipts")] == [3, 3, 6]
    assert check(store, zone=UTC, repair=False, step=quiet) == CheckReport(damage=(), differing=(), repaired=0)


def test_more_calls_than_one_transaction_holds_are_deleted(store: Store, journal: Journal) -> None:
    for number in range(130):
        journal.append(Call(at=PAST + number).answer(ALICE).receipts[0])

    assert prune(store, before=PAST + DAY, step=quiet) == 130

    assert [scalar(store, f"SELECT count(*) FROM {table}") for table in ("calls", "dials", "receipts")] == [0, 0, 0]


def test_webhooks_are_stored_while_old_records_are_deleted(store: Store, journal: Journal) -> None:
    for number in range(120):
        journal.append(Call(at=PAST + number).answer(ALICE).receipts[0])

    prune(store, before=PAST + DAY, step=lambda _: keep_one(journal))

    assert scalar(store, "SELECT count(*) FROM calls") == 3


def keep_one(journal: Journal) -> None:
    journal.append(Call(at=PAST + 2 * DAY).answer(ALICE).receipts[0])


def test_old_records_are_deleted_by_the_retention_job(store: Store, journal: Journal, tmp_path: Path) -> None:
    journal.append_all([*Call(at=PAST).answer(ALICE).receipts, *Call(at=now()).answer(ALICE).receipts])
    both = [Retention(store, days=2, directory=tmp_path) for _ in range(2)]
    for retention in both:
        retention.wake()

    until(lambda: scalar(store, "SELECT count(*) FROM calls") == 1)

    for retention in both:
        retention.stop()
    assert count_older(store, before=PAST + DAY) == 0


def test_figures_of_the_past_outlive_their_dials(store: Store, journal: Journal) -> None:
    for number in range(3):
        call = Call(at=PAST + number * 1000).answer(ALICE, BOB).action("busy", "USER_BUSY", rang=True)
        journal.append_all(call.receipts)

    prune(store, before=PAST + DAY, step=quiet)
    update_rollups(store)

    assert scalar(store, "SELECT count(*) FROM dials") == 0
    assert rows(store, f"{COUNTED} ORDER BY target") == [("busy", ALICE, 3), ("busy", BOB, 3)]


def test_a_number_that_contains_the_persons_digits_stays_in_the_figures(
    store: Store, journal: Journal, spool: Spool
) -> None:
    journal.append_all(Call(at=PAST).answer(BOB).action("busy", "USER_BUSY", rang=True).receipts)
    update_rollups(store)

    erase(store, spool, f"+{BOB[2:]}", quiet)

    assert rows(store, COUNTED) == [("busy", BOB, 1)]


def test_an_erased_call_leaves_the_figures(store: Store, journal: Journal, spool: Spool) -> None:
    for target in (ALICE, BOB):
        journal.append_all(Call(at=PAST).answer(target).action("busy", "USER_BUSY", rang=True).receipts)
    update_rollups(store)

    erase(store, spool, BOB, quiet)
    mentioning = "SELECT count(*) FROM call_rollups WHERE target = '{0}' OR answered_by = '{0}' OR to_number = '{0}'"
    assert scalar(store, mentioning.format(BOB)) == 0
    update_rollups(store)

    assert rows(store, COUNTED) == [("busy", ALICE, 1)]


def test_a_person_is_taken_out_of_the_figures_of_deleted_calls_and_the_figures_stay(
    store: Store, journal: Journal, spool: Spool
) -> None:
    journal.append_all(Call(at=PAST).answer(BOB).action("busy", "USER_BUSY", rang=True).receipts)
    prune(store, before=PAST + HOUR, step=quiet)

    erase(store, spool, BOB, quiet)
    update_rollups(store)

    assert rows(store, COUNTED) == [("busy", None, 1)]


def test_a_late_report_does_not_count_a_pruned_hour_again(store: Store, journal: Journal) -> None:
    for number in range(3):
        journal.append_all(Call(at=PAST + number).answer(ALICE).action("busy", "USER_BUSY", rang=True).receipts)
    prune(store, before=PAST + HOUR, step=quiet)

    journal.append_all(Call(at=PAST).answer(ALICE).action("busy", "USER_BUSY", rang=True).receipts)
    update_rollups(store)

    assert rows(store, COUNTED) == [("busy", ALICE, 3)]


def test_an_interrupted_deletion_goes_on_where_it_ended(store: Store, journal: Journal) -> None:
    for number in range(120):
        journal.append(Call(at=PAST + number).answer(ALICE).receipts[0])

    def stop(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(store, before=PAST + HOUR, step=stop)

    assert prune(store, before=PAST + HOUR, step=quiet) == 70
    assert rows(store, COUNTED) == [("in_progress", ALICE, 120)]


@pytest.mark.parametrize(
    "do",
    [
        lambda store, _: count_older(store, before=PAST),
        lambda store, _: prune(store, before=PAST, step=quiet),
        lambda store, _: count_receipts(store),
        lambda store, spool: erase(store, spool, CALLER, quiet),
        lambda store, _: count_calls(store),
        lambda store, _: open_calls(store, since=PAST, before=PAST + DAY),
    ],
    ids=["count_older", "prune", "count_receipts", "erase", "count_calls", "open_calls"],
)
def test_a_store_without_tables_is_reported_with_the_command_that_creates_them(
    open_store: Callable[..., Store], database_url: str, spool: Spool, do: Callable[[Store, Spool], object]
) -> None:
    with pytest.raises(StoreUnavailable, match="run flask --app wsgi db upgrade"):
        do(open_store(database_url), spool)


@pytest.mark.parametrize("do", [count_receipts, count_calls])
def test_a_store_that_cannot_be_reached_is_a_sentence(
    open_store: Callable[..., Store], do: Callable[[Store], object]
) -> None:
    with pytest.raises(StoreUnavailable, match="the store cannot be read: "):
        do(open_store("postgresql://nobody@127.0.0.1:1/none"))


def test_without_a_limit_everything_is_kept(store: Store, journal: Journal, tmp_path: Path) -> None:
    journal.append(Call(at=PAST).answer(ALICE).receipts[0])
    retention = Retention(store, days=0, directory=tmp_path / "unused")

    retention.wake()
    retention.stop()

    assert scalar(store, "SELECT count(*) FROM calls") == 1
    assert not (tmp_path / "unused").exists()


def test_a_person_is_erased_from_receipts_records_and_spool(store: Store, journal: Journal, spool: Spool) -> None:
    stays = Call().answer(ALICE).leg("answer", "alice", ALICE).receipts
    stays = [item for item in stays if item.kind is Kind.CALLBACK]
    journal.append_all([*stays, *lost_race().receipts])
    spool.put(receipt(Kind.HANGUP, None, {"CallUUID": "x", "From": BOB[1:]}, PAST))
    spool.put(receipt(Kind.HANGUP, None, {"CallUUID": "y", "From": ALICE[1:]}, PAST))
    told: list[int] = []

    erased = erase(store, spool, BOB, told.append)

    assert erased == Erased(calls=1, spooled=1, left=0)
    assert BOB[1:] not in repr(states(store)) + repr(rows(store, "SELECT * FROM receipts"))
    assert [ALICE[1:] in item.text for item in spool.waiting()] == [True]
    assert count_receipts(store) == len(stays) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"From": "14155550100"},
        {"To": "+14155550100"},
        {"ForwardedFrom": "14155550100"},
        {"CallerName": "+14155550100"},
        {"SIP-H-To": "<sip:14155550100@carrier.example.com>;tag=1"},
        {"X-PH-Anything": "call 14155550100 back"},
        {"DialBLegTo": "14155550100"},
    ],
)
def test_a_number_is_found_wherever_it_stands(
    store: Store, journal: Journal, spool: Spool, params: dict[str, str]
) -> None:
    journal.append(receipt(Kind.ANSWER, None, {"CallUUID": "a", **params}, PAST))

    assert erase(store, spool, CALLER, quiet).calls == 1
    assert count_receipts(store) == 0


def test_rows_that_a_reader_keeps_in_the_log_are_not_called_erased(
    open_store: Callable[..., Store], sqlite_url: str, spool: Spool
) -> None:
    store = open_store(sqlite_url, timeout=0.2)
    migrate.upgrade(store)
    journal = Journal(store)
    journal.append_all(lost_race().receipts)
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM calls").fetchone()

    with pytest.raises(StoreUnavailable, match="still in the write-ahead log; run the command again"):
        erase(store, spool, BOB, quiet)

    reader.close()
    assert erase(store, spool, BOB, quiet) == Erased(calls=0, spooled=0, left=0)
    assert Path(f"{path}-wal").stat().st_size == 0
    journal.close()


@pytest.mark.parametrize("other", ["114155550100", "141555501009", "4155550100"])
def test_a_longer_or_shorter_number_is_another_person(store: Store, journal: Journal, spool: Spool, other: str) -> None:
    journal.append(receipt(Kind.ANSWER, None, {"CallUUID": "a", "From": other}, PAST))

    assert erase(store, spool, CALLER, quiet) == Erased(calls=0, spooled=0, left=0)


@pytest.mark.parametrize(
    ("said", "is_found"),
    [
        ("sip:alice@phone.plivo.com", True),
        ("sip:Alice@PHONE.plivo.com", True),
        ("<sip:alice@phone.plivo.com>;tag=1", True),
        ("sip:malice@phone.plivo.com", False),
        ("sip:alice@phone.plivo.com.example.com", False),
    ],
)
def test_a_sip_user_is_found_by_the_address(
    store: Store, journal: Journal, spool: Spool, said: str, is_found: bool
) -> None:
    journal.append(receipt(Kind.ANSWER, None, {"CallUUID": "a", "From": said}, PAST))

    assert erase(store, spool, "sip:alice@phone.plivo.com", quiet).calls == is_found


def test_after_an_erasure_the_number_is_in_no_file(
    sqlite_url: str,
    open_store: Callable[..., Store],
    open_journal: Callable[[Store], Journal],
    spool: Spool,
    tmp_path: Path,
) -> None:
    store = open_store(sqlite_url)
    migrate.upgrade(store)
    journal = open_journal(store)
    for _ in range(20):
        journal.append_all(answered().receipts)
    spool.put(answered().receipts[0])
    assert mentions(tmp_path, CALLER)

    erase(store, spool, CALLER, quiet)

    assert mentions(tmp_path, CALLER) == []


def mentions(directory: Path, number: str) -> list[str]:
    """Name the files that hold a number."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return [path.name for path in files if number[1:].encode() in path.read_bytes()]
