"""A nonce signs one content, also where two connections commit in the same instant."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.records.model.receipt import REUSED_NONCE, Receipt
from app.records.store.store import Store
from app.records.writing.batch import Batch
from app.records.writing.entry import Entry
from app.records.writing.journal import Journal
from tests.records.reading import scalar
from tests.records.test_journal import busy_report

NONCE = "01234567890123456789"


def signed(number: int) -> Receipt:
    """Return a report on a call of this number, always with the same nonce."""
    return busy_report(number)._replace(nonce=NONCE)


@pytest.mark.parametrize("is_copy", [False, True])
def test_another_connection_waits_for_the_nonce_and_takes_no_other_content(
    store: Store, open_journal: Callable[[Store], Journal], *, is_copy: bool
) -> None:
    first, second = signed(1), signed(1 if is_copy else 2)
    journal = open_journal(store)
    writer = store.connect_writer(in_turn=False)
    writer.begin(Entry((first,)).lock_names())
    batch = Batch(writer.cursor, store.statements)
    batch.look_up([first])
    batch.add([first])
    batch.finish()

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(journal.append, second)
        with pytest.raises(TimeoutError):
            waiting.result(0.3)  # Not committed yet: nobody knows whether the nonce is used.
        writer.commit()
        kept = waiting.result()
    writer.close()

    assert kept.deliveries == 2 if is_copy else kept == REUSED_NONCE
    assert scalar(store, "SELECT count(*) FROM receipts") == 1


def test_of_many_contents_with_one_nonce_at_once_one_is_kept(
    store: Store, open_journal: Callable[[Store], Journal]
) -> None:
    journals = [open_journal(store) for _ in range(4)]

    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda number: journals[number % 4].append(signed(number)), range(40)))

    assert kept.count(REUSED_NONCE) == 39
    assert scalar(store, "SELECT count(*) FROM receipts") == 1
