"""Ranges of whole days in a time zone: presets, dates, the period to compare with, and the hours of a week in them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day

RANGES = {
    "today": "Today",
    "yesterday": "Yesterday",
    "7d": "7 days",
    "30d": "30 days",
    "month": "This month",
    "last_month": "Last month",
    "90d": "90 days",
    "365d": "12 months",
}
COMPARISONS = {"before": "Before", "week": "Same weekdays"}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PAST = frozenset({"yesterday", "last_month"})
_MOST_DAYS = 5 * 366
_DAY = 24 * 60 * 60 * 1000  # milliseconds
_FIRST_DAY = date(1971, 1, 1)
_MOST_DAY_COLUMNS, _MOST_WEEK_COLUMNS = 45, 200  # in days


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRange:
    """A range of whole days. Times are milliseconds since 1970 UTC; `until` is excluded and never in the future.

    `before_since` and `before_until` bound the period to compare with, of the same length: half of today is compared
    with half of yesterday. `before_name` is that period in words.
    """

    name: str
    first: date
    last: date
    since: int
    until: int
    before_since: int
    before_until: int
    before_name: str

    @property
    def days(self) -> int:
        """Return the number of days."""
        return (self.last - self.first).days + 1

    @property
    def before_dates(self) -> dict[str, str]:
        """Return the parameters of an address that shows the whole days of the period to compare with."""
        back = timedelta(round((self.since - self.before_since) / _DAY))
        return {"range": "dates", "first": (self.first - back).isoformat(), "last": (self.last - back).isoformat()}

    @property
    def column(self) -> str:
        """Return what a column of a chart over this range stands for: an hour, a day, a week or a month."""
        if self.days == 1:
            return "hour"
        if self.days <= _MOST_DAY_COLUMNS:
            return "day"
        return "week" if self.days <= _MOST_WEEK_COLUMNS else "month"

    @property
    def is_current(self) -> bool:
        """Return whether new calls still fall into the range."""
        return self.name in RANGES and self.name not in _PAST


def read_range(
    name: str, first: str, last: str, *, compare: str, zone: tzinfo, now: int
) -> tuple[DateRange, dict[str, str]]:
    """Return the named range, or that of two ISO dates in either order, and what is wrong by parameter.

    Today stands for a range that cannot be read.
    """
    today = datetime.fromtimestamp(now / 1000, zone).date()
    problems: dict[str, str] = {}
    if name == "dates":
        found, problems = _dates(first, last, today)
    else:
        found = _preset(name, today)
        if found is None:
            problems["range"] = f"use {', '.join(RANGES)} or dates"
    if found is None:
        name, found = "today", (today, today)
    first_day, last_day = found
    since, until = _midnight(first_day, zone), min(_midnight(last_day + timedelta(1), zone), now)
    days = (last_day - first_day).days + 1
    back = -(-days // 7) * 7 if compare == "week" else days
    before_since = _midnight(first_day - timedelta(back), zone)
    before_until = min(before_since + max(until - since, 0), since)
    return (
        DateRange(
            name=name,
            first=first_day,
            last=last_day,
            since=since,
            until=max(until, since),
            before_since=before_since,
            before_until=before_until,
            before_name=_before_name(days, back, is_partial=until == now),
        ),
        problems,
    )


def hours_of_week(days: DateRange, weekday: str | None, hour: int | None, zone: tzinfo) -> tuple[tuple[int, int], ...]:
    """Return the bounds, in milliseconds, of every such weekday, hour or hour of a weekday within a range."""
    spans = []
    for number in range(days.days):
        day = days.first + timedelta(number)
        if weekday is not None and WEEKDAYS[day.weekday()] != weekday:
            continue
        low = _midnight(day, zone, hour or 0)
        high = _midnight(day + timedelta(1), zone) if hour in {None, 23} else _midnight(day, zone, (hour or 0) + 1)
        if low < high:  # An hour that the clocks skip is empty.
            spans.append((low, high))
    return tuple(spans)


def _preset(name: str, today: date) -> tuple[date, date] | None:
    month = today.replace(day=1)
    before = month - timedelta(1)
    return {
        "today": (today, today),
        "yesterday": (today - timedelta(1), today - timedelta(1)),
        "7d": (today - timedelta(6), today),
        "30d": (today - timedelta(29), today),
        "month": (month, today),
        "last_month": (before.replace(day=1), before),
        "90d": (today - timedelta(89), today),
        "365d": (today - timedelta(364), today),
    }.get(name)


def _dates(first: str, last: str, today: date) -> tuple[tuple[date, date] | None, dict[str, str]]:
    read: dict[str, date] = {}
    problems: dict[str, str] = {}
    for name, text in (("first", first), ("last", last)):
        try:
            read[name] = date.fromisoformat(text)
        except ValueError:
            problems[name] = "enter a date such as 2026-03-01"
    if problems:
        return None, problems
    one, other = sorted(read.values())
    latest = today + timedelta(1)
    fitting_one, fitting_other = (min(max(day, _FIRST_DAY), latest) for day in (one, other))
    fitting_one = max(fitting_one, fitting_other - timedelta(_MOST_DAYS - 1))
    if (fitting_one, fitting_other) != (one, other):
        problems["first" if fitting_one != one else "last"] = f"shortened to {fitting_one} to {fitting_other}"
    return (fitting_one, fitting_other), problems


def _before_name(days: int, back: int, *, is_partial: bool) -> str:
    if back != days or back == 7:
        name = "a week earlier" if back == 7 else f"{back // 7} weeks earlier"
    else:
        name = "the day before" if days == 1 else f"the {days} days before"
    return f"{name} by this time" if is_partial and days == 1 else name


def _midnight(day: date, zone: tzinfo, hour: int = 0) -> int:
    return round(datetime.combine(day, time_of_day(hour), zone).astimezone(UTC).timestamp() * 1000)
