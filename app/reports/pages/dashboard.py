"""The contents of the dashboard: figures, charts and the newest dials of one query."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from sqlalchemy import Connection

from app.records.reading.figures import WEEKDAYS, Figures, GroupBy
from app.records.reading.filters import TooMany, find_routes
from app.records.reading.queries import Page, find_dials
from app.records.reading.summaries import Summaries
from app.reports.pages.charts import ORDER, StackedColumns, stack_columns
from app.reports.pages.formatting import duration, percentage
from app.reports.pages.query import DashboardQuery, DateRange
from app.voice.explanation import UNEXPLAINED, exact_cause, explain
from app.voice.hangup_causes import by_name
from app.voice.outcome import Outcome

_ROWS = 10
_ROWS_OF_A_LIST = 50  # On older pages and in search results.
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NOT_REACHED = (Outcome.MISSED, Outcome.BUSY, Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureCard:
    """One figure as text, the same for the preceding range, and what it counts."""

    name: str
    value: str
    before: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """One row of a table: its name and its figures."""

    name: str | None
    figures: Figures

    @property
    def answered(self) -> int:
        """Return the number of answered dials."""
        return self.figures.answered


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseRow:
    """One reason why dials ended; `outcome` where the cause `name` says nothing about how these dials ended."""

    name: str
    dials: int
    meaning: str
    advice: str
    outcome: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heatmap:
    """Dials that reached nobody: by weekday, 24 hours of (count, level), where level is 0 (none) to 5 (most)."""

    rows: list[tuple[str, list[tuple[int, int]]]]
    peak: str  # The worst hour, such as "Mon 09:00 to 10:00"; empty without any.


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """The charts, the rows of the tables beside them, and the values to filter by."""

    whole: Figures
    chart: StackedColumns
    columns: list[FigureRow]
    outcomes: list[Outcome]
    heatmap: Heatmap
    targets: list[FigureRow]
    causes: list[CauseRow]
    numbers: list[str]
    routes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentDials:
    """The newest dials; `refused` says why a search was not made."""

    page: Page
    refused: str = ""


_Cards = tuple[tuple[str, str, Callable[[Figures], str]], ...]
_CARDS: _Cards = (
    ("Calls", "that rang somebody; dials: {dials}", lambda figures: f"{figures.calls:,}"),
    ("Answer rate", "of dials that have ended", lambda figures: percentage(figures.answered, figures.ended)),
    ("Missed", "dials that rang unanswered", lambda figures: f"{figures.outcomes[Outcome.MISSED]:,}"),
    ("Caller gave up", "before anybody answered", lambda figures: f"{figures.outcomes[Outcome.CALLER_GAVE_UP]:,}"),
    ("Median time to answer", "half are answered sooner", lambda figures: duration(figures.wait(0.5))),
    ("90th percentile", "of the time to answer", lambda figures: duration(figures.wait(0.9))),
    ("Talk time", "of all conversations", lambda figures: duration(figures.talk_seconds)),
)


def find_recent(connection: Connection, query: DashboardQuery, before: int | None) -> RecentDials:
    """Return the newest dials with a key below `before`. A search ignores the range: its day is seldom known."""
    filters = query.filters
    if filters.search:
        filters = replace(filters, since=None, until=None)
    elif query.is_current:
        filters = replace(filters, until=None)
    limit = _ROWS if before is None and not filters.search else _ROWS_OF_A_LIST
    try:
        return RecentDials(page=find_dials(connection, filters, limit=limit, before=before))
    except TooMany as error:
        return RecentDials(page=Page(dials=[], before=None), refused=str(error))


def find_cards(summaries: Summaries, query: DashboardQuery, now: Figures | None = None) -> list[FigureCard]:
    """Return the figures of the range and of the preceding one; `now` saves counting the range again."""
    filters = replace(query.filters, search=None)
    now = now or summaries.summarise(filters, GroupBy.OUTCOME).whole
    past = replace(filters, since=query.range.before_since, until=query.range.before_until)
    before = summaries.summarise(past, GroupBy.OUTCOME).whole
    return [
        FigureCard(name=name, value=write(now), before=write(before), help=help_text.format(dials=f"{now.total:,}"))
        for name, help_text, write in _CARDS
    ]


def find_charts(connection: Connection, summaries: Summaries, query: DashboardQuery, zone: tzinfo) -> Charts:
    """Return the charts of the range, which group its dials by time, target and cause."""
    filters = replace(query.filters, search=None)
    not_reached = replace(filters, outcomes=tuple(NOT_REACHED))
    hours = summaries.summarise(not_reached, GroupBy.HOUR_OF_WEEK, with_waits=False).parts
    time_unit = GroupBy.HOUR if query.range.days == 1 else GroupBy.DAY
    columns = _columns(query.range, summaries.summarise(filters, time_unit, with_waits=False).parts, zone)
    targets = summaries.summarise(filters, GroupBy.TARGET)
    causes = summaries.summarise(filters, GroupBy.CAUSE, with_waits=False).parts
    numbers = summaries.summarise(filters, GroupBy.NUMBER, with_waits=False).parts
    return Charts(
        whole=targets.whole,
        chart=stack_columns([row.name or "" for row in columns], [row.figures.outcomes for row in columns]),
        columns=columns,
        outcomes=[outcome for outcome in ORDER if any(row.figures.outcomes[outcome] for row in columns)],
        heatmap=_heatmap(hours),
        targets=[FigureRow(name=name, figures=figures) for name, figures in targets.parts.items()],
        causes=[row for name, figures in causes.items() if name for row in _cause_rows(name, figures)],
        numbers=[name for name in numbers if name],
        routes=find_routes(connection),
    )


_ENDED_NORMALLY = frozenset({Outcome.ANSWERED, Outcome.CALLER_GAVE_UP, Outcome.IN_PROGRESS})


def _cause_rows(name: str, figures: Figures) -> Iterator[CauseRow]:
    """Yield the rows of a cause.

    A cause that is no reason for a failure, such as NORMAL_CLEARING, has a row for each outcome of its failed dials.
    """
    cause = by_name(name)
    outcomes = figures.outcomes if cause is not None and exact_cause(None, name) is None else Counter[str]()
    failed = {outcome: dials for outcome, dials in outcomes.items() if outcome not in _ENDED_NORMALLY}
    if dials := figures.total - sum(failed.values()):
        meaning = cause.meaning if cause else "Plivo does not document this cause."
        yield CauseRow(name=name, dials=dials, meaning=meaning, advice=cause.advice if cause else UNEXPLAINED)
    for outcome, dials in failed.items():
        why = explain(outcome, None, None)
        yield CauseRow(name=name, dials=dials, meaning=why.text, advice=why.advice, outcome=outcome)


def _columns(days: DateRange, parts: Mapping[str | None, Figures], zone: tzinfo) -> list[FigureRow]:
    """Return one row for every hour of a single day or every day of several, empty ones included."""
    rows: dict[str, Figures] = {}
    if days.days == 1:
        rows = {f"{hour:02d}:00": Figures() for hour in range(24)}
    else:
        rows = {f"{days.first + timedelta(day):%a %-d %b}": Figures() for day in range(days.days)}
    for name, figures in parts.items():
        at = datetime.fromisoformat(name or "")
        label = f"{at.astimezone(zone):%H}:00" if days.days == 1 else f"{at:%a %-d %b}"
        rows.setdefault(label, Figures()).merge(figures)
    return [FigureRow(name=name, figures=figures) for name, figures in rows.items()]


def _heatmap(hours: Mapping[str | None, Figures]) -> Heatmap:
    counts = [
        [hours[name].total if (name := f"{weekday} {hour:02d}:00") in hours else 0 for hour in range(24)]
        for weekday in WEEKDAYS
    ]
    most, day, hour = max((count, day, hour) for day, row in enumerate(counts) for hour, count in enumerate(row))
    return Heatmap(
        rows=[
            (_WEEKDAYS[day], [(count, -(-5 * count // most) if count else 0) for count in row])
            for day, row in enumerate(counts)
        ],
        peak=f"{_WEEKDAYS[day]} {hour:02d}:00 to {hour + 1:02d}:00" if most else "",
    )
