"""Made-up calendars, and what is in them by an expansion of its own with dateutil.

The expansion shares nothing with the libraries under test but the rules' arithmetic of local times, which dateutil does
without zones. Zones come from the standard library alone.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule

FIRST, LAST = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 12, 20, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Sydney",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "UTC",
    "",
    "day",
)
"""Zones of events: a name, none at all, or `day` for days without a time."""
_FREQUENCIES = {"DAILY": DAILY, "WEEKLY": WEEKLY, "MONTHLY": MONTHLY, "YEARLY": YEARLY}
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(kw_only=True)
class Series:
    """One event and its repetitions, in local time; what is removed and moved is named by the original start."""

    number: int
    zone: str
    start: datetime
    length: timedelta
    by_duration: bool
    rule: dict[str, object] = field(default_factory=dict)
    until: datetime | None = None
    removed: list[datetime] = field(default_factory=list)
    moved: dict[datetime, datetime | None] = field(default_factory=dict)

    def instant(self, local: datetime) -> int:
        """Return a local time of the series in seconds since 1970."""
        zone = ZONE if self.zone in {"", "day"} else ZoneInfo(self.zone)
        return int(local.replace(tzinfo=zone).timestamp())

    def starts(self) -> list[datetime]:
        """Return every local start by the rule, before anything is removed or moved."""
        if not self.rule:
            return [self.start]
        keys = {key: value for key, value in self.rule.items() if key != "freq"}
        end = datetime(2027, 1, 10)  # noqa: DTZ001 - Local times carry their zone beside them.
        found = rrule(_FREQUENCIES[str(self.rule["freq"])], dtstart=self.start, **keys)
        within: list[datetime] = found.between(self.start, end, inc=True)
        if self.until is not None:
            within = [one for one in within if self.instant(one) <= self.instant(self.until)]
        return within

    def expected(self) -> list[tuple[int, int]]:
        """Return start and end of every event that happens."""
        happening = [self.moved.get(one, one) for one in self.starts() if one not in self.removed]
        return [(self.instant(one), self.instant(one + self.length)) for one in happening if one is not None]

    def written(self, key: str, local: datetime) -> str:
        """Return a line of the calendar that names a local time of the series."""
        if self.zone == "day":
            return f"{key};VALUE=DATE:{local:%Y%m%d}"
        if self.zone == "UTC":
            return f"{key}:{local:%Y%m%dT%H%M%S}Z"
        return f"{key}{f';TZID={self.zone}' if self.zone else ''}:{local:%Y%m%dT%H%M%S}"

    def lines(self) -> list[str]:
        """Return the events of the series as a calendar writes them."""
        lines = self._event(self.start)
        if self.rule:
            lines.append(f"RRULE:{self._rule()}")
        lines += [self.written("EXDATE", one) for one in self.removed]
        events = [*lines, "END:VEVENT"]
        for original, moved in self.moved.items():
            events += [*self._event(moved or original), self.written("RECURRENCE-ID", original)]
            events += [*([] if moved else ["STATUS:CANCELLED"]), "END:VEVENT"]
        return events

    def _event(self, start: datetime) -> list[str]:
        seconds = int(self.length.total_seconds())
        length = f"P{seconds // 86400}D" if self.zone == "day" else f"PT{seconds // 60}M"
        end = f"DURATION:{length}" if self.by_duration else self.written("DTEND", start + self.length)
        head = ["BEGIN:VEVENT", f"UID:{self.number}", "DTSTAMP:20260101T000000Z", f"SUMMARY:event {self.number}"]
        return [*head, self.written("DTSTART", start), end]

    def _rule(self) -> str:
        parts = [f"FREQ={self.rule['freq']}"]
        for key, name in (("interval", "INTERVAL"), ("count", "COUNT"), ("bymonthday", "BYMONTHDAY")):
            if key in self.rule:
                parts.append(f"{name}={self.rule[key]}")
        if days := self.rule.get("byweekday"):
            parts.append(f"BYDAY={','.join(_DAYS[day] for day in days)}")  # type: ignore[attr-defined]
        if self.until is not None:
            if self.zone == "day":
                parts.append(f"UNTIL={self.until:%Y%m%d}")
            elif self.zone == "":
                parts.append(f"UNTIL={self.until:%Y%m%dT%H%M%S}")
            else:
                parts.append(f"UNTIL={datetime.fromtimestamp(self.instant(self.until), UTC):%Y%m%dT%H%M%SZ}")
        return ";".join(parts)


def generated(seed: int) -> list[Series]:
    """Return the series of one made-up calendar; the same for the same seed."""
    random = Random(seed)
    return [_series(random, number) for number in range(random.randint(1, 4))]


def _series(random: Random, number: int) -> Series:
    zone = random.choice(ZONES)
    day = date(2026, 1, 1) + timedelta(days=random.randrange(-200, 330))
    # Around two o'clock, where clocks are changed, more often than not.
    at = (
        time() if zone == "day" else random.choice((time(1, 30), time(2, 30), time(3), time(9), time(22), time(23, 45)))
    )
    length = (
        timedelta(days=random.randint(1, 9)) if zone == "day" else timedelta(minutes=random.choice((15, 60, 540, 1500)))
    )
    series = Series(
        number=number, zone=zone, start=datetime.combine(day, at), length=length, by_duration=random.random() < 0.5
    )
    if random.random() < 0.8:
        _repeat(random, series)
    return series


def _repeat(random: Random, series: Series) -> None:
    frequency = random.choice(tuple(_FREQUENCIES))
    rule: dict[str, object] = {"freq": frequency, "interval": random.choice((1, 1, 2, 3))}
    if frequency == "WEEKLY" and random.random() < 0.6:
        rule["byweekday"] = sorted({series.start.weekday(), random.randrange(7)})
    if frequency == "MONTHLY" and random.random() < 0.5:
        rule["bymonthday"] = series.start.day
    series.rule = rule
    bound = random.random()
    if bound < 0.4:
        rule["count"] = random.randint(1, 40)
    starts = series.starts()
    if bound > 0.8 and starts:
        series.until = random.choice(starts)
        starts = series.starts()
    for one in random.sample(starts, k=min(len(starts), random.randrange(4))):
        kind = random.random()
        if kind < 0.5:
            series.removed.append(one)
        else:
            by = timedelta(days=random.randint(-3, 3), hours=0 if series.zone == "day" else random.choice((0, 2, 5)))
            series.moved[one] = None if kind < 0.6 else one + by


def text_of(calendar: list[Series]) -> str:
    """Return a calendar as text."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//EN"]
    return "\r\n".join([*lines, *(line for series in calendar for line in series.lines()), "END:VCALENDAR", ""])


def expected(calendar: list[Series]) -> list[tuple[int, int, str]]:
    """Return what happens between FIRST and LAST: start, end and title, in order."""
    found = [(start, end, f"event {series.number}") for series in calendar for start, end in series.expected()]
    return sorted(one for one in found if one[1] > FIRST.timestamp() and one[0] < LAST.timestamp() and one[0] < one[1])
