"""The contents of the list of calls: figures, calls and charts of one query."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from sqlalchemy import Connection

from app.records.reading.calls import ListedCall, count_followups, find_calls, find_longest
from app.records.reading.figures import Figures, GroupBy
from app.records.reading.filters import TooMany
from app.records.reading.summaries import Summaries
from app.reports.pages.charts import StackedColumns, stack_columns
from app.reports.pages.formatting import FOLLOWUPS
from app.reports.pages.heatmap import Heatmap, find_heatmap
from app.reports.pages.query import DashboardQuery
from app.reports.pages.ranges import DateRange
from app.reports.pages.tiles import ORDER, find_tiles
from app.voice.explanation import UNEXPLAINED, exact_cause, explain
from app.voice.hangup_causes import by_name
from app.voice.outcome import Facts, outcome_of

_ROWS = 10  # Beside figures and charts.
_ROWS_OF_A_LIST = 100  # Where the page was filtered, searched or turned.
_SORTED_BY = {"waited": "waited_seconds", "talked": "talk_seconds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallList:
    """Calls to list, and the key before which older ones begin; `refused` says why a search was not made.

    `whole` are the figures of those that match, None for a search; `pruned` is how many of them were deleted.
    """

    calls: list[ListedCall]
    before: int | None = None
    refused: str = ""
    whole: Figures | None = None
    pruned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the chart: its name, its figures, and the parameters that lead to its calls."""

    name: str
    figures: Figures
    changes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """One number or SIP user that rang: in how many calls, and how many of them it answered."""

    name: str | None
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRow:
    """One reason why dials ended without an answer, and how many calls have such a dial."""

    name: str
    calls: int
    meaning: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """The charts, and the tables beside them."""

    chart: StackedColumns
    columns: list[Column]
    outcomes: dict[str, int]
    heatmap: Heatmap
    targets: list[TargetRow]
    reasons: list[ReasonRow]


def find_list(connection: Connection, summaries: Summaries, query: DashboardQuery, before: int | None) -> CallList:
    """Return the calls to list with keys below `before`, in the order of the query."""
    filters = query.filters
    limit = _ROWS if before is None and not query.is_filtered else _ROWS_OF_A_LIST
    whole = None if query.is_search else summaries.summarise(filters, GroupBy.OUTCOME).whole
    pruned = 0 if query.is_search else summaries.count_pruned(filters)
    try:
        if by := _SORTED_BY.get(query.shown.get("sort", "")):
            return CallList(
                calls=find_longest(connection, filters, by, limit=_ROWS_OF_A_LIST), whole=whole, pruned=pruned
            )
        page = find_calls(connection, filters, limit=limit, before=before)
    except TooMany as error:
        return CallList(calls=[], refused=str(error))
    return CallList(calls=page.calls, before=page.before, whole=whole, pruned=pruned)


def find_figures(
    connection: Connection, summaries: Summaries, query: DashboardQuery, zone: tzinfo
) -> dict[str, object]:
    """Return the tiles, the charts and the counts beside the filters; a search has no figures."""
    if query.is_search:
        return {"tiles": [], "charts": None, "choices": {}}
    return {
        "tiles": find_tiles(summaries, query),
        "charts": find_charts(summaries, query, zone),
        "choices": find_choices(connection, summaries, query),
    }


def find_choices(connection: Connection, summaries: Summaries, query: DashboardQuery) -> dict[str, dict[str, int]]:
    """Return the values of each filter with the number of calls that each would find, most calls first."""
    groups = {"to": GroupBy.NUMBER, "route": GroupBy.ROUTE, "target": GroupBy.TARGET, "outcome": GroupBy.OUTCOME}
    groups["reason"] = GroupBy.REASON
    found = {}
    for name, group_by in groups.items():
        parts = summaries.summarise(query.without(name), group_by, with_waits=name == "target").parts
        found[name] = {value: figures.total for value, figures in parts.items() if value and figures.total}
    found["reason"] = {name: calls for name, calls in found["reason"].items() if _explains(name)}
    states = count_followups(connection, query.without("followup"))
    found["followup"] = {state: states[state] for state in FOLLOWUPS if state in states}
    return found


def find_charts(summaries: Summaries, query: DashboardQuery, zone: tzinfo) -> Charts:
    """Return the charts of the range, which group its calls by time, target and reason."""
    filters = query.filters
    by_time = GroupBy.HOUR if query.range.days == 1 else GroupBy.DAY
    columns = _columns(query.range, summaries.summarise(filters, by_time, with_waits=False).parts, zone)
    whole = Figures()
    for column in columns:
        whole.merge(column.figures)
    reasons = summaries.summarise(filters, GroupBy.REASON, with_waits=False).parts
    targets = summaries.summarise(filters, GroupBy.TARGET).parts
    return Charts(
        chart=stack_columns([column.name for column in columns], [column.figures.outcomes for column in columns]),
        columns=columns,
        outcomes={outcome: number for outcome in ORDER if (number := whole.outcomes[outcome])},
        heatmap=find_heatmap(summaries, query),
        targets=[TargetRow(name=name, figures=figures) for name, figures in targets.items() if name],
        reasons=[row for name, figures in reasons.items() for row in _reason_rows(name, figures.total)],
    )


def _reason_rows(name: str | None, calls: int) -> Iterator[ReasonRow]:
    """Yield the row of a reason; that a call was over explains none."""
    if name is None or not _explains(name):
        return
    cause = by_name(name)
    if cause is None:
        yield ReasonRow(name=name, calls=calls, meaning="Plivo does not document this cause.", advice=UNEXPLAINED)
        return
    why = explain(outcome_of(Facts(reported=True, status="failed", cause=name, code=cause.code)), cause.code, name)
    yield ReasonRow(name=name, calls=calls, meaning=why.text, advice=why.advice)


def _explains(name: str) -> bool:
    return by_name(name) is None or exact_cause(None, name) is not None


def _columns(days: DateRange, parts: Mapping[str | None, Figures], zone: tzinfo) -> list[Column]:
    """Return one column for every hour, day, week or month of the range, empty ones included."""
    if days.column == "hour":
        hours = [Figures() for _ in range(24)]
        for name, figures in parts.items():
            hours[datetime.fromisoformat(name or "").astimezone(zone).hour].merge(figures)
        return [
            Column(name=f"{hour:02d}:00", figures=figures, changes={"hour": str(hour)})
            for hour, figures in enumerate(hours)
        ]
    found: dict[date, Figures] = {}
    for number in range(days.days):
        found.setdefault(_begin(days, days.first + timedelta(number)), Figures())
    for name, figures in parts.items():
        found.setdefault(_begin(days, date.fromisoformat(name or "")), Figures()).merge(figures)
    begins = [*found, days.last + timedelta(1)]
    return [
        Column(
            name=_name(days, first),
            figures=figures,
            changes={"range": "dates", "first": first.isoformat(), "last": (following - timedelta(1)).isoformat()},
        )
        for (first, figures), following in zip(found.items(), begins[1:], strict=True)
    ]


def _begin(days: DateRange, day: date) -> date:
    """Return the first day, within the range, of the column that a day belongs to."""
    if days.column == "week":
        day -= timedelta(day.weekday())
    elif days.column == "month":
        day = day.replace(day=1)
    return max(day, days.first)


def _name(days: DateRange, first: date) -> str:
    if days.column == "month":
        return f"{first:%b %Y}"
    return f"{first:%-d %b}" if days.column == "week" else f"{first:%a %-d %b}"
