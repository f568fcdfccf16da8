"""`flask dials`: the records on the terminal."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import tzinfo
from pathlib import Path
from typing import Any, TextIO

import click
from flask.cli import AppGroup
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from werkzeug.datastructures import MultiDict

from app.cli.erase import erase, prune
from app.cli.summaries import group_by_option, print_summary, timezone_option
from app.context import services
from app.records.model.receipt import StoreUnavailable
from app.records.reading.figures import GroupBy
from app.records.reading.filters import DialFilters, TooMany
from app.records.reading.queries import FoundDial, find_call, find_dials
from app.records.reading.read_session import explained, read_session
from app.records.reading.summaries import summarise
from app.records.rollups.counting import Unit
from app.records.rollups.update import update_rollups
from app.reports.api.exports import Batches, csv_lines, iter_dials, json_lines
from app.reports.api.models import DialsView
from app.reports.api.problems import InvalidParameters
from app.reports.api.queries import FilterQuery, make_cursor, read_query
from app.reports.api.views import call_view, dial_view
from app.reports.pages.formatting import OUTCOMES, clock, duration

_FILTERS = ("since", "until", "status", "outcome", "cause", "from", "to", "target", "route", "q")
_TABLE_WIDTH = 140  # Columns below which a dial is printed on two lines.
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API returns it.")
_WRITERS = {"csv": csv_lines, "jsonl": json_lines}


class RecordsGroup(AppGroup):
    """A group of commands about records: an expected error is printed as a sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InvalidParameters as error:
            raise click.UsageError(
                "; ".join(f"--{name.replace('_', '-')}: {why}" for name, why in error.errors.items())
            ) from error
        except (TooMany, StoreUnavailable) as error:
            raise click.ClickException(str(error)) from error


dials = RecordsGroup("dials", help="List, export and count what is recorded.")


def _with_filters(command: Callable[..., None]) -> Callable[..., None]:
    for name in reversed(_FILTERS):
        help_text = (FilterQuery.model_fields.get(name) or FilterQuery.model_fields[f"{name}_number"]).description
        command = click.option(f"--{name}", f"filter_{name}", help=help_text)(command)
    return command


def _filters(given: dict[str, str | None]) -> DialFilters:
    parameters = {name.removeprefix("filter_"): text for name, text in given.items() if text is not None}
    return read_query(FilterQuery, MultiDict(parameters)).to_filters()


@dials.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500), help="Dials to list, at most.")
@_as_json
@_with_filters
def list_dials(limit: int, as_json: bool, **given: str | None) -> None:
    """List dials, newest first."""
    with read_session(services().store) as connection:
        page = find_dials(connection, _filters(given), limit=limit)
    if as_json:
        view = DialsView(dials=list(map(dial_view, page.dials)), next_cursor=make_cursor(page.before), total=None)
        click.echo(view.model_dump_json(indent=2))
        return
    if not page.dials:
        click.echo("No dials match.")
        return
    print_dials(Console(width=None if sys.stdout.isatty() else 200), page.dials, services().config.timezone)
    if page.before is not None:
        click.echo("There are more: --limit shows up to 500, flask dials export all.", err=True)


def print_dials(console: Console, found: Sequence[FoundDial], zone: tzinfo) -> None:
    """Print dials as a table, or on a narrow terminal on two lines each."""
    rows = [_row(one, zone) for one in found]
    if console.width >= _TABLE_WIDTH:
        table = Table("When", "Outcome", "From", "To", "Answered by", "Talked", "Call")
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)
        return
    for when, outcome, caller, called, answered_by, talked, call_uuid in rows:
        console.print(escape(f"{when}  {outcome}, from {caller} to {called}"), highlight=False)
        answered = "" if answered_by == "–" else f"answered by {answered_by}, talked {talked}\n  "
        console.print(f"  [dim]{escape(answered)}call {escape(call_uuid)}[/dim]", highlight=False)


def _row(found: FoundDial, zone: tzinfo) -> tuple[str, str, str, str, str, str, str]:
    dial = found.dial
    when, outcome = clock(dial.started_at, zone), OUTCOMES.get(dial.outcome, dial.outcome)
    numbers = dial.from_number or "–", dial.to_number or "–", dial.answered_by or "–"
    return when, outcome, *numbers, duration(dial.talk_seconds), found.call_uuid


@dials.command("show")
@click.argument("call_uuid")
def show(call_uuid: str) -> None:
    """Show one call with everything about it, as JSON."""
    with read_session(services().store) as connection:
        found = find_call(connection, call_uuid)
    if found is None:
        raise click.ClickException(f"No call has the UUID {call_uuid!r}; flask dials list shows the newest.")
    click.echo(call_view(found).model_dump_json(indent=2))


@dials.command("export")
@click.option("--format", "kind", type=click.Choice(sorted(_WRITERS)), default="csv", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write. Default: stdout.")
@_with_filters
def export(kind: str, output: Path | None, **given: str | None) -> None:
    """Write all dials that match the filters, newest first."""
    filters, store = _filters(given), services().store
    with read_session(store) as connection:
        total = summarise(connection, filters, GroupBy.OUTCOME, services().config.timezone).whole.total
    opened = open_for_owner(output) if output else nullcontext(sys.stdout)
    with opened as file, Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Dials", total=total)

        def advancing() -> Batches:
            for batch in iter_dials(store, filters):
                progress.update(task, advance=len(batch))
                yield batch

        for text in _WRITERS[kind](advancing()):
            file.write(text)


def open_for_owner(path: Path) -> TextIO:
    """Open a new file that only its owner can read: it holds telephone numbers."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


@dials.command("summary")
@group_by_option
@timezone_option
@_as_json
@_with_filters
def summary(group_by: str, timezone: str | None, as_json: bool, **given: str | None) -> None:
    """Count dials by their outcome, or in other groups."""
    print_summary(_filters(given), group_by, timezone, unit=Unit.DIALS, as_json=as_json)


@dials.command("count")
def count() -> None:
    """Count the hours that are over, so that figures are fast; the server does it by itself too."""
    store = services().store
    with explained(store), Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Hours", total=None)
        done = 0

        def step(counted: int, left: int) -> None:
            nonlocal done
            done += counted
            progress.update(task, completed=done, total=done + left)

        hours = update_rollups(store, step=step)
    click.echo(f"{hours:,} hours counted.")


dials.add_command(prune)
dials.add_command(erase)
