"""`flask plivo setup` and `flask plivo restore`."""

from collections.abc import Sequence

import click
from flask.cli import with_appcontext

from app.account.access import SETUP_FILE, WATCH_FILE, Access, kept_file
from app.account.addresses import Addresses, addresses_at
from app.account.client import PlivoClient
from app.account.errors import AccountError, SettingError
from app.account.setup import Change, Plan, apply, plan, read_number
from app.account.snapshot import Wiring
from app.account.stopping import stop_on_signals
from app.account.watch import follow
from app.context import services


@click.command()
@click.option("--number", "numbers", multiple=True, required=True, help="A number of yours; may be repeated.")
@click.option("--app-name", default="dialstatus", show_default=True, help="The Plivo application's name.")
@click.option("--url", help="Where Plivo reaches this server. Default: PUBLIC_URL, else a running ngrok.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--watch", is_flag=True, help="Follow ngrok's address until stopped, then put all back.")
@click.option(
    "--every",
    type=click.FloatRange(0.01, 3600),
    default=5.0,
    show_default=True,
    help="Seconds between two looks at ngrok.",
)
@click.pass_obj
@with_appcontext
def setup(
    access: Access,
    numbers: tuple[str, ...],
    app_name: str,
    url: str | None,
    dry_run: bool,
    yes: bool,
    watch: bool,
    every: float,
) -> None:
    """Point a Plivo application, and your numbers, at this server."""
    if watch and (url or dry_run):
        raise SettingError("--watch follows ngrok's address; leave --url and --dry-run out")
    _check_name(app_name)
    wanted = list(dict.fromkeys(read_number(number) for number in numbers))
    with access.client() as client:
        public_url = access.tunnel() if watch else access.public_url(url)
        first = plan(client, name=app_name, numbers=wanted, addresses=_addresses(public_url))
        changes = list(first.changes())
        _show(first, changes, public_url)
        if dry_run or not (changes or watch):
            return
        if changes and not yes:
            click.confirm("Change this at Plivo?", abort=True)
        if watch:
            _watch(access, client, first, public_url, every)
        else:
            apply(client, first, Wiring.open(kept_file(SETUP_FILE), client.auth_id))
            click.echo("Done. `flask plivo restore` puts back what was before.")
            _advise_on_signatures(public_url)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
@with_appcontext
def restore(access: Access, yes: bool) -> None:
    """Put the account back as it was before setup."""
    with access.client() as client:
        kept = [Wiring.open(kept_file(name), client.auth_id) for name in (WATCH_FILE, SETUP_FILE)]
        to_undo = [wiring for wiring in kept if not wiring.is_empty]
        if not to_undo:
            click.echo("Nothing to put back: setup has changed nothing.")
            return
        if not yes:
            click.confirm("Put the account back as it was before setup?", abort=True)
        for wiring in to_undo:
            _put_back(client, wiring)


def _watch(access: Access, client: PlivoClient, first: Plan, public_url: str, every: float) -> None:
    wiring = Wiring.open(kept_file(WATCH_FILE), client.auth_id)
    numbers = list(first.numbers)

    def rewire(address: str) -> None:
        apply(client, plan(client, name=first.name, numbers=numbers, addresses=_addresses(address)), wiring)
        click.echo(f"{first.name} is at {address}")

    with stop_on_signals() as stop:
        try:
            apply(client, first, wiring)
            click.echo(f"{first.name} is at {public_url}; Ctrl-C ends this and puts back what was before.")
            follow(access.tunnel, rewire, known=public_url, stop=stop, seconds=every, say=click.echo)
        finally:
            _put_back(client, wiring)


def _put_back(client: PlivoClient, wiring: Wiring) -> None:
    try:
        for done in wiring.put_back(client):
            click.echo(done)
    except AccountError:
        click.echo("What was before is still kept: run `flask plivo restore` once more.", err=True)
        raise


def _addresses(public_url: str) -> Addresses:
    config = services().config
    return addresses_at(public_url, retry_control=config.retry_control, retry_notice=config.retry_notice)


def _show(first: Plan, changes: Sequence[Change], public_url: str) -> None:
    if not changes:
        answered = ", ".join(f"+{number}" for number in first.numbers)
        click.echo(f"Nothing to change: {first.name} answers {answered} at {public_url}.")
    subject = ""
    for change in changes:
        if change.subject != subject:
            subject = change.subject
            click.echo(subject)
        click.echo(f"  {change.field}: {change.before or '–'} → {change.after}")


def _check_name(app_name: str) -> None:
    if not app_name or not all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in app_name):
        raise SettingError(f"--app-name is {app_name!r}; Plivo takes letters, digits, - and _")


def _advise_on_signatures(public_url: str) -> None:
    config = services().config
    if config.plivo_auth_tokens and config.public_url != public_url and not config.trusted_proxies:
        click.echo(f"Set PUBLIC_URL={public_url} and restart the server, or Plivo's signatures will not match.")
