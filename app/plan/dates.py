"""Dates in opening hours: one day, a day of every year, or several days; whole, or for a span of hours."""

import re
from datetime import date, datetime, timedelta, tzinfo
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator

_SPAN = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_DATE = r"(?:[0-9]{4}-)?[0-9]{2}-[0-9]{2}"
_DATES = re.compile(rf"({_DATE})(?: to ({_DATE}))?(?: (\S+))?")
_MOMENT = re.compile(r"(?:([0-9]{4}-[0-9]{2}-[0-9]{2})[ T])?([0-9]{1,2}:[0-9]{2})")
_LONGEST = timedelta(days=36_500)
_WHAT_TO_WRITE = "write 2026-12-25, 12-25 for every year, 2026-12-24 to 2026-12-31, or 12-24 12:00-24:00"


class Span(NamedTuple):
    """From one minute of the day up to, but not including, another."""

    start: int
    end: int

    def __str__(self) -> str:
        """Return the span as in the plan: `09:00-17:30`."""
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in self)

    def covers(self, local: datetime) -> bool:
        """Return whether a moment of the place falls into the span."""
        return self.start <= local.hour * 60 + local.minute < self.end


WHOLE_DAY = Span(0, 24 * 60)


def parse_span(text: object) -> Span:
    """Return the span of hours that a text names. Raises ValueError."""
    match = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is no span of hours; write them as 09:00-17:30")
    hours = [int(part) for part in match.groups()]
    span = Span(hours[0] * 60 + hours[1], hours[2] * 60 + hours[3])
    if not span.start < span.end <= WHOLE_DAY.end:
        raise ValueError(
            f"{text!r} does not end after it starts on the same day; end at 24:00 and let the next day begin at 00:00"
        )
    return span


class Dates(NamedTuple):
    """Days from `first` to `last`, each 2026-12-24, or 12-24 in every year; the span holds on each of them."""

    first: str
    last: str
    span: Span

    def __str__(self) -> str:
        """Return the dates as in the plan."""
        days = self.first if self.first == self.last else f"{self.first} to {self.last}"
        return days if self.span == WHOLE_DAY else f"{days} {self.span}"

    def covers(self, local: datetime) -> bool:
        """Return whether a moment of the place falls on one of the days and into the span."""
        day = local.date().isoformat()[-len(self.first) :]
        bounds = (self.first <= day, day <= self.last)
        is_within = any(bounds) if self.first > self.last else all(bounds)  # The first: of every year, over its end.
        return is_within and self.span.covers(local)


def _dates(text: object) -> Dates:
    match = _DATES.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        is_bare = isinstance(text, date)
        raise ValueError(
            f'{text} stands without quotes; write "{text}"' if is_bare else f"{text!r} is no date; {_WHAT_TO_WRITE}"
        )
    first, last = match[1], match[2] or match[1]
    try:
        for day in (first, last):
            date.fromisoformat(day if len(day) == len("2026-12-25") else f"2024-{day}")  # A year with 02-29.
    except ValueError as error:
        raise ValueError(f"{text!r} names a day that no calendar has; {_WHAT_TO_WRITE}") from error
    if len(first) != len(last) or (first > last and len(first) == len("2026-12-25")):
        raise ValueError(f"{text!r} does not end after it begins; {_WHAT_TO_WRITE}")
    return Dates(first, last, parse_span(match[3]) if match[3] else WHOLE_DAY)


DayList = tuple[Annotated[Dates, BeforeValidator(_dates)], ...]


def parse_until(text: str, zone: tzinfo, now: datetime) -> datetime:
    """Return the next moment with this time by the clock of a place: 15:00, or 2026-12-24 15:00. Raises ValueError.

    A time that comes twice, since clocks are set back, is the later one once the first has passed.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no time; write 15:00 or 2026-12-24 15:00")
    day, clock = match.groups()
    is_midnight = clock == "24:00"
    try:
        written = f"{day or now.astimezone(zone).date()} {'00:00' if is_midnight else clock}"
        moment = datetime.strptime(written, "%Y-%m-%d %H:%M").replace(tzinfo=zone) + timedelta(days=is_midnight)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time; write 15:00 or 2026-12-24 15:00") from error
    candidates = [moment, moment.replace(fold=1), *([] if day else [moment + timedelta(days=1)])]
    later = [one for one in candidates if one > now]
    if not later:
        raise ValueError(f"{text!r} has passed; write a later time")
    if later[0] > now + _LONGEST:
        raise ValueError(f"{text!r} is more than {_LONGEST.days // 365} years away; write an earlier time, or none")
    return later[0]
