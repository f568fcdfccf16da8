"""What a PHLO reports counts less than what Plivo signed, in whatever order the two arrive."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from app.records.model.receipt import Receipt
from app.records.model.state import Placement
from app.records.store.store import Store
from app.records.writing.journal import Journal
from app.voice.events import Kind
from tests.records.reading import rows
from tests.records.scenarios import receipt
from tests.records.test_journal import clear

AT = 1_763_900_000_000
STANDARD = {"CallUUID": "a-call", "From": "+14155550100", "To": "+14155550199", "Direction": "inbound"}
ANSWER = receipt(
    Kind.ANSWER, None, STANDARD, AT, placement=Placement("our-dial", ("+14155550123",), route="default", step="first")
)
MISSED = receipt(Kind.ACTION, "our-dial", STANDARD | {"DialStatus": "no-answer", "DialRingStatus": "true"}, AT + 30_000)
UNPLACED = receipt(Kind.ACTION, None, STANDARD | {"DialStatus": "busy", "DialHangupCause": "USER_BUSY"}, AT + 30_000)
ANSWERED = receipt(
    Kind.PHLO,
    None,
    {"DialALegUUID": "a-call", "DialBLegUUID": "b-leg", "DialStatus": "completed", "CallStatus": "busy"}
    | {"From": "+14155550188", "DialBLegDuration": "60"},
    AT + 20_000,
)
BUSY = receipt(Kind.PHLO, None, {"DialALegUUID": "a-call", "DialStatus": "busy"}, AT + 25_000)


def outcomes(store: Store, journal: Journal, receipts: Sequence[Receipt]) -> list[tuple[str, str | None]]:
    """Return outcome and source of every dial after these receipts."""
    clear(store)
    for one in receipts:
        journal.append(one)
    return sorted(rows(store, "SELECT outcome, reported_by FROM dials"))


@pytest.mark.parametrize("signed", [[ANSWER, MISSED], [MISSED], [UNPLACED]], ids=["placed", "named", "unnamed"])
def test_a_phlo_never_overrules_a_signed_outcome(store: Store, journal: Journal, signed: list[Receipt]) -> None:
    expected = outcomes(store, journal, signed)[0][0]

    for order in permutations([*signed, ANSWERED, BUSY]):
        found = outcomes(store, journal, order)
        assert [outcome for outcome, source in found if source == "webhook"] == [expected]
        assert {outcome for outcome, source in found if source == "phlo"} <= {"unknown"}
        assert rows(store, "SELECT from_number, heard_from FROM calls") == [("+14155550100", "webhook")]
        assert rows(store, "SELECT call_status FROM calls WHERE call_status = 'busy'") == []


def test_a_dial_that_our_document_placed_waits_for_the_signed_report(store: Store, journal: Journal) -> None:
    assert outcomes(store, journal, [ANSWER, ANSWERED]) == [("in_progress", None)]


def test_without_a_signed_report_the_phlo_decides(store: Store, journal: Journal) -> None:
    for order in permutations([ANSWERED, BUSY]):
        assert outcomes(store, journal, order) == [("answered", "phlo")]
    assert rows(store, "SELECT heard_from FROM calls") == [("phlo",)]
