"""Opening hours: spans of each weekday in a time zone, and the days on which they do not hold."""

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator

from app.plan.dates import DayList, Span, parse_span
from app.plan.snapshot import Source, Timeline
from app.plan.values import FeedAddress, FeedEvents, Name, Table

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_COUNTRY = re.compile(r"[A-Z]{2}(-[A-Za-z0-9]+)?")
_UNKNOWN: Mapping[Source, Timeline] = {}


def _in_order(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    spans = tuple(sorted(spans))
    for one, following in pairwise(spans):
        if following.start < one.end:
            raise ValueError(f"{one} and {following} overlap; write one span instead")
    return spans


def parse_zone(value: object) -> ZoneInfo:
    """Return the time zone of a name. Raises ValueError."""
    try:
        return ZoneInfo(str(value))
    except (ValueError, OSError, LookupError) as error:
        raise ValueError(f"time_zone is {value!r}; write a name such as Europe/Berlin") from error


def _country(value: object) -> str:
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise ValueError(f"holidays is {value!r}; write a country, or a part of one, such as DE or US-CA")
    return value


Day = Annotated[tuple[Annotated[Span, BeforeValidator(parse_span)], ...], AfterValidator(_in_order)]
Zone = Annotated[ZoneInfo, BeforeValidator(parse_zone)]


class CalendarFeed(Table):
    """A calendar whose events close the route, or open it."""

    url: FeedAddress
    events: FeedEvents = "close"


def _calendar(value: Any) -> Any:
    return value if isinstance(value, dict | Table) else {"url": value}


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
    closed: DayList = ()
    open: DayList = ()
    holidays: Annotated[str | None, BeforeValidator(_country)] = None
    calendar: Annotated[CalendarFeed | None, BeforeValidator(_calendar)] = None

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

    def is_open(self, now: datetime, days: Mapping[Source, Timeline] = _UNKNOWN) -> bool:
        """Return whether the route is open at a moment, which must know its time zone."""
        return self.state(now, days)[0]

    def state(self, now: datetime, days: Mapping[Source, Timeline] = _UNKNOWN) -> tuple[bool, str]:
        """Return whether the route is open, and by which rule; the first that holds decides.

        The rules are the dates of `open`, those of `closed`, the events of the calendar, the holidays, the weekday. A
        calendar or holidays that `days` lacks have no events.
        """
        local = now.astimezone(self.time_zone)
        for is_open, dates in ((True, self.open), (False, self.closed)):
            for one in dates:
                if one.covers(local):
                    return is_open, str(one)
        if self.calendar is not None and (titles := self._found(self.calendar.url, days, now)):
            return self.calendar.events == "open", f"calendar: {titles[0]}"
        if self.holidays is not None and (names := self._found(self.holidays, days, now)):
            return False, f"holiday: {names[0]}"
        return any(span.covers(local) for span in self.day(local.weekday())), ""

    def source(self, address: str) -> Source:
        """Return under which name the events of a calendar or of a country's holidays are known."""
        return Source(address, self.time_zone.key)

    def _found(self, address: str, days: Mapping[Source, Timeline], now: datetime) -> tuple[str, ...]:
        timeline = days.get(self.source(address))
        return timeline.at(now) if timeline is not None else ()
