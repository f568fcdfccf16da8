"""Rollups are exact: figures are the same with and without them, whatever changes afterwards."""

import random
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, func, select, text, update

from app.records.model.ids import COUNTED_AFTER, first_key, now
from app.records.model.tables import dials, late_changes, rollup_periods, rollups
from app.records.reading.figures import Detail, Figures, GroupBy, GroupedFigures
from app.records.reading.filters import DialFilters
from app.records.reading.read_session import read_session
from app.records.reading.summaries import Summaries, summarise
from app.records.rollups.counting import LOCK, update_rollups
from app.records.rollups.groupings import (
    ALL_COLUMNS,
    COLUMNS,
    LONGEST_WAIT,
    Grouping,
    Rollup,
    add_waits,
    coarsest_grouping,
    count_dials,
    pack_waits,
    read_waits,
    rows_in,
)
from app.records.rollups.periods import Level, Period, cover
from tests.reports.conftest import Caller
from tests.reports.history import TARGETS, end_call, make_call, make_rounds

DAY = 24 * 3_600_000
# 2026-03-25T00:00Z: in the following days clocks change in Paris, and on Lord Howe Island by half an hour.
START = 1_774_396_800_000
DAYS = 13
END = START + DAYS * DAY
ZONES = ["UTC", "Europe/Paris", "Asia/Kathmandu", "Australia/Lord_Howe"]


def fill(caller: Caller, seed: int, calls: int = 90) -> list[int]:
    """Store calls of two weeks; return the time of each in milliseconds."""
    chance = random.Random(seed)
    moments = [START + chance.randrange(DAYS * DAY) for _ in range(calls)]
    receipts = [one for number, at in enumerate(moments) for one in make_call(number, at, chance)]
    caller.services.journal.append_all(receipts)
    return moments


def kinds() -> list[DialFilters]:
    """Return filters of every kind, and none."""
    return [
        DialFilters(),
        DialFilters(since=START + 3 * DAY + 12_345, until=END - 2 * DAY - 54_321),
        DialFilters(outcome="missed"),
        DialFilters(status="busy", route="sales"),
        DialFilters(target=TARGETS["sales"][0], since=START + DAY),
        DialFilters(to_number="+14155550101"),
        DialFilters(cause="USER_BUSY", until=END - 5 * DAY),
        DialFilters(cause="USER_BUSY", to_number="+14155550101"),
        DialFilters(outcomes=("missed", "busy", "failed"), since=START + DAY),
        DialFilters(outcomes=("missed", "busy"), outcome="busy", route="support"),
        DialFilters(from_number="+14155550007"),
    ]


# A range that begins and ends within an hour, and filters that need the fewest rows and the most.
SOME = [
    DialFilters(),
    DialFilters(since=START + 3 * DAY + 12_345, until=END - 2 * DAY - 54_321),
    DialFilters(target=TARGETS["sales"][0], since=START + DAY),
    DialFilters(cause="USER_BUSY", to_number="+14155550101"),
]


def summaries_of(caller: Caller, zone: str, filters: Sequence[DialFilters] = ()) -> list[GroupedFigures]:
    """Return a summary for each of the filters (default: every kind) and each grouping."""
    with read_session(caller.services.store) as connection:
        return [
            summarise(connection, one, divided, ZoneInfo(zone)) for one in filters or kinds() for divided in GroupBy
        ]


def whole(caller: Caller) -> Figures:
    """Return the figures of all dials."""
    with read_session(caller.services.store) as connection:
        return summarise(connection, DialFilters(), GroupBy.OUTCOME, ZoneInfo("UTC")).whole


def count(caller: Caller, zone: str) -> int:
    """Update the rollups as if it were the end of the two weeks; return the number of periods."""
    return update_rollups(caller.services.store, ZoneInfo(zone), at=END)


@pytest.mark.parametrize("zone", ZONES)
def test_figures_are_the_same_before_and_after_a_rollup(lite_caller: Caller, zone: str) -> None:
    fill(lite_caller, seed=1)
    before = summaries_of(lite_caller, zone)

    counted = count(lite_caller, zone)

    assert counted > DAYS * 24
    assert summaries_of(lite_caller, zone) == before
    assert before[0].whole.total == 90


def test_figures_are_the_same_on_both_databases_and_in_another_zone(caller: Caller) -> None:
    fill(caller, seed=2)
    before = summaries_of(caller, "America/New_York"), summaries_of(caller, "Asia/Kathmandu", SOME)

    count(caller, "Europe/Paris")

    assert (summaries_of(caller, "America/New_York"), summaries_of(caller, "Asia/Kathmandu", SOME)) == before


@pytest.mark.parametrize("zone", ["Europe/Paris", "Australia/Lord_Howe"])
def test_summaries_in_one_session_equal_those_in_several(lite_caller: Caller, zone: str) -> None:
    fill(lite_caller, seed=10)
    one_by_one = summaries_of(lite_caller, zone)
    update_rollups(lite_caller.services.store, ZoneInfo("UTC"), at=END - 2 * DAY)

    with read_session(lite_caller.services.store) as connection:
        summaries = Summaries(connection, ZoneInfo(zone))
        together = [
            [summaries.summarise(one, divided, detail=detail) for one in kinds() for divided in GroupBy]
            for detail in Detail
        ]

    assert together[-1] == one_by_one
    assert [[each.whole.total for each in some] for some in together] == [[each.whole.total for each in one_by_one]] * 3


def test_the_rows_of_every_grouping_add_up_to_the_dials(caller: Caller) -> None:
    moments = fill(caller, seed=11)
    count(caller, "UTC")
    chance = random.Random(12)
    caller.services.journal.append_all([end_call(number, moments[number], chance) for number in range(0, 90, 7)])
    count(caller, "UTC")

    with read_session(caller.services.store) as connection:
        for level in Level:
            until = connection.scalar(
                select(func.max(rollup_periods.c.finish)).where(rollup_periods.c.level == level.value)
            )
            assert until
            for grouping in Grouping:
                columns = [dials.c[name] for name in COLUMNS[grouping]]
                recounted = count_dials(connection, [dials.c.dial_key < first_key(until)], columns)
                counted = add_up(connection, level, grouping)
                assert counted == {names: as_tuple(rollup) for names, rollup in recounted.items()}, (level, grouping)


def add_up(connection: Connection, level: Level, grouping: Grouping) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return the sums of a level's rows in one grouping; they must have no other columns."""
    sums: dict[tuple[Any, ...], Rollup] = {}
    for row in connection.execute(select(rollups).where(*rows_in(level, grouping, Period(0, END)))).mappings():
        assert all(row[name] is None for name in set(ALL_COLUMNS) - set(COLUMNS[grouping]))
        names = tuple(row[name] for name in COLUMNS[grouping])
        sums.setdefault(names, Rollup()).add(row["dials"], row["calls"], row["talk_seconds"], read_waits(row["waits"]))
    return {names: as_tuple(rollup) for names, rollup in sums.items()}


def as_tuple(rollup: Rollup) -> tuple[Any, ...]:
    """Return what a rollup holds."""
    return rollup.dials, rollup.calls, rollup.talk_seconds, rollup.waits


@pytest.mark.parametrize(
    ("needed", "chosen"),
    [
        (set(), Grouping.OUTCOME),
        ({"outcome", "dial_status"}, Grouping.OUTCOME),
        ({"targets", "outcome"}, Grouping.TARGET),
        ({"route"}, Grouping.ROUTE),
        ({"to_number"}, Grouping.NUMBER),
        ({"dial_hangup_cause"}, Grouping.CAUSE),
        ({"dial_hangup_cause", "route"}, Grouping.ALL),
    ],
)
def test_the_fewest_rows_are_read_that_know_what_is_asked(needed: set[str], chosen: Grouping) -> None:
    assert coarsest_grouping(needed) is chosen


def test_waits_come_back_as_they_were_packed_and_add_up() -> None:
    some, more = {0: 3, 7: 1, LONGEST_WAIT: 2}, {7: 2**31, 9: 1}

    packed = [pack_waits(some), pack_waits(more)]

    assert [read_waits(one) for one in packed] == [some, more]
    assert add_waits([(packed[0], "a", "b"), (packed[1], "a", "b"), (packed[1], "a", None)]) == {
        ("a", "b"): {0: 3, 7: 2**31 + 1, 9: 1, LONGEST_WAIT: 2},
        ("a", None): more,
    }
    assert pack_waits({}) is None
    assert read_waits(None) == {}


def test_a_wait_longer_than_any_ring_is_counted_as_the_longest(caller: Caller) -> None:
    fill(caller, seed=13)
    with caller.services.store.engine.begin() as connection:
        connection.execute(update(dials).where(dials.c.ring_seconds.is_not(None)).values(ring_seconds=999_999_999))
    before = whole(caller)
    count(caller, "UTC")

    assert whole(caller) == before
    assert set(before.waits) == {LONGEST_WAIT}


def test_less_detail_counts_the_same(caller: Caller) -> None:
    fill(caller, seed=9)
    count(caller, "UTC")
    wanted = DialFilters(since=START + 12_345)  # Dials, hours and days are all needed.

    for divided in GroupBy:
        with read_session(caller.services.store) as connection:
            totals, outcomes, everything = (
                summarise(connection, wanted, divided, ZoneInfo("UTC"), detail=detail) for detail in Detail
            )

        assert list(totals.parts) == list(outcomes.parts) == list(everything.parts)
        for name, part in everything.parts.items():
            assert (totals.parts[name].total, totals.parts[name].talk_seconds) == (part.total, part.talk_seconds)
            assert totals.parts[name].calls == outcomes.parts[name].calls == part.calls
            assert outcomes.parts[name].outcomes == part.outcomes
        assert totals.whole.total == outcomes.whole.total == everything.whole.total
        assert outcomes.whole.outcomes == everything.whole.outcomes


def test_a_dial_that_changes_after_its_rollup_is_counted_again(caller: Caller) -> None:
    moments = fill(caller, seed=3)
    count(caller, "UTC")
    old = whole(caller)
    chance = random.Random(4)

    caller.services.journal.append_all([end_call(number, moments[number], chance) for number in range(0, 90, 7)])
    changed = summaries_of(caller, "UTC", SOME)
    with read_session(caller.services.store) as connection:
        marks = connection.scalar(select(func.count()).select_from(late_changes))
    counted = count(caller, "UTC")

    assert marks
    assert counted
    assert changed[0].whole != old
    assert summaries_of(caller, "UTC", SOME) == changed
    assert recount(caller) == changed[0].whole.total
    with read_session(caller.services.store) as connection:
        assert connection.scalar(select(func.count()).select_from(late_changes)) == 0


def test_an_old_call_that_arrives_late_is_counted(lite_caller: Caller) -> None:
    fill(lite_caller, seed=5)
    count(lite_caller, "UTC")

    lite_caller.services.journal.append_all(list(make_call(1000, START - 40 * DAY, random.Random(6))))
    before = summaries_of(lite_caller, "UTC", SOME)
    count(lite_caller, "UTC")

    assert before[0].whole.total == 91
    assert summaries_of(lite_caller, "UTC", SOME) == before


def test_a_second_rollup_changes_nothing(lite_caller: Caller) -> None:
    fill(lite_caller, seed=7)
    count(lite_caller, "UTC")

    assert count(lite_caller, "UTC") == 0


def test_summaries_use_the_rollups(lite_caller: Caller) -> None:
    fill(lite_caller, seed=8)
    count(lite_caller, "UTC")

    with read_session(lite_caller.services.store) as connection:
        pieces = cover(connection, START + DAY, END - DAY, marks=[], fits=lambda _span: True)

    assert pieces.rest == []
    assert sum(run.finish - run.start for run in pieces.days) == (DAYS - 2) * DAY


def test_a_new_time_zone_counts_everything_again(lite_caller: Caller) -> None:
    fill(lite_caller, seed=9)
    count(lite_caller, "UTC")
    before = summaries_of(lite_caller, "Asia/Kathmandu", SOME)

    counted = count(lite_caller, "Asia/Kathmandu")

    assert counted > DAYS * 24
    assert summaries_of(lite_caller, "Asia/Kathmandu", SOME) == before


def test_a_call_counts_once_for_any_number_of_dials_in_any_hours(caller: Caller) -> None:
    hour = DAY // 24
    for number in range(12):
        begun = START + number * DAY + hour - 40_000
        moments = [begun, begun + 30_000, begun + 60_000]  # The third dial begins in the next hour.
        statuses = ["no-answer", "no-answer", "completed" if number % 3 else "busy"]
        caller.services.journal.append_all(list(make_rounds(number, moments, statuses)))
    before = summaries_of(caller, "UTC", SOME)

    count(caller, "UTC")

    assert summaries_of(caller, "UTC", SOME) == before
    whole = before[0].whole
    assert (whole.calls, whole.total) == (12, 36)
    assert whole.answered(of_calls=True) == (8, 12)
    assert whole.answered(of_calls=False) == (8, 36)


def test_what_is_not_over_long_enough_is_not_counted(lite_caller: Caller) -> None:
    lite_caller.ended_call("busy")

    update_rollups(lite_caller.services.store, ZoneInfo("UTC"), at=now())

    with read_session(lite_caller.services.store) as connection:
        last = connection.scalar(select(func.max(rollup_periods.c.finish)))
    assert last is None or last <= now() - COUNTED_AFTER


def recount(caller: Caller) -> int:
    """Count every dial that is kept."""

    def every(connection: Connection) -> int:
        return connection.scalar(select(func.count()).select_from(dials)) or 0

    with read_session(caller.services.store) as connection:
        return every(connection)


def test_of_several_nodes_one_counts_and_its_lock_ends_with_its_transaction(caller: Caller) -> None:
    store = caller.services.store
    fill(caller, seed=8, calls=5)
    if not store.is_sqlite:
        locks = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        with store.engine.connect() as other, other.execution_options(isolation_level="READ COMMITTED").begin():
            other.execute(select(func.pg_advisory_xact_lock(LOCK)))
            assert count(caller, "UTC") == 0
        assert count(caller, "UTC") > 0
        with store.engine.connect() as other:
            assert other.scalar(locks) == 0
    else:
        assert count(caller, "UTC") > 0
