"""Counted hours are exact: figures are the same with and without them, whatever changes afterwards."""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, func, select, text, update

from app.records.model.ids import COUNTED_AFTER, key_time, now
from app.records.model.receipt import Receipt
from app.records.model.tables import WAIT_BOUNDS, call_rollups, calls, dials, late_changes, rollup_hours
from app.records.reading.call_filters import CallFilters
from app.records.reading.calls import ListedCall, find_calls
from app.records.reading.figures import Figures, GroupBy, GroupedFigures
from app.records.reading.filters import DialFilters
from app.records.reading.read_session import read_session
from app.records.reading.summaries import Summaries, summarise
from app.records.rollups.counting import HOUR
from app.records.rollups.update import LOCK, update_rollups
from app.voice.events import Kind
from app.voice.explanation import exact_cause
from tests.reports.conftest import Caller
from tests.reports.history import TARGETS, end_call, make_call, make_receipt, make_rounds

DAY = 24 * HOUR
# 2026-03-28T00:00Z: in the following days clocks change in Paris, and on Lord Howe Island by half an hour.
START = 1_774_656_000_000
DAYS = 9
END = START + DAYS * DAY
ZONES = ["UTC", "Europe/Paris", "Asia/Kathmandu", "Australia/Lord_Howe"]
SINCE, UNTIL = START + 2 * DAY + 12_345, END - 2 * DAY - 54_321
OF_CALLS = [
    CallFilters(),
    CallFilters(since=SINCE, until=UNTIL),
    CallFilters(outcomes=("missed", "busy"), since=START + DAY),
    CallFilters(target=TARGETS["sales"][0], until=END - 5 * DAY),
    CallFilters(cause="USER_BUSY", to_number="+14155550101"),
    CallFilters(reason="Busy Line", target=TARGETS["sales"][0]),
    CallFilters(cause="USER_BUSY", target=TARGETS["sales"][0]),
    CallFilters(status="busy", route="sales"),
    CallFilters(from_number="+14155550007"),
    CallFilters(has_message=False, direction="inbound"),
    CallFilters(has_message=True),
]
OF_DIALS = [
    DialFilters(),
    DialFilters(outcome="missed", since=SINCE, until=UNTIL),
    DialFilters(status="busy", route="sales"),
    DialFilters(target=TARGETS["sales"][0], since=START + DAY),
    DialFilters(cause="USER_BUSY", to_number="+14155550101"),
    DialFilters(outcomes=("missed", "busy"), outcome="busy", route="support"),
    DialFilters(from_number="+14155550007"),
    DialFilters(search="0007"),
]
# A range that begins and ends within an hour, and filters of every kind of rows.
SOME: list[CallFilters | DialFilters] = [*OF_CALLS[:2], OF_CALLS[5], OF_DIALS[3]]


def fill(caller: Caller, seed: int, number: int = 90) -> list[int]:
    """Store calls of nine days, most of them with the notice of their end; return the time of each in milliseconds."""
    chance = random.Random(seed)
    moments = [START + chance.randrange(DAYS * DAY) for _ in range(number)]
    receipts = [one for number, at in enumerate(moments) for one in make_call(number, at, chance)]
    receipts += [hangup(number, at) for number, at in enumerate(moments) if number % 10]
    caller.services.journal.append_all(receipts)
    return moments


def hangup(number: int, at: int) -> Receipt:
    """Return the notice that a call has ended."""
    params = {"CallUUID": f"call-{number}", "CallStatus": "completed", "HangupCauseCode": "4000"}
    return make_receipt(Kind.HANGUP, at + 120_000, params)


def figures_of(caller: Caller, zone: str, filters: Sequence[CallFilters | DialFilters] = ()) -> list[GroupedFigures]:
    """Return the figures for each of the filters (default: every kind) in each grouping."""
    with read_session(caller.services.store) as connection:
        return [
            summarise(connection, one, group_by, ZoneInfo(zone))
            for one in filters or [*OF_CALLS, *OF_DIALS]
            for group_by in GroupBy
        ]


def count(caller: Caller) -> int:
    """Count as if it were soon after the nine days; return the number of hours."""
    return update_rollups(caller.services.store, at=END + 2 * HOUR)


def listed(caller: Caller, filters: CallFilters) -> list[ListedCall]:
    """Return every call that matches."""
    with read_session(caller.services.store) as connection:
        page = find_calls(connection, filters, limit=500)
    assert page.before is None
    return page.calls


@pytest.mark.parametrize("zone", ZONES)
def test_figures_are_the_same_before_and_after_a_count(lite_caller: Caller, zone: str) -> None:
    fill(lite_caller, seed=1)
    before = figures_of(lite_caller, zone)

    counted = count(lite_caller)

    assert counted > (DAYS - 1) * 24
    assert figures_of(lite_caller, zone) == before
    assert before[0].whole.total == 90


def test_figures_are_the_same_on_both_databases(caller: Caller) -> None:
    fill(caller, seed=2)
    before = figures_of(caller, "Asia/Kathmandu", SOME)

    count(caller)

    assert figures_of(caller, "Asia/Kathmandu", SOME) == before


@pytest.mark.parametrize("is_counted", [False, True])
def test_every_figure_equals_the_calls_of_the_list(lite_caller: Caller, is_counted: bool) -> None:
    fill(lite_caller, seed=3)
    if is_counted:
        count(lite_caller)

    for filters in OF_CALLS:
        found = listed(lite_caller, filters)
        with read_session(lite_caller.services.store) as connection:
            summaries = Summaries(connection, ZoneInfo("Europe/Paris"))
            whole = summaries.summarise(filters, GroupBy.DAY).whole
            parts = {group_by: summaries.summarise(filters, group_by).parts for group_by in GroupBy}
        assert whole.outcomes == Counter(one.call.outcome for one in found)
        assert (whole.calls, whole.dials) == (len(found), sum(len(one.dials) for one in found))
        assert whole.talk_seconds == sum(one.call.talk_seconds or 0 for one in found)
        assert whole.waits.total() == sum(
            one.call.outcome == "answered" and one.call.waited_seconds is not None for one in found
        )
        for group_by in set(GroupBy) - {GroupBy.TARGET, GroupBy.CAUSE, GroupBy.REASON}:
            assert sum(part.total for part in parts[group_by].values()) == len(found)
        assert {name: part.total for name, part in parts[GroupBy.ROUTE].items()} == Counter(
            one.call.route for one in found
        )
        assert {name: part.total for name, part in parts[GroupBy.DAY].items()} == Counter(
            datetime.fromtimestamp(key_time(one.call.call_key) / 1000, ZoneInfo("Europe/Paris")).date().isoformat()
            for one in found
        )


@pytest.mark.parametrize("is_counted", [False, True])
def test_a_group_counts_the_calls_that_its_filter_lists(lite_caller: Caller, is_counted: bool) -> None:
    fill(lite_caller, seed=4)
    for number in range(100, 130):
        statuses = ["busy", ("busy", "no-answer")[number % 2], "completed" if number % 3 else "failed"]
        begun = START + number * HOUR // 3
        moments = [begun, begun + 30_000, begun + 60_000]
        lite_caller.services.journal.append_all([*make_rounds(number, moments, statuses), hangup(number, begun)])
    if is_counted:
        count(lite_caller)

    with read_session(lite_caller.services.store) as connection:
        summaries = Summaries(connection, ZoneInfo("UTC"))
        by = {group_by: summaries.summarise(CallFilters(), group_by).parts for group_by in GroupBy}
        both = summaries.summarise(CallFilters(target=TARGETS["sales"][0]), GroupBy.REASON).parts
    for target, part in by[GroupBy.TARGET].items():
        found = listed(lite_caller, CallFilters(target=target))
        assert part.outcomes == Counter(one.call.outcome for one in found)
        assert part.answered == sum(one.call.answered_by == target for one in found)
    for cause, part in by[GroupBy.CAUSE].items():
        assert cause is None or part.total == len(listed(lite_caller, CallFilters(cause=cause)))
    for reason, part in by[GroupBy.REASON].items():
        assert reason is None or part.total == len(listed(lite_caller, CallFilters(reason=reason)))
    for reason, part in both.items():
        filters = CallFilters(reason=reason, target=TARGETS["sales"][0])
        assert reason is None or part.total == len(listed(lite_caller, filters))
    assert max(len(one.dials) for one in listed(lite_caller, CallFilters())) == 3


def test_a_reason_is_named_by_the_most_exact_of_code_and_cause(lite_caller: Caller) -> None:
    fill(lite_caller, seed=5)
    codes = [(2020, "NORMAL_CLEARING"), (4000, "USER_BUSY"), (3010, "USER_BUSY"), (9999, "NO_ANSWER"), (4000, None)]
    kept = [f"dial{number}" for number in range(len(codes))]
    with lite_caller.services.store.engine.begin() as connection:
        for number, (code, cause) in enumerate(codes):
            values = {"hangup_code": code, "dial_hangup_cause": cause}
            connection.execute(update(dials).where(dials.c.dial_id == f"dial{number}").values(values))
        connection.execute(delete(dials).where(dials.c.dial_id.not_in(kept)))
        summaries = Summaries(connection, ZoneInfo("UTC"))
        found = {name: part.total for name, part in summaries.summarise(CallFilters(), GroupBy.REASON).parts.items()}

    assert found == {"Endpoint Not Registered": 1, "Busy Line": 2, "No Answer": 1, None: 86}
    exact = [exact_cause(*one) for one in codes]
    assert [one and one.code for one in exact] == [2020, 3010, 3010, 3000, None]


def test_a_call_that_changes_after_its_hour_was_counted_is_counted_again(caller: Caller) -> None:
    moments = fill(caller, seed=6)
    count(caller)
    old = figures_of(caller, "UTC", [CallFilters()])[0].whole
    chance = random.Random(4)

    caller.services.journal.append_all([end_call(number, moments[number], chance) for number in range(0, 90, 7)])
    changed = figures_of(caller, "UTC", SOME)
    marks = number_of_rows(caller, late_changes)
    counted = count(caller)

    assert marks
    assert counted
    assert changed[0].whole != old
    assert figures_of(caller, "UTC", SOME) == changed
    assert number_of_rows(caller, late_changes) == 0


def test_an_old_call_that_arrives_late_is_counted(lite_caller: Caller) -> None:
    fill(lite_caller, seed=7)
    count(lite_caller)

    lite_caller.services.journal.append_all(list(make_call(1000, START - 3 * DAY, random.Random(6))))
    before = figures_of(lite_caller, "UTC", SOME)
    count(lite_caller)

    assert before[0].whole.total == 91
    assert figures_of(lite_caller, "UTC", SOME) == before


def test_a_second_count_changes_nothing(lite_caller: Caller) -> None:
    fill(lite_caller, seed=8)
    count(lite_caller)

    assert count(lite_caller) == 0


def test_figures_come_from_the_counted_hours(lite_caller: Caller) -> None:
    fill(lite_caller, seed=9)
    count(lite_caller)
    before = figures_of(lite_caller, "UTC", [CallFilters(), DialFilters()])

    with lite_caller.services.store.engine.begin() as connection:
        for table in (dials, calls):
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.execute(delete(table))

    assert figures_of(lite_caller, "UTC", [CallFilters(), DialFilters()]) == before


def test_no_hour_is_counted_before_it_is_over_long_enough(lite_caller: Caller) -> None:
    lite_caller.ended_call("busy")

    update_rollups(lite_caller.services.store, at=now())

    with read_session(lite_caller.services.store) as connection:
        last = connection.scalar(select(func.max(rollup_hours.c.hour)))
    assert last is None or last + HOUR <= now() - COUNTED_AFTER


def test_a_count_reports_its_progress(lite_caller: Caller) -> None:
    fill(lite_caller, seed=10)
    steps: list[tuple[int, int]] = []

    hours = update_rollups(lite_caller.services.store, at=END, step=lambda *step: steps.append(step))

    assert sum(counted for counted, _ in steps) == hours
    assert [left for _, left in steps] == sorted((left for _, left in steps), reverse=True)
    assert steps[-1][1] == 0


@pytest.mark.parametrize(
    ("waits", "median", "p90"),
    [
        ([], None, None),
        ([0], 0, 0),
        ([3, 4, 5], 4, 5),
        ([20], 20, 22),
        ([7, 7, 7, 30], 8, 33),
        ([301], 300, 300),
    ],
)
def test_the_wait_is_exact_up_to_six_seconds_and_near_above(
    waits: list[int], median: int | None, p90: int | None
) -> None:
    figures = Figures(waits=Counter(bisect_left(WAIT_BOUNDS, wait) for wait in waits))

    assert (figures.wait(0.5), figures.wait(0.9)) == (median, p90)


def test_the_error_of_a_wait_is_less_than_a_third() -> None:
    for wait in range(301):
        place = bisect_left(WAIT_BOUNDS, wait)
        for share in (0.01, 0.5, 1):
            shown = Figures(waits=Counter({place: 100})).wait(share)
            assert shown is not None
            assert abs(shown - wait) <= (0 if wait <= 6 else wait / 3)


def test_of_several_nodes_one_counts_and_its_lock_ends_with_its_transaction(caller: Caller) -> None:
    store = caller.services.store
    fill(caller, seed=11, number=5)
    if store.is_sqlite:
        assert count(caller) > 0
        return
    locks = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    with store.engine.connect() as other, other.execution_options(isolation_level="READ COMMITTED").begin():
        other.execute(select(func.pg_advisory_xact_lock(LOCK)))
        assert count(caller) == 0
    assert count(caller) > 0
    with store.engine.connect() as connection:
        assert connection.scalar(locks) == 0


def test_each_row_of_the_counted_hours_is_one_group(lite_caller: Caller) -> None:
    fill(lite_caller, seed=12)
    count(lite_caller)

    of = call_rollups.c
    groups = [of.kind, of.hour, of.direction, of.route, of.to_number, of.outcome, of.answered_by]
    groups += [of.target, of.dial_status, of.cause, of.reason]
    with read_session(lite_caller.services.store) as connection:
        rows = connection.execute(select(func.count()).select_from(call_rollups).group_by(*groups)).scalars().all()

    assert set(rows) == {1}


def number_of_rows(caller: Caller, table: object) -> int:
    """Count the rows of a table."""
    with read_session(caller.services.store) as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]
