"""Opening hours are local, on the day the clock on the wall shows."""

from datetime import UTC, datetime

import pytest

from app.plan.dates import Span
from app.plan.hours import Hours

BERLIN = Hours.model_validate(
    {
        "time_zone": "Europe/Berlin",
        "otherwise": "hangup",
        "sunday": ["00:00-24:00"],
        "monday": ["13:30-18:00", "09:00-12:30"],
    }
)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23T07:59:59", False),
        ("2026-11-23T08:00:00", True),
        ("2026-11-23T11:29:59", True),
        ("2026-11-23T11:30:00", False),
        ("2026-11-23T12:30:00", True),
        ("2026-11-23T17:00:00", False),
        ("2026-11-21T22:59:59", False),  # Saturday, one second before Berlin's midnight.
        ("2026-11-21T23:00:00", True),
        ("2026-11-22T22:59:59", True),
        ("2026-11-22T23:00:00", False),
        ("2026-07-06T07:00:00", True),  # Summer time.
        ("2026-07-06T06:59:59", False),
        ("2026-11-24T10:00:00", False),  # No hours on Tuesday.
    ],
)
def test_a_moment_is_open_by_the_clock_of_the_place(moment: str, is_open: bool) -> None:
    assert BERLIN.is_open(datetime.fromisoformat(moment).replace(tzinfo=UTC)) is is_open


def test_spans_are_kept_in_order() -> None:
    assert BERLIN.monday == (Span(540, 750), Span(810, 1080))
    assert [str(span) for span in BERLIN.monday] == ["09:00-12:30", "13:30-18:00"]


def test_spans_may_touch() -> None:
    hours = Hours.model_validate({"time_zone": "UTC", "otherwise": "hangup", "monday": ["09:00-12:00", "12:00-13:00"]})

    assert len(hours.monday) == 2
