"""Ten thousand weeks of callers, reported in any order: each follow-up is right without a click."""

import random
from datetime import UTC

import pytest

from app.records.maintenance.check import check
from app.records.store import migrate
from app.records.store.store import Store
from app.records.writing.journal import Journal
from tests.drills.conftest import Tell
from tests.records.test_followups import made_weeks, play, quiet, states_of_calls

WEEKS = 10_000
AT_ONCE = 500  # Weeks whose reports are mixed with one another.


@pytest.mark.drill
def test_ten_thousand_weeks_have_the_right_followups(sqlite_url: str, tell: Tell) -> None:
    store = Store(sqlite_url, timeout=20)
    migrate.upgrade(store)
    journal = Journal(store)
    chance = random.Random(2026)
    weeks = made_weeks(chance, WEEKS)
    expected: dict[str, str] = {}
    for first in range(0, WEEKS, AT_ONCE):
        expected |= play(journal, store, weeks[first : first + AT_ONCE], chance)
    journal.close()

    found = states_of_calls(store)
    wrong = {uuid for uuid in expected.keys() | found.keys() if expected.get(uuid) != found.get(uuid)}
    tell(f"{WEEKS:,} weeks, {sum(len(week.calls) for week in weeks):,} calls, {len(expected):,} to call back")
    assert wrong == set()
    assert check(store, zone=UTC, repair=False, step=quiet).followups == 0
    store.close()
