"""Calendars are expanded as RFC 5545 says, by the clocks of each place; what cannot be read is refused as a whole."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.plan import calendars
from app.plan.calendars import expand, expand_holidays
from tests.plan.generated_calendars import FIRST, LAST, ZONE, expected, generated, text_of

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def differing(seeds: range) -> list[int]:
    """Return the seeds whose calendars the two expansions read differently."""
    found = []
    for seed in seeds:
        calendar = generated(seed)
        if [one[:3] for one in expand(text_of(calendar), ZONE, FIRST, LAST)] != expected(calendar):
            found.append(seed)
    return found


def calendar_of(*lines: str, start: str = "DTSTART:20261005T080000Z") -> str:
    """Return a calendar of one event of an hour with these lines in it."""
    event = ["BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z", start, "DURATION:PT1H", *lines, "END:VEVENT"]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//EN", *event, "END:VCALENDAR", ""])


def test_calendars_agree_with_an_expansion_of_their_own() -> None:
    assert differing(range(200)) == []


@pytest.mark.drill
def test_ten_thousand_calendars_agree_with_an_expansion_of_their_own() -> None:
    assert differing(range(1_000, 11_000)) == []


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        (["SUMMARY:Ann +1 415 555 0100"], ["+14155550100"]),
        (["SUMMARY:Ann +1 (415) 555-0100 and Bob +442071838750"], ["+14155550100", "+442071838750"]),
        (["SUMMARY:Ann", "LOCATION:tel:+14155550100"], ["+14155550100"]),
        (["SUMMARY:Ann", "LOCATION:desk 4155550", "DESCRIPTION:+14155550100"], ["+14155550100"]),
        (["SUMMARY:+14155550100", "LOCATION:+14155550111"], ["+14155550100"]),
        (["SUMMARY:+14155550100 or +14155550100"], ["+14155550100"]),
        (["SUMMARY:call 911 or 030 1234567 or sip:ann@example.com"], []),
        (["SUMMARY:Ann +1 900 555 0100"], []),  # Premium rate.
        (["SUMMARY:+1415"], []),
        (['SUMMARY:"/><Number>+14155550100</Number>'], ["+14155550100"]),
        ([f"DESCRIPTION:{'x' * 1000}+14155550100"], []),
        ([], []),
    ],
)
def test_only_telephone_numbers_are_taken_from_an_event(lines: list[str], numbers: list[str]) -> None:
    [(_, _, _, found)] = expand(calendar_of(*lines), ZONE, OCTOBER, NOVEMBER)

    assert list(found) == numbers


def test_a_cancelled_event_does_not_happen() -> None:
    assert expand(calendar_of("STATUS:CANCELLED"), ZONE, OCTOBER, NOVEMBER) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html><title>Sign in</title></html>",
        calendar_of()[:120],
        calendar_of().replace("END:VEVENT\r\n", ""),
        calendar_of(start="DTSTART:soon"),
        calendar_of().replace("PT1H", "an hour"),
        calendar_of("RRULE:FREQ=NEVER"),
        calendar_of() + calendar_of(),
        "\0" * 100,
    ],
)
def test_a_calendar_that_cannot_be_read_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        expand(text, ZONE, OCTOBER, NOVEMBER)


def test_too_many_events_are_refused() -> None:
    many = calendar_of("RRULE:FREQ=MINUTELY;INTERVAL=7").replace("PT1H", "PT1M")

    with pytest.raises(ValueError, match="more than 5000 events"):
        expand(many, ZONE, OCTOBER, NOVEMBER)
    with pytest.raises(ValueError, match="more than 20 events at once"):
        expand(calendar_of("RRULE:FREQ=MINUTELY;COUNT=40"), ZONE, OCTOBER, NOVEMBER)


@pytest.mark.parametrize(
    ("code", "day", "name"),
    [
        ("US-CA", datetime(2026, 11, 26, 9, tzinfo=ZoneInfo("America/Los_Angeles")), "Thanksgiving Day"),
        ("DE-BY", datetime(2026, 10, 3, tzinfo=ZONE), "German Unity Day"),
    ],
)
def test_holidays_are_whole_days_of_the_place(code: str, day: datetime, name: str) -> None:
    assert isinstance(day.tzinfo, ZoneInfo)
    [title] = [
        title
        for start, end, title, _ in expand_holidays(code, day.tzinfo, FIRST, LAST)
        if start <= day.timestamp() < end
    ]

    assert title == name


@pytest.mark.parametrize(
    ("code", "reason"),
    [("QQ", "QQ is no country whose holidays are known"), ("DE-XX", "XX is no part of DE whose holidays are known")],
)
def test_a_country_that_is_not_known_is_refused(code: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        expand_holidays(code, ZONE, FIRST, LAST)


def test_the_program_answers_with_events_or_a_reason() -> None:
    span = {"zone": "UTC", "first": OCTOBER.timestamp(), "last": NOVEMBER.timestamp()}

    assert run({"calendar": calendar_of("SUMMARY:Ann"), **span}) == {"events": [[1791187200, 1791190800, "Ann", []]]}
    assert list(run({"calendar": "nonsense", **span})) == ["refused"]


def run(asked: dict[str, object]) -> dict[str, object]:
    """Run the program of calendars as the server does."""
    command = [sys.executable, "-I", str(Path(calendars.__file__))]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer
