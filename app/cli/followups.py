"""`flask followups`: who must be called back, on the terminal."""

import sys
from collections.abc import Callable

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.dials import RecordsGroup
from app.context import services
from app.records.model.ids import now
from app.records.reading.followups import (
    FollowupFigures,
    FollowupFilters,
    ListedFollowup,
    find_call_keys,
    find_followup,
    find_followups,
    history_of,
    read_figures,
)
from app.records.reading.read_session import read_session
from app.records.writing.followups import Action, Followup
from app.records.writing.mark_followup import LONGEST_NOTE
from app.reports.api.followups import caller_shown, followup_view, followups_view, whole_followup_view
from app.reports.pages.formatting import CALL_OUTCOMES, clock, duration
from app.voice.numbers import normalise

ACTOR = "cli"
WORDS = {
    "reached": "Reached by call {call_uuid}",
    "take": "Taken by {who}",
    "done": "Marked done by {who}",
    "reopen": "Opened again by {who}",
    "note": "Note by {who}",
}
_STATES = {Followup.OPEN: "waits", Followup.REACHED: "was reached", Followup.DONE: "is done"}

followups = RecordsGroup("followups", help="List callers who reached nobody, take them, mark them done.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API returns it.")


@followups.command("list")
@click.option(
    "--state",
    type=click.Choice([*map(str, Followup), "all"]),
    default="open",
    show_default=True,
    help="Which follow-ups.",
)
@click.option("--route", help="Only those of this route of the dial plan.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="Follow-ups, at most.")
@_as_json
def list_followups(state: str, route: str | None, limit: int, as_json: bool) -> None:
    """List callers who wait to be called back, the longest waiting first."""
    filters = FollowupFilters(state=None if state == "all" else state, route=route)
    with read_session(services().store) as connection:
        found, following = find_followups(connection, filters, limit=limit)
        figures = read_figures(connection, filters)
    if as_json:
        click.echo(followups_view(found, figures, following).model_dump_json(indent=2))
        return
    if found:
        _print_table(found)
    click.echo(_sentence(figures))
    if following is not None:
        click.echo("There are more: --limit shows up to 500.", err=True)


def _print_table(found: list[ListedFollowup]) -> None:
    zone = services().config.timezone
    table = Table("Since", "Caller", "Route", "Calls", "Heard last", "Who", box=None, padding=(0, 2, 0, 0))
    for one in found:
        followup = one.followup
        outcome = one.last_call.outcome if one.last_call else None
        table.add_row(
            clock(followup.opened_at, zone, pattern="%-d %b, %H:%M"),
            escape(caller_shown(followup)),
            escape(followup.route or "–"),
            str(followup.call_count),
            CALL_OUTCOMES.get(outcome or "", "–"),
            escape(followup.taken_by or followup.closed_by or "–"),
        )
    Console(width=None if sys.stdout.isatty() else 250).print(table)


def _sentence(figures: FollowupFigures) -> str:
    waiting = {0: "Nobody waits", 1: "1 caller waits"}.get(figures.open, f"{figures.open:,} callers wait")
    if figures.median_seconds is None:
        return f"{waiting} to be called back."
    return (
        f"{waiting} to be called back. Half of those of the last 30 days were\n"
        f"reached within {duration(figures.median_seconds)}."
    )


@followups.command("show")
@click.argument("name", metavar="WHICH")
@_as_json
def show(name: str, as_json: bool) -> None:
    """Show one follow-up and its history. WHICH is its id, a waiting caller's number, or the UUID of a call."""
    key = _find(name)
    with read_session(services().store) as connection:
        found = find_followup(connection, key)
        history = history_of(connection, found.followup) if found else []
    if found is None:
        raise click.ClickException(_no_such(name))
    if as_json:
        click.echo(whole_followup_view(found, history).model_dump_json(indent=2))
        return
    one, zone = found.followup, services().config.timezone
    named = f"{one.caller_name}, " if one.caller_name else ""
    click.echo(f"{named}{caller_shown(one)}, route {one.route or '–'}: {_STATES[Followup(one.state)]}.")
    click.echo(f"Waiting since {clock(one.opened_at, zone)}, {_age(one.opened_at, one.closed_at)}.")
    if one.note:
        click.echo(f"Note: {one.note}")
    for each in history:
        said = WORDS.get(each.what, CALL_OUTCOMES.get(each.what, each.what))
        note = f": {each.note}" if each.note else ""
        call = f"  call {each.call_uuid}" if each.call_uuid and each.what not in WORDS else ""
        click.echo(f"  {clock(each.at, zone)}  {said.format(**each._asdict())}{note}{call}")
    click.echo(f"Id: {one.followup_key}")


def _age(opened_at: int, closed_at: int | None) -> str:
    seconds = ((now() if closed_at is None else closed_at) - opened_at) // 1000
    return f"for {duration(max(seconds, 0))}"


def _change(action: Action, about: str, said: str) -> None:
    @followups.command(action.value, help=f"{about} WHICH is an id, a waiting caller's number, or a call's UUID.")
    @click.argument("name", metavar="WHICH")
    @_with_note(action)
    @_as_json
    def change(name: str, note: str | None, as_json: bool) -> None:
        shared = services()
        changed = shared.mark_followup(_find(name), action, actor=ACTOR, note=note)
        if changed is None:
            raise click.ClickException(_no_such(name))
        with read_session(shared.store) as connection:
            found = find_followup(connection, changed.followup_key)
        if as_json and found:
            click.echo(followup_view(found).model_dump_json(indent=2))
            return
        click.echo(f"{caller_shown(changed)} {said}. State: {changed.state}.")


def _with_note(action: Action) -> Callable[[Callable[..., None]], Callable[..., None]]:
    if action is Action.NOTE:
        return click.argument("note", metavar="TEXT")
    return click.option("--note", help=f"Text to keep with it, up to {LONGEST_NOTE} characters.")


def _find(name: str) -> int:
    """Return the key of a call of the follow-up that somebody named."""
    with read_session(services().store) as connection:
        keys = find_call_keys(connection, name if name.isdigit() and len(name) > 15 else normalise(name) or name)
    if len(keys) > 1:
        raise click.ClickException(f"{name} waits on several routes; name one by its id: {', '.join(map(str, keys))}")
    if not keys:
        raise click.ClickException(_no_such(name))
    return keys[0]


def _no_such(name: str) -> str:
    return f"Nobody waits by the name of {name!r}; flask followups list shows who does."


_change(Action.TAKE, "Say that you call this caller back.", "is taken")
_change(Action.DONE, "Take a caller off the list.", "is marked done")
_change(Action.REOPEN, "Put a caller who was marked done on the list again.", "is on the list again")
_change(Action.NOTE, "Note something; an empty text removes the note.", "is noted")
