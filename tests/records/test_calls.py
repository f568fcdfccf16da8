"""One outcome for each call, whatever its dials, and in whatever order its receipts come."""

from collections.abc import Callable
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.records.maintenance.check import check
from app.records.maintenance.derive_calls import count_without_outcome, derive_calls
from app.records.model.receipt import placement_from_json, placement_to_json
from app.records.model.state import CallState, Placement
from app.records.model.tables import calls
from app.records.reading.read_session import call_of
from app.records.store import migrate
from app.records.store.store import Store
from app.records.writing.journal import Journal
from app.voice.events import Kind, Source
from tests.records import scenarios
from tests.records.call_scenarios import OUTCOMES, busy_then_missed, closed_with_message, end_of_plan, outgoing
from tests.records.scenarios import ALICE, BOB, CALLER, SCENARIOS, Call, receipt
from tests.records.test_fold import as_values, folded


def the_call(call: Call) -> CallState:
    return folded(call.receipts).call


@pytest.mark.parametrize(("scenario", "outcome"), OUTCOMES.values(), ids=OUTCOMES)
def test_each_call_has_its_outcome(scenario: Callable[[], Call], outcome: str) -> None:
    assert the_call(scenario()).outcome == outcome


@pytest.mark.parametrize("scenario", [scenario for scenario, _ in OUTCOMES.values()], ids=OUTCOMES)
@given(data=st.data())
def test_any_order_and_any_copies_give_the_same_call(scenario: Callable[[], Call], data: st.DataObject) -> None:
    receipts = scenario().receipts
    copies = data.draw(st.lists(st.sampled_from(receipts), max_size=4))
    shuffled = data.draw(st.permutations([*receipts, *copies]))

    assert as_values(folded(shuffled)) == as_values(folded(receipts))


def test_an_answered_call_says_who_talked_and_how_long_the_caller_waited() -> None:
    call = the_call(scenarios.lost_race())

    assert (call.answered_by, call.waited_seconds, call.talk_seconds, call.dial_count) == (BOB, 1, 20, 1)
    assert (call.route, call.message_id) == ("main", None)


def test_a_call_that_nobody_answered_has_waited_until_its_end() -> None:
    call = the_call(busy_then_missed())

    assert (call.answered_by, call.waited_seconds, call.talk_seconds, call.dial_count) == (None, 4, None, 2)


def test_a_call_is_in_progress_while_they_talk_and_answered_after_that() -> None:
    call = Call().answer(ALICE).leg("answer", "alice", ALICE).leg("connected", "alice", ALICE)
    talking = the_call(call)
    ended = the_call(call.action("completed", "NORMAL_CLEARING", rang=True, name="alice"))

    assert (talking.outcome, talking.answered_by, talking.waited_seconds) == ("in_progress", ALICE, 1)
    assert (ended.outcome, ended.answered_by, ended.waited_seconds) == ("answered", ALICE, 1)


def test_a_message_is_named_and_a_recorded_conversation_is_none() -> None:
    assert the_call(closed_with_message()).message_id == "message-31000"
    assert the_call(scenarios.recorded_with_digits()).message_id is None


def test_an_outgoing_call_was_answered_by_the_person_called() -> None:
    call = the_call(outgoing("completed", 4000, Duration="20"))

    assert (call.answered_by, call.talk_seconds) == (CALLER, 20)


def test_a_call_that_only_a_phlo_reports_ends_with_its_dial() -> None:
    call = Call()
    params = {"DialALegUUID": call.uuid, "DialStatus": "busy", "DialHangupCause": "3010", "DialBLegUUID": ""}
    one = receipt(Kind.PHLO, "dial", params, call.at)

    assert one.event.source is Source.PHLO
    assert folded([one]).call.outcome == "busy"


@pytest.mark.parametrize(
    "placement",
    [Placement("dial", (ALICE,), "main", "first", 1, True), end_of_plan("voicemail", "closed")],
    ids=["a dial", "an ending"],
)
def test_a_placement_survives_the_store(placement: Placement) -> None:
    assert placement_from_json(placement_to_json(placement)) == placement


def stored_calls(store: Store) -> dict[str, CallState]:
    with store.engine.connect() as connection:
        return {row["call_uuid"]: call_of(row) for row in connection.execute(select(calls)).mappings()}


def every_call() -> list[Call]:
    return [*(scenario() for scenario, _ in OUTCOMES.values()), *(scenario() for scenario in SCENARIOS.values())]


@pytest.mark.parametrize("step", [1, -1], ids=["in order", "backwards"])
def test_the_store_keeps_what_the_fold_says_receipt_by_receipt(store: Store, journal: Journal, step: int) -> None:
    made = every_call()
    for call in made:
        for one in call.receipts[::step]:
            journal.append(one)

    stored = stored_calls(store)
    for call in made:
        expected = the_call(call)
        assert stored[call.uuid].outcome == expected.outcome
        assert stored[call.uuid].message_id == expected.message_id
    # The scenarios with call detail records hold events that their receipts cannot be parsed to.
    made_up = {call.uuid for call in made if any(one.kind is Kind.CDR for one in call.receipts)}
    assert set(check(store, zone=UTC, repair=False, step=lambda _: None).differing) <= made_up


def test_check_repairs_an_outcome_from_the_receipts(store: Store, journal: Journal) -> None:
    call = closed_with_message()
    journal.append_all(call.receipts)
    expected = stored_calls(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE calls SET outcome = 'missed', turned_away = NULL, ending = NULL")

    report = check(store, zone=UTC, repair=True, step=lambda _: None)

    assert (report.differing, report.repaired) == ((call.uuid,), 1)
    assert stored_calls(store) == expected


class _Interrupted(Exception):
    """Stands for Ctrl-C."""


def test_calls_of_an_older_version_are_derived_and_an_interrupted_run_goes_on(store: Store, journal: Journal) -> None:
    made = [scenario() for scenario in SCENARIOS.values() for _ in range(30)]
    journal.append_all([one for call in made for one in call.receipts])
    expected = stored_calls(store)
    migrate.downgrade(store, "0005")
    migrate.upgrade(store)
    steps: list[int] = []

    def interrupt(count: int) -> None:
        steps.append(count)
        raise _Interrupted

    with pytest.raises(_Interrupted):
        derive_calls(store, interrupt)
    left = count_without_outcome(store)
    late = Call().answer(ALICE).hangup(4000, "Caller")
    journal.append_all(late.receipts)  # A server of this version stores calls meanwhile.
    derived = derive_calls(store, steps.append)

    assert left == len(made) - steps[0] > 0
    assert derived == left
    found = stored_calls(store)
    assert found.pop(late.uuid).outcome == "caller_gave_up"
    assert found == expected
    assert derive_calls(store, steps.append) == 0


def test_a_webhook_derives_a_call_of_an_older_version(store: Store, journal: Journal) -> None:
    call = Call().answer(ALICE).action("busy", "USER_BUSY", rang=True)
    journal.append_all(call.receipts)
    migrate.downgrade(store, "0005")
    migrate.upgrade(store)
    assert stored_calls(store)[call.uuid].outcome is None

    journal.append(call.hangup(4010, "Plivo").receipts[-1])

    assert stored_calls(store)[call.uuid].outcome == "busy"
