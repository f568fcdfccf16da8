"""Right in any order: the same receipts, shuffled and doubled, add up to the same record."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.records.model.receipt import Receipt
from app.records.model.state import CallRecord, CallState, DialState
from app.records.writing.derive import derive
from app.records.writing.fold import end_plan, fold, place
from app.voice.events import DialEnded, LegEvent
from app.voice.outcome import Outcome
from tests.records import scenarios
from tests.records.scenarios import ALICE, BOB, SCENARIOS, Call, without_cdr

# The outcome of each scenario, in any order.
ENDS = {
    "answered": Outcome.ANSWERED,
    "no_answer": Outcome.MISSED,
    "busy": Outcome.BUSY,
    "lost_race": Outcome.ANSWERED,
    "caller_gives_up": Outcome.CALLER_GAVE_UP,
    "action_lost": Outcome.ANSWERED,
    "confirm_refused": Outcome.REJECTED,
    "recorded_with_digits": Outcome.ANSWERED,
    "reconciled": Outcome.ANSWERED,
    "only_reconciled": Outcome.ANSWERED,
    "reported_twice": Outcome.ANSWERED,
    "completed_without_leg": Outcome.UNREACHABLE,
    "refused_but_completed": Outcome.REJECTED,
    "code_in_the_report": Outcome.REJECTED,
    "busy_before_the_caller_left": Outcome.BUSY,
    "one_of_two_still_rang": Outcome.CALLER_GAVE_UP,
    "moved_away": Outcome.ANSWERED,
}


def folded(receipts: Iterable[Receipt]) -> CallRecord:
    """Fold receipts in their order, as the writer does with those that name their dial."""
    ordered = list(receipts)
    record = CallRecord(CallState(1, "the-call", started_at=ordered[0].received_at))
    for number, receipt in enumerate(ordered):
        _add(record, receipt, number)
    derive(record)
    return record


def _add(record: CallRecord, receipt: Receipt, number: int) -> None:
    if receipt.placement and receipt.placement.dial_id is None:
        end_plan(record.call, receipt.placement)
    elif receipt.placement and receipt.placement.dial_id:
        place(_dial(record, receipt.placement.dial_id, receipt), receipt.placement, at=receipt.received_at)
    if receipt.dial_id and isinstance(receipt.event, DialEnded | LegEvent):
        _dial(record, receipt.dial_id, receipt)
    fold(record, receipt.event, dial_id=receipt.dial_id, receipt_key=number)


def _dial(record: CallRecord, dial_id: str, receipt: Receipt) -> DialState:
    return record.dials.setdefault(dial_id, DialState(1, dial_id, 1, started_at=receipt.received_at))


def as_values(record: CallRecord) -> dict[str, Any]:
    """Return all values of a record but the number of the receipt that reported it."""
    values = dataclasses.asdict(record)
    for dial in values["dials"].values():
        del dial["report_key"]
    return values


def the_dial(call: Call) -> DialState:
    [dial] = folded(call.receipts).dials.values()
    return dial


def test_every_scenario_has_its_end() -> None:
    assert ENDS.keys() == SCENARIOS.keys()


@pytest.mark.parametrize(("name", "scenario"), SCENARIOS.items(), ids=SCENARIOS)
def test_each_story_ends_as_it_should(name: str, scenario: Callable[[], Call]) -> None:
    assert the_dial(scenario()).outcome == ENDS[name]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
@given(data=st.data())
def test_any_order_and_any_copies_give_the_same_record(scenario: Callable[[], Call], data: st.DataObject) -> None:
    receipts = scenario().receipts
    copies = data.draw(st.lists(st.sampled_from(receipts), max_size=6))
    shuffled = data.draw(st.permutations([*receipts, *copies]))

    assert as_values(folded(shuffled)) == as_values(folded(receipts))


@given(data=st.data())
def test_any_part_of_any_story_is_free_of_order(data: st.DataObject) -> None:
    receipts = data.draw(st.sampled_from(list(SCENARIOS.values())))().receipts
    part = data.draw(st.lists(st.sampled_from(receipts), min_size=1, unique_by=id))

    assert as_values(folded(data.draw(st.permutations(part)))) == as_values(folded(part))


@pytest.mark.parametrize("scenario", [scenarios.answered, scenarios.lost_race, scenarios.busy, scenarios.no_answer])
@given(data=st.data())
def test_a_final_state_never_goes_back(scenario: Callable[[], Call], data: st.DataObject) -> None:
    receipts = scenario().receipts
    late = data.draw(st.permutations(receipts))

    after = folded([*receipts, *late])

    assert as_values(after) == as_values(folded(receipts))
    assert after.call.call_status == "completed"


@pytest.mark.parametrize("scenario", [scenarios.reconciled])
def test_a_call_detail_record_never_overrides_a_webhook(scenario: Callable[[], Call]) -> None:
    receipts = scenario().receipts

    told, untold = folded(receipts), folded(without_cdr(receipts))

    assert told.call == untold.call
    assert {key: leg for key, leg in told.legs.items() if not key.startswith("unheard")} == untold.legs
    [dial], [other] = told.dials.values(), untold.dials.values()
    assert dial == other


def test_a_call_detail_record_fills_in_what_no_webhook_said() -> None:
    record = folded(scenarios.only_reconciled().receipts)

    assert (record.call.ended_by, record.call.hangup_code, record.call.call_status) == ("cdr", 5010, "completed")
    assert record.call.from_number == scenarios.CALLER
    [leg] = record.legs.values()
    assert (leg.ended_by, leg.hangup_code, leg.duration, leg.target) == ("cdr", 4000, 77, ALICE)


def test_a_call_only_plivo_knows_has_the_words_of_its_record() -> None:
    record = folded(Call().cdr_of_call().receipts)

    assert (record.call.heard_from, record.call.from_number, record.call.call_status) == (
        "cdr",
        "+15550000001",
        "failed",
    )


def test_an_answered_dial_has_its_target_and_talk_time() -> None:
    dial = the_dial(scenarios.lost_race())

    assert (dial.answered_by, dial.talk_seconds, dial.ring_seconds) == (BOB, 20, 1)
    assert (dial.hangup_code, dial.hangup_source) == (4000, "Callee")
    assert (dial.route, dial.step, dial.round, dial.targets) == ("main", "first", 1, f'["{ALICE}","{BOB}"]')


def test_a_missed_dial_has_its_ring_time() -> None:
    dial = the_dial(scenarios.no_answer())

    assert (dial.answered_by, dial.talk_seconds, dial.ring_seconds, dial.hangup_code) == (None, None, 2, 6010)


def test_a_leg_that_was_busy_does_not_speak_for_the_one_that_answered() -> None:
    call = Call().answer(ALICE, BOB).leg_ends("alice", ALICE, 3010, "USER_BUSY")

    dial = the_dial(call.action("completed", "NORMAL_CLEARING", rang=True, name="bob"))

    assert (dial.outcome, dial.hangup_code) == (Outcome.ANSWERED, None)


def test_a_leg_seen_talking_answers_for_a_report_that_names_none() -> None:
    call = Call().answer(ALICE).leg("answer", "alice", ALICE).leg_ends("alice", ALICE, 4000, "NORMAL_CLEARING", 9)

    dial = the_dial(call.action("completed", "NORMAL_CLEARING", rang=True))

    assert (dial.outcome, dial.answered_by, dial.talk_seconds) == (Outcome.ANSWERED, ALICE, 9)


def test_times_far_apart_stay_countable() -> None:
    call = Call().answer(ALICE)
    call.at += 10**14
    call.hangup(4000, "Caller")

    assert the_dial(call).ring_seconds == 999_999_999


def test_a_time_in_the_future_is_not_believed() -> None:
    call = Call().answer(ALICE).hangup(4000, "Caller", EndTime="2099-12-31 23:59:59")

    assert folded(call.receipts).call.ended_at == call.at


def test_consecutive_dials_keep_their_own_outcomes() -> None:
    call = Call(dial_id="one").answer(ALICE).action("no-answer", "NO_ANSWER", rang=True)
    call.dial_id = "two"
    call.answer(BOB).action("completed", "NORMAL_CLEARING", rang=True, name="bob")

    record = folded(call.receipts)

    assert {dial_id: dial.outcome for dial_id, dial in record.dials.items()} == {"one": "missed", "two": "answered"}


def test_of_two_reports_of_one_end_the_fuller_counts() -> None:
    call = Call().answer(ALICE).hangup(4000, "Callee", BillDuration="60", TotalCost="0.01")
    call.hangup(9999, "Unknown")  # Greater in every word, but it tells less.

    for order in (call.receipts, call.receipts[::-1]):
        assert (folded(order).call.hangup_code, folded(order).call.cost) == (4000, "0.01")
