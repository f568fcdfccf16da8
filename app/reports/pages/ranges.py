"""Ranges of days as people name them, in the time zone of the dashboard."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day

NAMED = {"today": "Today", "yesterday": "Yesterday", "7d": "7 days", "30d": "30 days"}
_LONGEST = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Some days. Milliseconds since 1970 UTC; `until` is excluded and never lies ahead of the present.

    `before_since` and `before_until` bound the range before it, of the same length, so that a day of which half is
    over is compared with half a day.
    """

    name: str
    first: date
    last: date
    since: int
    until: int
    before_since: int
    before_until: int

    @property
    def days(self) -> int:
        """Count the days."""
        return (self.last - self.first).days + 1


def read_range(name: str, first: str, last: str, *, zone: tzinfo, now: int) -> Range:
    """Read a range: a name, or two dates. What cannot be read becomes today, dates in the wrong order are turned."""
    today = datetime.fromtimestamp(now / 1000, zone).date()
    days = _dates(first, last, today) if name == "dates" else None
    if days is None:
        name = name if name in NAMED else "today"
        days = {
            "today": (today, today),
            "yesterday": (today - timedelta(1), today - timedelta(1)),
            "7d": (today - timedelta(6), today),
            "30d": (today - timedelta(29), today),
        }[name]
    first_day, last_day = days
    since, until = _midnight(first_day, zone), min(_midnight(last_day + timedelta(1), zone), now)
    before_since = _midnight(first_day - (last_day - first_day) - timedelta(1), zone)
    return Range(
        name=name,
        first=first_day,
        last=last_day,
        since=since,
        until=max(until, since),
        before_since=before_since,
        before_until=min(before_since + max(until - since, 0), since),
    )


def _dates(first: str, last: str, today: date) -> tuple[date, date] | None:
    try:
        one, other = sorted((date.fromisoformat(first), date.fromisoformat(last)))
    except ValueError:
        return None
    earliest, latest = date(1971, 1, 1), today + timedelta(1)
    one, other = min(max(one, earliest), latest), min(max(other, earliest), latest)
    return max(one, other - timedelta(_LONGEST - 1)), other


def _midnight(day: date, zone: tzinfo) -> int:
    return round(datetime.combine(day, time_of_day(), zone).astimezone(UTC).timestamp() * 1000)
