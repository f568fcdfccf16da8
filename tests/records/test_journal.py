"""The write path on a real SQLite and a real PostgreSQL."""

import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.records.model.receipt import Receipt, ReceiptRefused, StoreUnavailable
from app.records.store.store import Store
from app.records.writing.entry import Entry
from app.records.writing.journal import Journal
from app.voice.events import Kind
from tests.records import scenarios
from tests.records.reading import rows, scalar, states
from tests.records.scenarios import ALICE, SCENARIOS, Call, receipt
from tests.support.server import ROOT


def busy_report(number: int = 0) -> Receipt:
    return Call(uuid=f"call-{number}", dial_id=f"dial-{number}").action("busy", "USER_BUSY", rang=True).receipts[0]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_any_order_and_any_copies_leave_the_same_rows(
    scenario: Callable[[], Call], store: Store, journal: Journal
) -> None:
    call = scenario()
    in_order = call.receipts
    generator = random.Random(1)  # Seeded: the same orders each time.
    for receipt_ in in_order:
        journal.append(receipt_)
    expected = states(store)

    for _ in range(6):
        clear(store)
        shuffled = [*in_order, *generator.choices(in_order, k=4)]
        generator.shuffle(shuffled)
        cut = generator.randrange(len(shuffled))
        journal.append_all(shuffled[:cut])
        for receipt_ in shuffled[cut:]:
            journal.append(receipt_)

        assert states(store) == expected
        assert scalar(store, "SELECT sum(deliveries) FROM receipts") == len(in_order) + 4
        assert scalar(store, "SELECT count(*) FROM receipts") == len(in_order)


def clear(store: Store) -> None:
    with store.engine.begin() as connection:
        for table in ("receipts", "recordings", "legs", "dials", "calls"):
            connection.exec_driver_sql(f"DELETE FROM {table}")


def test_the_returned_receipt_is_as_committed(store: Store, journal: Journal) -> None:
    kept = journal.append(busy_report())

    assert kept.dial is not None
    assert (kept.deliveries, kept.call_uuid, kept.dial.outcome) == (1, "call-0", "busy")
    assert rows(store, "SELECT dial_id, outcome, dial_status FROM dials") == [("dial-0", "busy", "busy")]


def test_many_receipts_with_odd_texts_are_kept_as_they_came(store: Store, journal: Journal) -> None:
    odd = ("\\N", "a\tb", "a\nb\r", "a\\.", '"', "'", "{}", "é", "\x7f", "\\x00", "%s", "?")
    receipts = [
        busy_report(number)._replace(path=text, sender=text, reply=text, placement=None)
        for number, text in enumerate(odd)
    ]

    kept = journal.append_all(receipts)

    assert [one.reply for one in kept] == list(odd)
    found = rows(store, "SELECT path, sender, reply, deliveries FROM receipts ORDER BY dial_id")
    assert sorted(found) == sorted((text, text, text, 1) for text in odd)
    assert [one.reply for one in journal.append_all(receipts)] == list(odd)


def test_a_receipt_that_is_refused_among_many_takes_none_with_it(store: Store, journal: Journal) -> None:
    entries = [Entry((busy_report(number),)) for number in range(20)]
    entries[7].receipts = (busy_report(7)._replace(path="\0", sender="\ud800"),)
    done = threading.Event()

    journal.hand_over(entries, done.set)

    assert done.wait(30)
    assert [entry.is_stored for entry in entries] == [number != 7 for number in range(20)]
    with pytest.raises(ReceiptRefused):
        entries[7].result()
    assert scalar(store, "SELECT count(*) FROM calls") == 19


def test_a_copy_raises_the_count_and_changes_nothing_else(store: Store, journal: Journal) -> None:
    first = busy_report()._replace(reply="<Response><Hangup/></Response>")
    journal.append(first)
    before = states(store)

    later = first._replace(received_at=first.received_at + 5000, reply=None, sender="192.0.2.9")
    kept = journal.append(later)

    assert (kept.deliveries, kept.reply) == (2, "<Response><Hangup/></Response>")
    assert kept.dial is not None
    assert states(store) == before
    assert rows(store, "SELECT received_at, last_received_at, sender FROM receipts") == [
        (first.received_at, later.received_at, "192.0.2.1")
    ]


def test_a_copy_without_a_dial_id_finds_the_dial_of_the_first(journal: Journal) -> None:
    call = Call().answer(ALICE)
    journal.append(call.receipts[0])
    named = call.action("busy", "USER_BUSY", rang=True).receipts[1]
    unnamed = named._replace(dial_id=None)

    first, copy = journal.append(unnamed), journal.append(unnamed)

    assert first.dial is not None
    assert copy.dial is not None
    assert first.dial.dial_id == copy.dial.dial_id == call.dial_id


def test_reports_without_a_dial_id_belong_to_the_dial_our_answer_started(store: Store, journal: Journal) -> None:
    call = scenarios.lost_race()
    answer, *others = (item._replace(dial_id=None) for item in call.receipts)
    for seed in range(5):
        clear(store)
        random.Random(seed).shuffle(others)

        journal.append_all([answer, *others])

        assert rows(store, "SELECT dial_id, outcome FROM dials") == [(call.dial_id, "answered")]


def test_a_report_about_nothing_known_is_kept_under_its_a_leg(store: Store, journal: Journal) -> None:
    journal.append(receipt(Kind.ACTION, None, {"DialALegUUID": "a", "DialStatus": "busy"}, scenarios.START))

    assert rows(store, "SELECT dial_id, outcome FROM dials") == [("aleg-a", "busy")]


def test_reports_that_name_no_call_at_all_are_kept_apart(store: Store, journal: Journal) -> None:
    journal.append(receipt(Kind.PHLO, None, {"DialStatus": "busy"}, scenarios.START))
    journal.append(receipt(Kind.PHLO, None, {"DialStatus": "failed"}, scenarios.START))

    assert scalar(store, "SELECT count(*) FROM calls") == 2


def test_a_dial_stays_with_its_call_whatever_call_a_report_claims(store: Store, journal: Journal) -> None:
    journal.append(Call(uuid="mine", dial_id="d").answer(ALICE).receipts[0])
    journal.append(Call(uuid="theirs", dial_id="d").action("busy", "USER_BUSY", rang=True).receipts[0])

    assert rows(store, "SELECT call_uuid FROM calls") == [("mine",)]
    assert rows(store, "SELECT outcome FROM dials") == [("busy",)]


def test_fifty_copies_from_many_threads_are_one_receipt(store: Store, journal: Journal) -> None:
    with ThreadPoolExecutor(16) as pool:
        kept = list(pool.map(lambda _: journal.append(busy_report()), range(50)))

    assert sorted(item.deliveries for item in kept) == list(range(1, 51))
    assert rows(store, "SELECT deliveries FROM receipts") == [(50,)]
    assert scalar(store, "SELECT count(*) FROM dials") == 1


def test_two_thousand_at_once_are_two_thousand_records(store: Store, journal: Journal) -> None:
    with ThreadPoolExecutor(32) as pool:
        kept = list(pool.map(lambda number: journal.append(busy_report(number)), range(2000)))

    assert {item.deliveries for item in kept} == {1}
    assert [scalar(store, f"SELECT count(*) FROM {table}") for table in ("receipts", "calls", "dials")] == [2000] * 3


WRITER = """
import sys
from app.records.writing.entry import Entry
from app.records.writing.journal import Journal
from app.records.store.store import Store
from tests.records.test_journal import busy_report
journal = Journal(Store(sys.argv[1], timeout=20))
sys.stdin.readline()
for number in range(40):
    journal.append(busy_report(number % 4))
journal.close()
"""


def test_copies_from_several_processes_are_one_receipt_each(store: Store) -> None:
    url = store.url.render_as_string(hide_password=False)
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, url], cwd=ROOT, stdin=subprocess.PIPE) for _ in range(3)
    ]
    for process in processes:
        process.communicate(b"go\n")

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert rows(store, "SELECT deliveries FROM receipts") == [(30,)] * 4
    assert scalar(store, "SELECT count(*) FROM calls") == 4


def test_a_commit_that_fails_fails_for_everybody_in_it(store: Store, journal: Journal) -> None:
    journal.append(busy_report())
    with store.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE receipts RENAME TO receipts_gone")
    gate = threading.Barrier(8)

    def report(number: int) -> str:
        gate.wait()
        try:
            journal.append(busy_report(number))
        except StoreUnavailable as error:
            return type(error).__name__
        return "kept"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(report, range(8)))

    assert outcomes == ["StoreUnavailable"] * 8
    assert scalar(store, "SELECT count(*) FROM receipts_gone") == 1
    assert scalar(store, "SELECT count(*) FROM calls") == 1


def test_a_receipt_no_store_can_hold_does_not_take_others_with_it(store: Store, journal: Journal) -> None:
    gate = threading.Barrier(9)

    def report(number: int) -> str:
        sent = busy_report(number)
        if number == 4:
            sent = sent._replace(path="\ud800")
        gate.wait()
        try:
            journal.append(sent)
        except ReceiptRefused:
            return "refused"
        return "kept"

    with ThreadPoolExecutor(9) as pool:
        outcomes = list(pool.map(report, range(9)))

    assert outcomes == ["kept"] * 4 + ["refused"] + ["kept"] * 4
    assert scalar(store, "SELECT count(*) FROM receipts") == 8
    assert not journal.is_away


def test_receipts_of_one_entry_are_stored_all_or_nothing(store: Store, journal: Journal) -> None:
    with pytest.raises(ReceiptRefused):
        journal.append_all([busy_report(1), busy_report(2)._replace(path="\ud800")])

    assert scalar(store, "SELECT count(*) FROM receipts") == 0
    assert scalar(store, "SELECT count(*) FROM calls") == 0


def test_a_closed_journal_opens_again(store: Store, journal: Journal) -> None:
    journal.append(busy_report(1))
    journal.close()

    journal.append(busy_report(2))

    assert scalar(store, "SELECT count(*) FROM receipts") == 2
