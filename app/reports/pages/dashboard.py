"""What the dashboard shows: figures, pictures, recent calls, for one range and its filters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from urllib.parse import urlencode

from sqlalchemy import Connection

from app.records.reading.figures import Detail, Figures, GroupBy, groups_whole_calls
from app.records.reading.filters import DialFilters, TooMany, find_routes
from app.records.reading.queries import Page, find_dials
from app.records.reading.summaries import WEEKDAYS, Summaries
from app.reports.pages.charts import ORDER, Columns, stack
from app.reports.pages.formatting import OUTCOMES, duration, share
from app.reports.pages.ranges import NAMED, Range, read_range
from app.voice.hangup_causes import HangupCause, by_name
from app.voice.numbers import normalise
from app.voice.outcome import Outcome

FILTERS = ("number", "route", "target", "outcome", "cause", "q")
_ROWS = 10
_ROWS_OF_A_LIST = 50  # Of who searches or pages on.
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NOT_SERVED = (Outcome.MISSED, Outcome.BUSY, Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the address of the page asks for."""

    range: Range
    wanted: DialFilters
    filters: Mapping[str, str]

    @property
    def is_now(self) -> bool:
        """Tell whether the range goes on, so that what comes next belongs to it."""
        return self.range.name in NAMED and self.range.name != "yesterday"

    def address(self, **changes: str) -> str:
        """Write the query of this page with some things changed; an empty value leaves one out."""
        named = {"range": self.range.name, **self.filters}
        if self.range.name == "dates":
            named.update(first=self.range.first.isoformat(), last=self.range.last.isoformat())
        named.update(changes)
        if named["range"] != "dates":
            named.pop("first", None)
            named.pop("last", None)
        return "?" + urlencode({name: value for name, value in named.items() if value})

    def export(self, kind: str) -> str:
        """Write the address of this page's dials as a file."""
        names = {"to": "number", "route": "route", "target": "target", "outcome": "outcome", "cause": "cause", "q": "q"}
        given = {name: self.filters.get(ours, "") for name, ours in names.items()}
        bounds = {"since": _rfc3339(self.range.since)}
        if not self.is_now:
            bounds["until"] = _rfc3339(self.range.until)
        return f"/api/v1/dials.{kind}?" + urlencode({k: v for k, v in (bounds | given).items() if v})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure, and what it was in the range before."""

    name: str
    value: str
    before: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table: its name, its figures and, for a cause, what it means."""

    name: str | None
    figures: Figures
    cause: HangupCause | None = None

    @property
    def answered(self) -> int:
        """Count the answered."""
        return self.figures.outcomes[Outcome.ANSWERED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Calls nobody served, by weekday and hour; `level` from 0 (none) to 5 (the most)."""

    rows: list[tuple[str, list[tuple[int, int]]]]
    most: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The pictures, and the rows of the tables that say the same."""

    whole: Figures
    chart: Columns
    columns: list[Row]
    outcomes: list[Outcome]
    heat: Heat
    targets: list[Row]
    causes: list[Row]
    numbers: list[str]
    routes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """The newest dials; `refused` says why a search was not made."""

    page: Page
    refused: str = ""


_Figures = tuple[tuple[str, str, Callable[[Figures], str]], ...]
_OF_CALLS: _Figures = (
    ("Calls", "for which we rang; dials: {dials}", lambda figures: f"{figures.calls:,}"),
    ("Answered", "answered dials, of calls that have ended", lambda figures: share(*figures.answered(of_calls=True))),
)
# Of calls of which only some dials are shown.
_OF_DIALS: _Figures = (
    ("Calls", "that began with one of these dials: {dials}", lambda figures: f"{figures.calls:,}"),
    ("Answered", "of these dials that have ended", lambda figures: share(*figures.answered(of_calls=False))),
)
_FIGURES: _Figures = (
    ("Missed", "dials that rang, nobody picked up", lambda figures: f"{figures.outcomes[Outcome.MISSED]:,}"),
    ("Caller gave up", "before anybody answered", lambda figures: f"{figures.outcomes[Outcome.CALLER_GAVE_UP]:,}"),
    ("Time to answer", "half are answered within", lambda figures: duration(figures.wait(0.5))),
    ("Longest waits", "nine in ten answered within", lambda figures: duration(figures.wait(0.9))),
    ("Talk time", "all conversations together", lambda figures: duration(figures.talk_seconds)),
)


def read_asked(given: Mapping[str, str], *, zone: tzinfo, now: int) -> Asked:
    """Read the address of the page. What cannot be read is as if it were not there."""
    chosen = read_range(given.get("range", "today"), given.get("first", ""), given.get("last", ""), zone=zone, now=now)
    filters = {name: text for name in FILTERS if (text := _clean(given.get(name, "")))}
    outcome = filters.get("outcome")
    if outcome is not None and outcome not in OUTCOMES:
        del filters["outcome"]
    wanted = DialFilters(
        since=chosen.since,
        until=chosen.until,
        to_number=normalise(filters.get("number")),
        route=filters.get("route"),
        target=normalise(filters.get("target")),
        outcome=filters.get("outcome"),
        cause=filters.get("cause"),
        search=normalise(filters.get("q")),
    )
    return Asked(range=chosen, wanted=wanted, filters=filters)


def find_recent(connection: Connection, asked: Asked, before: int | None) -> Recent:
    """Find the newest dials. A search looks at all times, since who searches seldom knows the day."""
    wanted = asked.wanted
    wanted = (
        replace(wanted, since=None, until=None)
        if wanted.search
        else replace(wanted, until=None if asked.is_now else wanted.until)
    )
    limit = _ROWS if before is None and not wanted.search else _ROWS_OF_A_LIST
    try:
        return Recent(page=find_dials(connection, wanted, limit=limit, before=before))
    except TooMany as error:
        return Recent(page=Page(dials=[], before=None), refused=str(error))


def find_figures(summaries: Summaries, asked: Asked, now: Figures | None = None) -> list[Figure]:
    """Count the range and the one before it; `now` are the figures of the range where they are known already."""
    wanted = replace(asked.wanted, search=None)
    now = now or summaries.summarise(wanted, GroupBy.OUTCOME).whole
    past = replace(wanted, since=asked.range.before_since, until=asked.range.before_until)
    before = summaries.summarise(past, GroupBy.OUTCOME).whole
    first = _OF_CALLS if groups_whole_calls(wanted, GroupBy.DAY) else _OF_DIALS
    return [
        Figure(name=name, value=write(now), before=write(before), help=said.format(dials=f"{now.total:,}"))
        for name, said, write in (*first, *_FIGURES)
    ]


def find_pictures(connection: Connection, summaries: Summaries, asked: Asked, zone: tzinfo) -> Pictures:
    """Count the range by time, target and cause."""
    wanted = replace(asked.wanted, search=None)
    lost = replace(wanted, outcomes=tuple(NOT_SERVED))
    hours = summaries.summarise(lost, GroupBy.HOUR_OF_WEEK, detail=Detail.TOTALS).parts
    divided = GroupBy.HOUR if asked.range.days == 1 else GroupBy.DAY
    columns = _columns(asked.range, summaries.summarise(wanted, divided, detail=Detail.OUTCOMES).parts, zone)
    targets = summaries.summarise(wanted, GroupBy.TARGET)
    causes = summaries.summarise(wanted, GroupBy.CAUSE, detail=Detail.TOTALS).parts
    numbers = summaries.summarise(wanted, GroupBy.NUMBER, detail=Detail.TOTALS).parts
    return Pictures(
        whole=targets.whole,
        chart=stack([row.name or "" for row in columns], [row.figures.outcomes for row in columns]),
        columns=columns,
        outcomes=[outcome for outcome in ORDER if any(row.figures.outcomes[outcome] for row in columns)],
        heat=_heat(hours),
        targets=[Row(name=name, figures=figures) for name, figures in targets.parts.items()],
        causes=[Row(name=name, figures=f, cause=by_name(name)) for name, f in causes.items() if name],
        numbers=[name for name in numbers if name],
        routes=find_routes(connection),
    )


def _columns(days: Range, parts: Mapping[str | None, Figures], zone: tzinfo) -> list[Row]:
    """Give every hour of a day, or every day of several, also those in which nothing happened."""
    rows: dict[str, Figures] = {}
    if days.days == 1:
        rows = {f"{hour:02d}:00": Figures() for hour in range(24)}
    else:
        rows = {f"{days.first + timedelta(day):%a %-d %b}": Figures() for day in range(days.days)}
    for name, figures in parts.items():
        at = datetime.fromisoformat(name or "")
        label = f"{at.astimezone(zone):%H}:00" if days.days == 1 else f"{at:%a %-d %b}"
        rows.setdefault(label, Figures()).merge(figures)
    return [Row(name=name, figures=figures) for name, figures in rows.items()]


def _heat(hours: Mapping[str | None, Figures]) -> Heat:
    lost = [
        [hours[name].total if (name := f"{weekday} {hour:02d}:00") in hours else 0 for hour in range(24)]
        for weekday in WEEKDAYS
    ]
    most = max(max(row) for row in lost)
    worst = max(((count, day, hour) for day, row in enumerate(lost) for hour, count in enumerate(row)))
    return Heat(
        rows=[
            (_WEEKDAYS[day], [(count, -(-5 * count // most) if count else 0) for count in row])
            for day, row in enumerate(lost)
        ],
        most=f"{_WEEKDAYS[worst[1]]} {worst[2]:02d}:00 to {worst[2] + 1:02d}:00" if worst[0] else "",
    )


def _clean(text: str) -> str:
    return "".join(character for character in text.strip() if character.isprintable())[:255]


def _rfc3339(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000).astimezone():%Y-%m-%dT%H:%M:%S%z}"
