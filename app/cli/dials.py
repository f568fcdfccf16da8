"""`flask dials`: the records on the terminal."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from flask.cli import AppGroup
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from werkzeug.datastructures import MultiDict

from app.cli.erase import erase, prune
from app.context import services
from app.records.model.receipt import StoreUnavailable
from app.records.reading.figures import Detail, GroupBy, GroupedFigures, groups_whole_calls
from app.records.reading.filters import DialFilters, TooMany
from app.records.reading.queries import FoundDial, find_call, find_dials
from app.records.reading.read_session import explained, read_session
from app.records.reading.summaries import summarise
from app.records.rollups.counting import update_rollups
from app.reports.api.exports import all_dials, csv_lines, json_lines
from app.reports.api.parameters import read_query, wanted_of
from app.reports.api.problems import Refused
from app.reports.api.records import call_answer
from app.reports.api.schemas import Filters, SummaryQuery
from app.reports.pages.formatting import OUTCOMES, clock, duration, share

_FILTERS = ("since", "until", "status", "outcome", "cause", "from", "to", "target", "route", "q")
_WIDTH_OF_A_TABLE = 140
_WRITERS = {"csv": csv_lines, "jsonl": json_lines}


class _Dials(AppGroup):
    """The group: what went wrong is told in a sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as error:
            raise click.ClickException("; ".join(f"--{name}: {why}" for name, why in error.errors.items())) from error
        except (TooMany, StoreUnavailable) as error:
            raise click.ClickException(str(error)) from error


dials = _Dials("dials", help="Show, export and count what is recorded.")


def _with_filters(command: Callable[..., None]) -> Callable[..., None]:
    for name in reversed(_FILTERS):
        help_text = (Filters.model_fields.get(name) or Filters.model_fields[f"{name}_number"]).description
        command = click.option(f"--{name}", f"filter_{name}", help=help_text)(command)
    return command


def _wanted(given: dict[str, str | None]) -> DialFilters:
    named = {name.removeprefix("filter_"): text for name, text in given.items() if text is not None}
    return wanted_of(read_query(Filters, MultiDict(named)))


@dials.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500), help="The most dials to show.")
@_with_filters
def list_dials(limit: int, **given: str | None) -> None:
    """List dials, newest first."""
    config = services().config
    with read_session(services().store) as connection:
        page = find_dials(connection, _wanted(given), limit=limit)
    print_dials(Console(width=None if sys.stdout.isatty() else 200), page.dials, config.timezone)
    if page.before is not None:
        click.echo("There are more; --limit shows up to 500 and flask dials export all.", err=True)


def print_dials(console: Console, found: Sequence[FoundDial], zone: tzinfo) -> None:
    """Print dials as a table or, where it has no room, on two lines each."""
    rows = [_row(one, zone) for one in found]
    if console.width >= _WIDTH_OF_A_TABLE:
        table = Table("When", "Outcome", "From", "To", "Answered by", "Talked", "Call")
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)
        return
    for when, word, caller, called, answered_by, talked, call_uuid in rows:
        console.print(escape(f"{when}  {word}, from {caller} to {called}"), highlight=False)
        answered = "" if answered_by == "–" else f"answered by {answered_by}, talked {talked}\n  "
        console.print(f"  [dim]{escape(answered)}call {escape(call_uuid)}[/dim]", highlight=False)


def _row(found: FoundDial, zone: tzinfo) -> tuple[str, str, str, str, str, str, str]:
    dial = found.dial
    when, word = clock(dial.started_at, zone), OUTCOMES.get(dial.outcome, dial.outcome)
    numbers = dial.from_number or "–", dial.to_number or "–", dial.answered_by or "–"
    return when, word, *numbers, duration(dial.talk_seconds), found.call_uuid


@dials.command("show")
@click.argument("call_uuid")
def show(call_uuid: str) -> None:
    """Show one call with everything about it, as JSON."""
    with read_session(services().store) as connection:
        found = find_call(connection, call_uuid)
    if found is None:
        raise click.ClickException(f"No call has the UUID {call_uuid!r}; flask dials list names the newest.")
    click.echo(call_answer(found).model_dump_json(indent=2))


@dials.command("export")
@click.option("--format", "kind", type=click.Choice(sorted(_WRITERS)), default="csv", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; else the terminal.")
@_with_filters
def export(kind: str, output: Path | None, **given: str | None) -> None:
    """Write every dial that is wanted, newest first."""
    wanted, store = _wanted(given), services().store
    with read_session(store) as connection:
        total = summarise(
            connection, wanted, GroupBy.OUTCOME, services().config.timezone, detail=Detail.TOTALS
        ).whole.total
    opened = output.open("w", encoding="utf-8", newline="") if output else nullcontext(sys.stdout)
    with opened as file, Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Dials", total=total)

        def watched() -> Iterator[list[FoundDial]]:
            for batch in all_dials(store, wanted):
                progress.update(task, advance=len(batch))
                yield batch

        for text in _WRITERS[kind](watched()):
            file.write(text)


@dials.command("summary")
@click.option("--group-by", type=click.Choice([one.value for one in GroupBy]), default="day", show_default=True)
@click.option("--timezone", help=SummaryQuery.model_fields["timezone"].description)
@_with_filters
def summary(group_by: str, timezone: str | None, **given: str | None) -> None:
    """Count dials and calls, as a whole and divided."""
    asked = read_query(SummaryQuery, MultiDict({"timezone": timezone} if timezone else {})).timezone
    zone = ZoneInfo(asked) if asked else services().config.timezone
    with read_session(services().store) as connection:
        found = summarise(connection, wanted := _wanted(given), GroupBy(group_by), zone)
    Console(width=None if sys.stdout.isatty() else 160).print(_summary_table(found, wanted, GroupBy(group_by)))


def _summary_table(found: GroupedFigures, wanted: DialFilters, group_by: GroupBy) -> Table:
    shown = [outcome for outcome in OUTCOMES if found.whole.outcomes[outcome]]
    table = Table(
        group_by.capitalize(), "Calls", "Dials", "Answer rate", "Half within", *(OUTCOMES[outcome] for outcome in shown)
    )
    parts = [(name, figures, group_by) for name, figures in found.parts.items()]
    for name, figures, divided in [*parts, ("all", found.whole, GroupBy.DAY)]:
        table.add_row(
            name or "–",
            f"{figures.calls:,}",
            f"{figures.total:,}",
            share(*figures.answered(of_calls=groups_whole_calls(wanted, divided))),
            duration(figures.wait(0.5)),
            *(f"{figures.outcomes[outcome]:,}" for outcome in shown),
        )
    return table


@dials.command("count")
def count() -> None:
    """Count the hours and days that are over, so that figures are quick; the server does it by itself as well."""
    store = services().store
    with explained(store):
        spans = update_rollups(store, services().config.timezone)
    click.echo(f"{spans:,} hours and days counted.")


dials.add_command(prune)
dials.add_command(erase)
