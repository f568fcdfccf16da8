"""`flask events`, `flask notify` and `flask digest`: what was sent, sending it again, and what a notice looks like."""

import json
import sys
from datetime import datetime

import click
from rich.console import Console
from rich.markup import escape

from app.cli.dials import RecordsGroup
from app.context import services
from app.notify.addresses import addresses_of
from app.notify.attempts import event_key_of, message_id_of
from app.notify.digest import last_period, read_digest
from app.notify.notices import Message, Texts, run_apprise
from app.records.reading.deliveries import FoundDelivery, find_deliveries
from app.records.reading.read_session import read_session
from app.records.writing.deliveries import resend
from app.reports.api.views import to_datetime
from app.reports.pages.formatting import clock
from settings.notify import DigestTime

_STATES = ("waiting", "delivered", "dropped", "dead")
events = RecordsGroup("events", help="List sent events and notices; send them again.")
notify = RecordsGroup("notify", help="Send a notice to try how it arrives.")
digest = RecordsGroup("digest", help="Print the digest of the last day or week.")


@events.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only these; dead: given up after three days.")
@click.option("--to", "address", metavar="NAME", help="Only to this address, such as EVENTS_URL or events.crm.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Deliveries, at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_events(state: str | None, address: str | None, limit: int, as_json: bool) -> None:
    """List deliveries, newest first."""
    with read_session(services().store) as connection:
        found = find_deliveries(connection, state=state, address=address, limit=limit)
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in found], indent=2))
    elif not found:
        click.echo("No deliveries match.")
    else:
        zone = services().config.timezone
        console = Console(width=None if sys.stdout.isatty() else 80)
        for one in found:
            console.print(
                escape(f"{clock(one.created_at, zone)}  {one.type} to {one.address}: {_how(one)}"), highlight=False
            )
            console.print(f"  [dim]{message_id_of(one.event_key)}  {escape(one.subject)}[/dim]", highlight=False)


def _how(one: FoundDelivery) -> str:
    took = f" in {one.milliseconds:,} ms" if one.milliseconds is not None else ""
    if one.state == "delivered":
        return f"delivered{took}"
    again = f", again at {clock(one.due_at, services().config.timezone)}" if one.state == "waiting" else ""
    return f"{one.state}{again}{f' ({one.reason})' if one.reason else ''}"


def _as_json(one: FoundDelivery) -> dict[str, object]:
    moments = {name: to_datetime(getattr(one, name)) for name in ("created_at", "due_at", "tried_at")}
    times = {name: moment and moment.isoformat() for name, moment in moments.items()}
    shown = ("type", "subject", "route", "address", "state", "attempts", "milliseconds", "reason")
    return {"id": message_id_of(one.event_key), **{name: getattr(one, name) for name in shown}, **times}


@events.command("resend")
@click.argument("ids", nargs=-1)
@click.option("--dead", is_flag=True, help="All that were given up.")
@click.option("--waiting", is_flag=True, help="All that wait for their next attempt.")
@click.option("--to", "address", metavar="NAME", help="Only to this address.")
def resend_events(ids: tuple[str, ...], dead: bool, waiting: bool, address: str | None) -> None:
    """Send events again.

    IDS are as flask events list shows them, such as msg_0a5f1c2b3d4e5f60; or choose all of a state. The running server
    sends them within seconds; their ids stay, so a receiver recognises what it has.
    """
    if not (ids or dead or waiting):
        raise click.UsageError("name the events to send again: their IDS, --dead or --waiting")
    try:
        keys = [event_key_of(one) for one in ids]
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    states = tuple(state for state, is_meant in (("dead", dead), ("waiting", waiting)) if is_meant)
    count = resend(services().store, keys, states=states, address=address, actor="cli")
    click.echo(f"{count:,} {'delivery' if count == 1 else 'deliveries'} will be sent again.")


@notify.command("test")
@click.option("--to", "name", metavar="NAME", help="Only this address, such as notify.sales.")
def test_notices(name: str | None) -> None:
    """Send a notice to every address of NOTIFY_URLS and [notify], and print how it went."""
    shared = services()
    known = addresses_of(shared.config, shared.plan)
    found = [one for one in known if one.is_for_people and name in {None, one.name}]
    if not found:
        raise click.ClickException("there is no such address; set NOTIFY_URLS, or [notify.NAME] in the dial plan")
    message = Message(title="Dialstatus: a test", text="This notice was sent by flask notify test. Nobody called.")
    reasons = [(one.name, run_apprise(one, [message])[0]) for one in found]
    for address, reason in reasons:
        click.echo(f"{address}: {'sent' if reason is None else f'not sent: {reason}'}")
    if any(reason for _, reason in reasons):
        sys.exit(1)


@digest.command("show")
@click.option("--weekly", is_flag=True, help="The last seven days, whatever DIGEST says.")
@click.option("--html", "as_html", is_flag=True, help="Print it as it is mailed.")
def show_digest(weekly: bool, as_html: bool) -> None:
    """Print the digest of the last day or week, as DIGEST says; without DIGEST the one of this hour."""
    config = services().config
    now = datetime.now(config.timezone)
    when = config.digest or DigestTime(None, now.hour * 60)
    if weekly and when.weekday is None:
        when = DigestTime(now.weekday(), when.minute)
    figures = read_digest(services().store, last_period(when, now), config.timezone)
    message = Texts(config).digest(figures)
    click.echo(message.html if as_html else f"{message.title}\n\n{message.text}")
