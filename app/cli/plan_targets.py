"""`flask plan targets`, `out` and `in`: who is dead, idle or talking, and who does not ring for now."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from flask.cli import with_appcontext
from rich.console import Console
from rich.table import Table

from app.context import services
from app.records.model.receipt import StoreUnavailable
from app.records.reading.read_session import explained
from app.records.store.store import Store
from app.records.writing.target_states import read_targets, set_out
from app.reports.pages.switch import phone_state, phones_of
from app.voice.numbers import parse_target

_ACTOR = "cli"


@contextmanager
def readable_store() -> Iterator[Store]:
    """Yield the store; an error of it ends the command with a sentence."""
    try:
        with explained(services().store):
            yield services().store
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from error


def _target(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        return parse_target(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@with_appcontext
def targets() -> None:
    """List the targets that the plan watches and those taken out, with times in TIMEZONE."""
    with readable_store() as store:
        states = read_targets(store)
    if not states:
        click.echo(
            "No target is watched or taken out. Steps with dead_phones, busy_targets or longest_idle watch theirs."
        )
        return
    table = Table("target", "state", "since", "last conversation ended", box=None, pad_edge=False, header_style="bold")
    for state in states:
        phone = phone_state(state)
        table.add_row(phone.target, phone.word, _clock(phone.since), _clock(state.idle_since))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@click.command("out")
@click.argument("target", callback=_target)
@with_appcontext
def take_out(target: str) -> None:
    """Stop ringing a TARGET, a number or SIP user, until it is put back in. Running servers know within two seconds."""
    with readable_store() as store:
        changed = set_out(store, target, is_out=True, actor=_ACTOR)
    click.echo(f"{target} {'does not ring any more' if changed else 'was out already'}.")
    if target not in phones_of(services().plan):
        click.echo("Note: no step of the plan rings it now.")


@click.command("in")
@click.argument("target", callback=_target)
@with_appcontext
def put_in(target: str) -> None:
    """Ring a TARGET again that was taken out."""
    with readable_store() as store:
        changed = set_out(store, target, is_out=False, actor=_ACTOR)
    click.echo(f"{target} {'rings again' if changed else 'was not out'}.")


def _clock(at: int | None) -> str:
    if at is None:
        return "–"
    zone = services().config.timezone
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
