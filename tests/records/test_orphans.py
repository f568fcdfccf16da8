"""Receipts that name no call."""

from app.records.model.ids import now
from app.records.reading.gauges import read_gauges
from app.records.reading.incomplete import OrphanReceipt, orphan_receipts
from app.records.reading.read_session import read_session
from app.records.store.store import Store
from app.records.writing.journal import Journal
from app.voice.events import Kind
from tests.records.scenarios import START, answered, receipt

DAY = 24 * 60 * 60 * 1000


def test_receipts_without_a_call_are_counted_and_listed(store: Store, journal: Journal) -> None:
    at = now()
    journal.append_all(answered().receipts)
    journal.append(receipt(Kind.PHLO, None, {"DialStatus": "busy"}, START))
    journal.append(receipt(Kind.PHLO, None, {"DialStatus": "failed"}, at))
    journal.append(receipt(Kind.CALLBACK, "lonely", {"DialAction": "answer", "DialBLegUUID": "b"}, at + 1))

    with read_session(store) as connection:
        found = orphan_receipts(connection, since=0, limit=10)
        newest = orphan_receipts(connection, since=at - DAY, limit=1)

    assert [(one.kind, one.received_at) for one in found] == [("callback", at + 1), ("phlo", at), ("phlo", START)]
    assert found[0].dial_id == "lonely"
    assert [type(one) for one in newest] == [OrphanReceipt]
    assert newest == found[:1]
    assert read_gauges(store).orphan_receipts == 2
