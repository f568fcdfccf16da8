"""Every call has one outcome, and every way to read the calls counts them alike; a drill plays many more."""

from app.voice.outcome import CallOutcome
from tests.reports.conftest import Caller
from tests.reports.histories import check_histories


def test_random_histories_are_counted_alike_everywhere(caller: Caller) -> None:
    found = check_histories(caller, 150, seed=7)

    assert found.total() > 140
    assert len(found) > len(CallOutcome) // 2
