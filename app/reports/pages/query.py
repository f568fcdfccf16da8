"""What the dashboard's address asks for: a range of days in its time zone, and filters."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from urllib.parse import urlencode

from app.records.reading.filters import DialFilters
from app.reports.pages.formatting import OUTCOMES
from app.voice.numbers import normalise

RANGES = {"today": "Today", "yesterday": "Yesterday", "7d": "7 days", "30d": "30 days"}
FILTERS = ("number", "route", "target", "outcome", "cause", "q")
_MOST_DAYS = 366
_FIRST_DAY = date(1971, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRange:
    """A range of whole days. Times are milliseconds since 1970 UTC; `until` is excluded and never in the future.

    `before_since` and `before_until` bound the preceding range of the same length: half of today is compared with
    half of yesterday.
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
        """Return the number of days."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardQuery:
    """The parameters of the dashboard's address. `shown` holds the filters as they were entered."""

    range: DateRange
    filters: DialFilters
    shown: Mapping[str, str]

    @property
    def is_current(self) -> bool:
        """Return whether new dials still fall into the range."""
        return self.range.name in RANGES and self.range.name != "yesterday"

    def address(self, **changes: str) -> str:
        """Return the query string of this page with some parameters changed; an empty value removes one."""
        parameters = {"range": self.range.name, **self.shown}
        if self.range.name == "dates":
            parameters.update(first=self.range.first.isoformat(), last=self.range.last.isoformat())
        parameters.update(changes)
        if parameters["range"] != "dates":
            parameters.pop("first", None)
            parameters.pop("last", None)
        return "?" + urlencode({name: value for name, value in parameters.items() if value})

    def api_filters(self) -> str:
        """Return the query string with which the API and the files show the same dials."""
        names = {"to": "number", **{name: name for name in FILTERS if name != "number"}}
        parameters = {"since": _rfc3339(self.range.since)}
        if not self.is_current:
            parameters["until"] = _rfc3339(self.range.until)
        parameters |= {name: self.shown[ours] for name, ours in names.items() if ours in self.shown}
        return "?" + urlencode(parameters)


def read_dashboard_query(given: Mapping[str, str], *, zone: tzinfo, now: int) -> DashboardQuery:
    """Return the query of the page's address; a value that cannot be read counts as absent."""
    days = read_range(given.get("range", "today"), given.get("first", ""), given.get("last", ""), zone=zone, now=now)
    shown = {name: text for name in FILTERS if (text := _clean(given.get(name, "")))}
    if shown.get("outcome", "") not in OUTCOMES:
        shown.pop("outcome", None)
    filters = DialFilters(
        since=days.since,
        until=days.until,
        to_number=normalise(shown.get("number")),
        route=shown.get("route"),
        target=normalise(shown.get("target")),
        outcome=shown.get("outcome"),
        cause=shown.get("cause"),
        search=normalise(shown.get("q")),
    )
    return DashboardQuery(range=days, filters=filters, shown=shown)


def read_range(name: str, first: str, last: str, *, zone: tzinfo, now: int) -> DateRange:
    """Return the named range, or that of two ISO dates in either order; today if neither can be read."""
    today = datetime.fromtimestamp(now / 1000, zone).date()
    days = _dates(first, last, today) if name == "dates" else None
    if days is None:
        name = name if name in RANGES else "today"
        yesterday = today - timedelta(1)
        days = {
            "today": (today, today),
            "yesterday": (yesterday, yesterday),
            "7d": (today - timedelta(6), today),
            "30d": (today - timedelta(29), today),
        }[name]
    first_day, last_day = days
    since, until = _midnight(first_day, zone), min(_midnight(last_day + timedelta(1), zone), now)
    before_since = _midnight(first_day - (last_day - first_day) - timedelta(1), zone)
    return DateRange(
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
    latest = today + timedelta(1)
    one, other = min(max(one, _FIRST_DAY), latest), min(max(other, _FIRST_DAY), latest)
    return max(one, other - timedelta(_MOST_DAYS - 1)), other


def _midnight(day: date, zone: tzinfo) -> int:
    return round(datetime.combine(day, time_of_day(), zone).astimezone(UTC).timestamp() * 1000)


def _clean(text: str) -> str:
    return "".join(character for character in text.strip() if character.isprintable())[:255]


def _rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
