"""Opening hours: spans of each weekday in a time zone."""

import re
from datetime import datetime, tzinfo
from itertools import pairwise
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator

from app.plan.values import Name, Table

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")


class Span(NamedTuple):
    """From one minute of the day up to, but not including, another."""

    start: int
    end: int

    def __str__(self) -> str:
        """Return the span as in the plan: `09:00-17:30`."""
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in self)


def _span(text: object) -> Span:
    match = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is no span of hours; write them as 09:00-17:30")
    hours = [int(part) for part in match.groups()]
    span = Span(hours[0] * 60 + hours[1], hours[2] * 60 + hours[3])
    if not span.start < span.end <= 24 * 60:
        raise ValueError(
            f"{text!r} does not end after it starts on the same day; end at 24:00 and let the next day begin at 00:00"
        )
    return span


def _in_order(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    spans = tuple(sorted(spans))
    for one, following in pairwise(spans):
        if following.start < one.end:
            raise ValueError(f"{one} and {following} overlap; write one span instead")
    return spans


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (ValueError, OSError, LookupError) as error:
        raise ValueError(f"time_zone is {value!r}; write a name such as Europe/Berlin") from error


Day = Annotated[tuple[Annotated[Span, BeforeValidator(_span)], ...], AfterValidator(_in_order)]
Zone = Annotated[tzinfo, BeforeValidator(_zone)]


class Hours(Table):
    """When a route is open; `otherwise` names the ending or step of the other times."""

    time_zone: Zone
    otherwise: Name
    monday: Day = ()
    tuesday: Day = ()
    wednesday: Day = ()
    thursday: Day = ()
    friday: Day = ()
    saturday: Day = ()
    sunday: Day = ()

    def day(self, weekday: int) -> tuple[Span, ...]:
        """Return the spans of a weekday, 0 for Monday."""
        return (
            self.monday,
            self.tuesday,
            self.wednesday,
            self.thursday,
            self.friday,
            self.saturday,
            self.sunday,
        )[weekday]

    def is_open(self, now: datetime) -> bool:
        """Return whether the moment, which must know its time zone, falls into a span."""
        local = now.astimezone(self.time_zone)
        minute = local.hour * 60 + local.minute
        return any(span.start <= minute < span.end for span in self.day(local.weekday()))
