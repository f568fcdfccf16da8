"""The tiles: key figures and one tile for each outcome, each compared with an earlier period."""

from dataclasses import dataclass, replace

from app.records.reading.figures import Figures, GroupBy
from app.records.reading.summaries import Summaries
from app.reports.pages.formatting import CALL_OUTCOMES, duration, percentage
from app.reports.pages.query import DashboardQuery
from app.voice.outcome import CallOutcome

_HELP = {
    CallOutcome.ANSWERED: "somebody talked with the caller",
    CallOutcome.MESSAGE_LEFT: "nobody talked, and the caller left a message",
    CallOutcome.MISSED: "rang, and nobody picked up",
    CallOutcome.CALLER_GAVE_UP: "hung up before anybody answered",
    CallOutcome.BUSY: "the line was busy",
    CallOutcome.REJECTED: "declined at the called end",
    CallOutcome.UNREACHABLE: "no phone could be reached",
    CallOutcome.FAILED: "could not be put through",
    CallOutcome.BLOCKED: "turned away by the block list",
    CallOutcome.CLOSED: "turned away while closed",
    CallOutcome.HANDED_OVER: "passed on to another application",
    CallOutcome.UNKNOWN: "Plivo did not say how it ended",
    CallOutcome.IN_PROGRESS: "not ended yet",
}
ORDER = tuple(_HELP)
_WORSE_IF_MORE = frozenset(
    {
        CallOutcome.MISSED,
        CallOutcome.CALLER_GAVE_UP,
        CallOutcome.BUSY,
        CallOutcome.REJECTED,
        CallOutcome.UNREACHABLE,
        CallOutcome.FAILED,
        CallOutcome.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure as text, what it counts, and how it compares with the earlier period.

    `trend` is `better`, `worse` or empty; `outcome` is the outcome that the tile counts, empty for all calls and None
    for a figure that is no number of calls.
    """

    name: str
    value: str
    help: str
    change: str
    trend: str = ""
    outcome: str | None = None
    is_empty: bool = False


def find_tiles(summaries: Summaries, query: DashboardQuery) -> list[Tile]:
    """Return the tiles of the range; they count calls of every outcome, also where the page filters by one."""
    filters = query.without("outcome")
    days = query.range
    past = replace(filters, since=days.before_since, until=days.before_until, spans=_shifted(query))
    now = summaries.summarise(filters, GroupBy.OUTCOME).whole
    before = summaries.summarise(past, GroupBy.OUTCOME).whole
    return [*_key_figures(now, before), *(_outcome_tile(outcome, now, before) for outcome in ORDER)]


def _key_figures(now: Figures, before: Figures) -> list[Tile]:
    rate, past_rate = (_rate(figures) for figures in (now, before))
    median, past_median = now.wait(0.5), before.wait(0.5)
    slow, past_slow = now.wait(0.9), before.wait(0.9)
    return [
        Tile(
            name="Calls",
            value=f"{now.total:,}",
            help=f"of all outcomes, with {now.dials:,} {'dial' if now.dials == 1 else 'dials'}",
            change=_more(now.total, before.total),
            outcome="",
        ),
        Tile(
            name="Answer rate",
            value=percentage(now.answered, now.ended),
            help="of calls that have ended",
            change=_change(rate, past_rate, "point", ("up", "down")),
            trend=_trend(rate, past_rate, more_is=("better", "worse")),
        ),
        Tile(
            name="Median time to answer",
            value=duration(median),
            help="half are answered sooner",
            change=_change(median, past_median, "s", ("longer", "shorter")),
            trend=_trend(median, past_median, more_is=("worse", "better")),
        ),
        Tile(
            name="90th percentile",
            value=duration(slow),
            help="of the time to answer",
            change=_change(slow, past_slow, "s", ("longer", "shorter")),
            trend=_trend(slow, past_slow, more_is=("worse", "better")),
        ),
        Tile(
            name="Talk time",
            value=duration(now.talk_seconds),
            help="of all conversations",
            change=_change(now.talk_seconds, before.talk_seconds, "s", ("more", "less")),
        ),
    ]


def _outcome_tile(outcome: CallOutcome, now: Figures, before: Figures) -> Tile:
    number, past = now.outcomes[outcome], before.outcomes[outcome]
    trend = ""
    if outcome is CallOutcome.ANSWERED:
        trend = _trend(number, past, more_is=("better", "worse"))
    elif outcome in _WORSE_IF_MORE:
        trend = _trend(number, past, more_is=("worse", "better"))
    return Tile(
        name=CALL_OUTCOMES[outcome],
        value=f"{number:,}",
        help=_HELP[outcome],
        change=_more(number, past),
        trend=trend,
        outcome=outcome.value,
        is_empty=not number and not past,
    )


def _shifted(query: DashboardQuery) -> tuple[tuple[int, int], ...] | None:
    """Return the hours of the week moved into the earlier period."""
    if query.filters.spans is None:
        return None
    back = query.range.since - query.range.before_since
    return tuple((low - back, high - back) for low, high in query.filters.spans)


def _rate(figures: Figures) -> int | None:
    return round(100 * figures.answered / figures.ended) if figures.ended else None


def _more(now: int, before: int) -> str:
    return _change(now, before, "", ("more", "fewer"))


def _change(now: int | None, before: int | None, unit: str, words: tuple[str, str]) -> str:
    """Return the change in words, such as `▲ 3 more`; empty where there is nothing to compare."""
    if now is None or before is None:
        return "no comparison"
    if now == before:
        return "the same"
    by = abs(now - before)
    amount = duration(by) if unit == "s" else f"{by:,}"
    if unit == "point":
        amount = f"{by} {'point' if by == 1 else 'points'}"
    return f"{'▲' if now > before else '▼'} {amount} {words[now < before]}"


def _trend(now: int | None, before: int | None, *, more_is: tuple[str, str]) -> str:
    if now is None or before is None or now == before:
        return ""
    return more_is[now < before]
