"""`flask calls`: calls on the terminal."""

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import tzinfo
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from werkzeug.datastructures import MultiDict

from app.cli.dials import RecordsGroup, open_for_owner
from app.cli.erase import erase, prune
from app.cli.summaries import group_by_option, print_summary, timezone_option
from app.context import services
from app.records.reading.call_filters import CallFilters
from app.records.reading.calls import ListedCall, find_calls
from app.records.reading.queries import FoundCall, find_call
from app.records.reading.read_session import read_session
from app.records.rollups.counting import Unit
from app.reports.api.call_queries import CallFilterQuery
from app.reports.api.exports import call_csv_lines, call_json_lines, iter_calls
from app.reports.api.models import CallsView
from app.reports.api.queries import make_cursor, read_query
from app.reports.api.views import call_view, listed_call_view
from app.reports.pages.formatting import CALL_OUTCOMES, OUTCOMES, clock, duration

_OF_CALLS = ("since", "until", "outcome", "direction", "from", "to", "route", "has_message")
_FILTERS = (*_OF_CALLS, "status", "cause", "reason", "target")
_TABLE_WIDTH = 120  # Columns below which a call is printed on two lines.
_WRITERS = {"csv": call_csv_lines, "jsonl": call_json_lines}
_NOTHING = "No calls match."

calls = RecordsGroup("calls", help="List, show, export, count and delete calls.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API returns it.")


def _with_filters(command: Callable[..., None]) -> Callable[..., None]:
    for name in reversed(_FILTERS):
        model = CallFilterQuery.model_fields
        help_text = (model.get(name) or model[f"{name}_number"]).description
        command = click.option(f"--{name.replace('_', '-')}", f"filter_{name}", help=help_text)(command)
    return command


def _filters(given: dict[str, str | None]) -> CallFilters:
    parameters = {name.removeprefix("filter_"): text for name, text in given.items() if text is not None}
    return read_query(CallFilterQuery, MultiDict(parameters)).to_filters()


@calls.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500), help="Calls to list, at most.")
@click.option("--wide", is_flag=True, help="Print one line for each call, however narrow the terminal is.")
@_as_json
@_with_filters
def list_calls(limit: int, wide: bool, as_json: bool, **given: str | None) -> None:
    """List calls, newest first."""
    filters = _filters(given)
    found: list[ListedCall] = []
    before: int | None = None
    with read_session(services().store) as connection:
        while True:  # A page may end early although more calls match.
            page = find_calls(connection, filters, limit=limit - len(found), before=before)
            found += page.calls
            before = page.before
            if before is None or len(found) == limit:
                break
    if as_json:
        view = CallsView(calls=list(map(listed_call_view, found)), next_cursor=make_cursor(before), total=None)
        click.echo(view.model_dump_json(indent=2))
        return
    if not found:
        click.echo(_NOTHING)
        return
    console = Console(width=250 if wide or not sys.stdout.isatty() else None)
    _print_calls(console, found, services().config.timezone)
    if before is not None:
        click.echo("There are more: --limit shows up to 500, flask calls export all.", err=True)


def _print_calls(console: Console, found: Sequence[ListedCall], zone: tzinfo) -> None:
    """Print calls as a table, or on a narrow terminal on two lines each."""
    rows = [_row(one, zone) for one in found]
    if console.width >= _TABLE_WIDTH:
        table = Table("When", "Outcome", "From", "To", "Route", "Answered by", "Waited", "Talked", "Message", "Call")
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)
        return
    for when, outcome, caller, called, _, answered_by, waited, talked, message, call_uuid in rows:
        console.print(escape(f"{when}  {outcome}, from {caller} to {called}, waited {waited}"), highlight=False)
        more = f"answered by {answered_by}, talked {talked}\n  " if answered_by != "–" else ""
        more += f"message of {message}\n  " if message != "–" else ""
        console.print(f"  [dim]{escape(more)}call {escape(call_uuid)}[/dim]", highlight=False)


def _row(found: ListedCall, zone: tzinfo) -> tuple[str, ...]:
    call, message = found.call, found.message
    return (
        clock(call.started_at, zone),
        _outcome(call.outcome),
        *(text or "–" for text in (call.from_number, call.to_number, call.route, call.answered_by)),
        duration(call.waited_seconds),
        duration(call.talk_seconds),
        duration(round((message.milliseconds or 0) / 1000)) if message else "–",
        call.call_uuid,
    )


def _outcome(word: str | None) -> str:
    return CALL_OUTCOMES.get(word or "", "Not derived yet")


@calls.command("show")
@click.argument("call_uuid")
@_as_json
def show(call_uuid: str, as_json: bool) -> None:
    """Show one call and its dials; with --json also its legs, webhooks and recordings."""
    with read_session(services().store) as connection:
        found = find_call(connection, call_uuid)
    if found is None:
        raise click.ClickException(f"No call has the UUID {call_uuid!r}; flask calls list shows the newest.")
    if as_json:
        click.echo(call_view(found).model_dump_json(indent=2))
        return
    _print_call(Console(width=None if sys.stdout.isatty() else 250), found, services().config.timezone)


def _print_call(console: Console, found: FoundCall, zone: tzinfo) -> None:
    view = call_view(found).call
    facts = {
        "Call": view.call_uuid,
        "Outcome": _outcome(view.outcome) + (f" ({view.reason})" if view.reason else ""),
        "From": view.from_number,
        "To": view.to_number,
        "Direction": view.direction,
        "Route": view.route,
        "Answered by": view.answered_by,
        "Began": clock(found.call.started_at, zone),
        "Ended": clock(found.call.ended_at, zone),
        "Waited": duration(view.waited_seconds),
        "Talked": duration(view.talk_seconds),
        "Hangup": view.hangup_name,
        "Message": view.message.url if view.message else None,
    }
    for name, value in facts.items():
        if value not in {None, "–"}:
            console.print(f"{name + ':':13}{escape(str(value))}", highlight=False, soft_wrap=True)
    if not found.dials:
        console.print("No phone was rung.")
        return
    table = Table("Dial began", "Step", "Rang", "Outcome", "Answered by", "Rang for", "Talked")
    for one in found.dials:
        dial = one.dial
        rang = ", ".join(leg.target or leg.b_leg_uuid for leg in found.legs if leg.dial_id == dial.dial_id)
        table.add_row(
            clock(dial.started_at, zone),
            *(escape(text or "–") for text in (dial.step, rang or _targets(dial.targets))),
            OUTCOMES.get(dial.outcome, dial.outcome),
            escape(dial.answered_by or "–"),
            duration(dial.ring_seconds),
            duration(dial.talk_seconds),
        )
    console.print(table)


def _targets(text: str | None) -> str:
    return ", ".join(json.loads(text)) if text else "–"


@calls.command("export")
@click.option("--format", "kind", type=click.Choice(sorted(_WRITERS)), default="csv", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write. Default: stdout.")
@_with_filters
def export(kind: str, output: Path | None, **given: str | None) -> None:
    """Write all calls that match the filters, newest first."""
    filters = _filters(given)
    with open_for_owner(output) if output else nullcontext(sys.stdout) as file:
        for text in _WRITERS[kind](iter_calls(services().store, filters)):
            file.write(text)


@calls.command("summary")
@group_by_option
@timezone_option
@_as_json
@_with_filters
def summary(group_by: str, timezone: str | None, as_json: bool, **given: str | None) -> None:
    """Count calls by their outcome, or in other groups."""
    print_summary(_filters(given), group_by, timezone, unit=Unit.CALLS, as_json=as_json)


calls.add_command(prune)
calls.add_command(erase)
