"""Calls are found by search, number and local hours, however many calls or dials lie between."""

import pytest

from app.records.model.ids import now
from app.records.model.state import Placement
from app.records.reading.call_filters import CallFilters
from app.records.reading.calls import find_calls, find_longest
from app.records.reading.read_session import read_session
from app.voice.events import Kind
from tests.reports.conftest import Caller
from tests.reports.history import make_receipt, make_rounds
from tests.reports.test_calls import HOUR, hang_up, message, missed_call


def found(caller: Caller, *, limit: int = 50, **filters: object) -> list[str]:
    """Return the UUIDs of the calls that match, page by page."""
    uuids, before = [], None
    with read_session(caller.services.store) as connection:
        while True:
            page = find_calls(connection, CallFilters(**filters), limit=limit, before=before)  # type: ignore[arg-type]
            uuids += [one.call.call_uuid for one in page.calls]
            before = page.before
            if before is None:
                return uuids


@pytest.mark.parametrize("searched", ["0177", "+14155550177", "415 555 0177", "message-1"])
def test_a_call_without_a_dial_is_found_by_search(caller: Caller, searched: str) -> None:
    message(caller, 1)
    missed_call(caller)

    assert found(caller, search=searched) == ["message-1"]


@pytest.mark.parametrize("searched", ["0188", "+14155550188", "0123", "UUID", "DIAL"])
def test_a_call_with_a_dial_is_found_by_search(caller: Caller, searched: str) -> None:
    call_uuid, dial_id = caller.ended_call("busy", caller="+14155550188")
    message(caller, 1)

    assert found(caller, search={"UUID": call_uuid, "DIAL": dial_id}.get(searched, searched)) == [call_uuid]


def test_a_number_finds_calls_with_and_without_a_dial(caller: Caller) -> None:
    missed = missed_call(caller, "+14155550177")
    message(caller, 1)
    missed_call(caller)

    assert sorted(found(caller, from_number="+14155550177")) == sorted([missed, "message-1"])
    assert len(found(caller, to_number="+14155550100")) == 3
    assert found(caller, from_number="+14155550177", outcomes=("missed",)) == [missed]
    assert found(caller, from_number="+14155550177", target="+14155550123") == [missed]


def test_a_call_of_several_matching_dials_is_found_once_on_pages_of_any_size(caller: Caller) -> None:
    begun = now() - HOUR
    for number in range(5):
        moments = [begun + number * 60_000 + step * 1000 for step in range(4)]
        caller.services.journal.append_all(list(make_rounds(number, moments, ["no-answer"] * 4)))

    for limit in (1, 2, 50):
        newest_first = [f"call-{number}" for number in reversed(range(5))]
        assert found(caller, target="+14155550123", limit=limit) == newest_first
        assert found(caller, search="0123", limit=limit) == newest_first


def test_a_call_is_found_within_several_spans(caller: Caller) -> None:
    made = [message(caller, number, hours_ago=10 - number) for number in range(10)]
    at = now() - 10_000
    spans = tuple((at - hours * HOUR - 1000, at - hours * HOUR + 1000) for hours in (9, 4))

    assert found(caller, spans=spans) == [made[6], made[1]]
    assert found(caller, spans=spans, outcomes=("message_left",), limit=1) == [made[6], made[1]]
    assert found(caller, spans=spans, outcomes=("missed", "busy")) == []
    assert found(caller, spans=spans, from_number="+14155550177") == [made[6], made[1]]
    assert found(caller, spans=()) == []


def test_the_longest_wait_comes_first(caller: Caller) -> None:
    for number, seconds in enumerate((5, 60, 20)):
        at, base = now() - HOUR, {"CallUUID": f"c{number}", "From": "+14155550199", "To": "+14155550100"}
        placement = Placement(f"d{number}", targets=("+14155550123",), route="main", round=1)
        caller.services.journal.append_all(
            [
                make_receipt(Kind.ANSWER, at, base, placement=placement),
                make_receipt(Kind.HANGUP, at + seconds * 1000, {**base, "HangupSource": "Caller"}),
            ]
        )

    with read_session(caller.services.store) as connection:
        longest = find_longest(connection, CallFilters(), "waited_seconds", limit=2)

    assert [one.call.call_uuid for one in longest] == ["c1", "c2"]


def test_a_search_ends_where_nothing_is_left(caller: Caller) -> None:
    hang_up(caller, missed_call(caller))

    assert found(caller, search="4321") == []
    assert found(caller, search="12") == []
