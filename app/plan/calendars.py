"""Expand a calendar or the public holidays of a country into events. A program of its own, run by `app/ops/feeds.py`.

What a calendar holds was written by others: in a process with limits it can take neither time from a caller nor memory
from the server, whose processes never load these libraries. So this file imports nothing of the application.
"""

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import recurring_ical_events
from icalendar import Calendar, Component
from phonenumbers import Leniency, PhoneNumberFormat, PhoneNumberMatcher, PhoneNumberType, format_number, number_type

MOST_EVENTS = 5000
MOST_AT_ONCE = 20
_CPU_SECONDS = 10
_MEMORY = 512 * 1024 * 1024  # bytes
_LONGEST_TITLE = 100  # characters
_LONGEST_TEXT = 1000  # Characters in which numbers are looked for.

Event = tuple[int, int, str, tuple[str, ...]]
"""Start and end in seconds since 1970, the title, and the telephone numbers that it names."""


def expand(text: str, zone: ZoneInfo, first: datetime, last: datetime) -> list[Event]:
    """Return every event of a calendar between two moments, each repetition by itself, in order of time.

    Days without a time, and times without a zone, are those of `zone`. Cancelled events are left out. Raises ValueError
    where anything in the calendar cannot be read: half a calendar could leave out who is on call.
    """
    calendar = Calendar.from_ical(text)
    for event in calendar.walk("VEVENT"):
        if event.errors:
            raise ValueError(f"{event.errors[0][0]} of an event: {event.errors[0][1]}")
    found: list[Event] = []
    # Days without a time begin up to 14 hours earlier or later than in UTC.
    query = recurring_ical_events.of(calendar)
    for event in query.between(first - timedelta(days=1), last + timedelta(days=1)):
        start, end = _seconds(event.start, zone), _seconds(event.end, zone)
        if str(event.get("STATUS", "")).upper() != "CANCELLED" and start < end:
            found.append((start, end, str(event.get("SUMMARY", ""))[:_LONGEST_TITLE], _numbers(event)))
    found = sorted(one for one in found if one[1] > first.timestamp() and one[0] < last.timestamp())
    if len(found) > MOST_EVENTS:
        raise ValueError(f"more than {MOST_EVENTS} events")
    running: list[int] = []
    for start, end, *_ in found:
        running = [*(one for one in running if one > start), end]
        if len(running) > MOST_AT_ONCE:
            raise ValueError(f"more than {MOST_AT_ONCE} events at once")
    return found


def _numbers(event: Component) -> tuple[str, ...]:
    """Return the numbers in the title of an event, else in its location, else in its description.

    A number has + and a country code. Premium-rate numbers are left out: a calendar must not call at any cost.
    """
    for key in ("SUMMARY", "LOCATION", "DESCRIPTION"):
        text = str(event.get(key, ""))[:_LONGEST_TEXT]
        found = (match.number for match in PhoneNumberMatcher(text, None, leniency=Leniency.POSSIBLE))
        numbers = [
            format_number(one, PhoneNumberFormat.E164)
            for one in found
            if number_type(one) != PhoneNumberType.PREMIUM_RATE
        ]
        if numbers:
            return tuple(dict.fromkeys(numbers))
    return ()


def expand_holidays(code: str, zone: ZoneInfo, first: datetime, last: datetime) -> list[Event]:
    """Return the public holidays of a country, or of a part of it such as US-CA. Raises ValueError for another code."""
    country, _, part = code.partition("-")
    known = holidays.list_supported_countries()
    if country not in known:
        raise ValueError(f"{country} is no country whose holidays are known; write two letters, such as US or DE")
    if part and part not in known[country]:
        parts = ", ".join(known[country]) or "none"
        raise ValueError(f"{part} is no part of {country} whose holidays are known; the parts are {parts}")
    years = range(first.year - 1, last.year + 2)
    return [
        (_seconds(day, zone), _seconds(day + timedelta(days=1), zone), name, ())
        for day, name in sorted(holidays.country_holidays(country, subdiv=part or None, years=years).items())
        if first - timedelta(days=2) < datetime.combine(day, time(), UTC) < last + timedelta(days=1)
    ]


def _seconds(moment: date, zone: ZoneInfo) -> int:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return int((moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).timestamp())


def _asked(asked: dict[str, Any]) -> Iterator[Event]:
    zone = ZoneInfo(asked["zone"])
    first, last = (datetime.fromtimestamp(asked[key], UTC) for key in ("first", "last"))
    if "holidays" in asked:
        yield from expand_holidays(asked["holidays"], zone, first, last)
        return
    yield from expand(asked["calendar"], zone, first, last)


def main() -> None:
    """Read one request as JSON from standard input; write its events, or the reason why there are none."""
    for limit, most in ((resource.RLIMIT_CPU, _CPU_SECONDS), (resource.RLIMIT_AS, _MEMORY)):
        with suppress(ValueError, OSError):  # The system or an administrator has set a lower one.
            resource.setrlimit(limit, (most, most))
    try:
        answer: dict[str, Any] = {"events": list(_asked(json.load(sys.stdin)))}
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        answer = {"refused": " ".join(f"{kind}{error}".split())[:300]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
