"""When callers reached nobody: their calls by hour and weekday."""

from dataclasses import dataclass, replace

from app.records.reading.figures import GroupBy
from app.records.reading.summaries import Summaries
from app.reports.pages.query import DashboardQuery
from app.reports.pages.ranges import WEEKDAYS
from app.voice.outcome import CallOutcome

NOT_REACHED = (
    CallOutcome.MESSAGE_LEFT,
    CallOutcome.MISSED,
    CallOutcome.CALLER_GAVE_UP,
    CallOutcome.BUSY,
    CallOutcome.REJECTED,
    CallOutcome.UNREACHABLE,
    CallOutcome.FAILED,
)
_FIRST_HOUR, _LAST_HOUR = 8, 18  # Shown even where nobody called.


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """The calls of one hour of a weekday; `level` is 0 (none) to 5 (most)."""

    weekday: str
    hour: int
    calls: int
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heatmap:
    """One row for each hour, of seven cells from Monday to Sunday; `outcomes` are those that were counted."""

    rows: list[list[HeatCell]]
    total: int
    peak: HeatCell | None
    outcomes: str


def find_heatmap(summaries: Summaries, query: DashboardQuery) -> Heatmap:
    """Return the calls that reached nobody, as far as the filters allow them."""
    allowed = query.outcomes or tuple(CallOutcome)
    outcomes = tuple(outcome.value for outcome in NOT_REACHED if outcome in allowed)
    parts = {}
    if outcomes:
        filters = replace(query.filters, outcomes=outcomes)
        parts = summaries.summarise(filters, GroupBy.HOUR_OF_WEEK, with_waits=False).parts
    calls = {(weekday, hour): 0 for hour in range(24) for weekday in WEEKDAYS}
    for name, figures in parts.items():
        weekday, _, hour = (name or "").partition(" ")
        calls[weekday, int(hour[:2])] += figures.total
    most = max(calls.values())
    cells = [
        HeatCell(weekday=weekday, hour=hour, calls=number, level=-(-5 * number // most) if number else 0)
        for (weekday, hour), number in calls.items()
    ]
    busy = [cell.hour for cell in cells if cell.calls]
    first, last = min([*busy, _FIRST_HOUR]), max([*busy, _LAST_HOUR])
    return Heatmap(
        rows=[[cell for cell in cells if cell.hour == hour] for hour in range(first, last + 1)],
        total=sum(calls.values()),
        peak=max(cells, key=lambda cell: cell.calls) if most else None,
        outcomes=",".join(outcomes),
    )
