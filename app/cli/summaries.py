"""`flask calls summary` and `flask dials summary`: figures in groups, and the table they are printed in."""

import sys
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table
from werkzeug.datastructures import MultiDict

from app.context import services
from app.records.reading.call_filters import CallFilters
from app.records.reading.figures import GroupBy, GroupedFigures
from app.records.reading.filters import DialFilters
from app.records.reading.read_session import read_session
from app.records.reading.summaries import summarise
from app.records.rollups.counting import Unit
from app.reports.api.call_queries import SummaryQuery
from app.reports.api.queries import read_query
from app.reports.api.views import summary_view
from app.reports.pages.formatting import CALL_OUTCOMES, OUTCOMES, duration, percentage

group_by_option = click.option(
    "--group-by", type=click.Choice([one.value for one in GroupBy]), default="outcome", show_default=True
)
timezone_option = click.option("--timezone", help=SummaryQuery.model_fields["timezone"].description)


def print_summary(
    filters: CallFilters | DialFilters, group_by: str, timezone: str | None, *, unit: Unit, as_json: bool
) -> None:
    """Print the figures of the calls or the dials that match, as a table or as the API returns them."""
    query = read_query(SummaryQuery, MultiDict({"timezone": timezone} if timezone else {}))
    zone = ZoneInfo(query.timezone) if query.timezone else services().config.timezone
    with read_session(services().store) as connection:
        found = summarise(connection, filters, GroupBy(group_by), zone)
    if as_json:
        view = summary_view(found, unit=unit, group_by=GroupBy(group_by), zone=zone.key)
        click.echo(view.model_dump_json(indent=2))
    elif not found.whole.total:
        click.echo(f"No {unit.value} match.")
    else:
        console = Console(width=None if sys.stdout.isatty() else 160)
        console.print(_by_outcome(found, unit) if group_by == GroupBy.OUTCOME else _table(found, group_by, unit))
        whole = found.whole
        click.echo(f"Answer rate: {percentage(whole.answered, whole.ended)} of {whole.ended:,} that have ended.")


def _by_outcome(found: GroupedFigures, unit: Unit) -> Table:
    """Return the table of outcomes, which needs no column for each."""
    table = Table("Outcome", unit.capitalize(), "Share", "Median wait", "Talked")
    for outcome, label in _labels(unit).items():
        if figures := found.parts.get(outcome):
            share = percentage(figures.total, found.whole.total)
            table.add_row(
                label, f"{figures.total:,}", share, duration(figures.wait(0.5)), duration(figures.talk_seconds)
            )
    table.add_section()
    whole = found.whole
    table.add_row("All", f"{whole.total:,}", "", duration(whole.wait(0.5)), duration(whole.talk_seconds))
    return table


def _table(found: GroupedFigures, group_by: str, unit: Unit) -> Table:
    labels = _labels(unit)
    shown = [outcome for outcome in labels if found.whole.outcomes[outcome]]
    headings = (group_by.replace("_", " ").capitalize(), unit.capitalize(), "Answer rate", "Median wait")
    table = Table(*headings, *(labels[outcome] for outcome in shown))
    for name, figures in [*found.parts.items(), ("all", found.whole)]:
        table.add_row(
            name or "–",
            f"{figures.total:,}",
            percentage(figures.answered, figures.ended),
            duration(figures.wait(0.5)),
            *(f"{figures.outcomes[outcome]:,}" for outcome in shown),
        )
    return table


def _labels(unit: Unit) -> dict[str, str]:
    return dict(CALL_OUTCOMES if unit is Unit.CALLS else OUTCOMES)
