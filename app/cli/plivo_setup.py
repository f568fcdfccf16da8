"""`flask plivo setup` and `flask plivo restore`."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from flask.cli import with_appcontext

from app.account.access import Access, addresses_for_plivo, instance_file
from app.account.client import PlivoClient
from app.account.errors import AccountError, SettingError
from app.account.public_url import follow_tunnel
from app.account.remote_checks import check_timezone
from app.account.setup import Change, SetupPlan, apply, parse_number, plan_setup
from app.account.snapshot import Snapshot
from app.context import services

SETUP_FILE = "plivo_setup.json"
# A watch has a file of its own: it ends with what was there before it, setup's changes included.
WATCH_FILE = "plivo_watch.json"


@click.command()
@click.option("--number", "numbers", multiple=True, required=True, help="A number of yours; may be repeated.")
@click.option("--app-name", default="dialstatus", show_default=True, help="The Plivo application's name.")
@click.option("--url", help="Where Plivo reaches this server. Default: PUBLIC_URL, else a running ngrok.")
@click.option("--dry-run", is_flag=True, help="Print the changes without making them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--watch", is_flag=True, help="Follow ngrok's address until stopped, then restore everything.")
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
    wanted = list(dict.fromkeys(parse_number(number) for number in numbers))
    with access.client() as client:
        public_url = access.tunnel() if watch else access.public_url(url)
        first = plan_setup(client, name=app_name, numbers=wanted, addresses=addresses_for_plivo(public_url))
        changes = list(first.changes())
        _print_changes(first, changes, public_url)
        _advise_on_timezone(client)
        if dry_run or not (changes or watch):
            return
        if changes and not yes:
            click.confirm("Change this at Plivo?", abort=True)
        if watch:
            _watch(access, client, first, public_url, every)
        else:
            apply(client, first, Snapshot.open(instance_file(SETUP_FILE), client.auth_id))
            click.echo("Done. `flask plivo restore` undoes it.")
            _advise_on_signatures(public_url)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
@with_appcontext
def restore(access: Access, yes: bool) -> None:
    """Set the account as it was before setup."""
    with access.client() as client:
        snapshots = [Snapshot.open(instance_file(name), client.auth_id) for name in (WATCH_FILE, SETUP_FILE)]
        to_restore = [snapshot for snapshot in snapshots if not snapshot.is_empty]
        if not to_restore:
            click.echo("Nothing to restore: setup has changed nothing.")
            return
        if not yes:
            click.confirm("Set the account as it was before setup?", abort=True)
        for snapshot in to_restore:
            _restore(client, snapshot)


def _watch(access: Access, client: PlivoClient, first: SetupPlan, public_url: str, every: float) -> None:
    snapshot = Snapshot.open(instance_file(WATCH_FILE), client.auth_id)
    numbers = list(first.numbers)

    def move_to(address: str) -> None:
        apply(
            client,
            plan_setup(client, name=first.name, numbers=numbers, addresses=addresses_for_plivo(address)),
            snapshot,
        )
        click.echo(f"{first.name} is at {address}")

    with stop_on_signals() as stop:
        try:
            apply(client, first, snapshot)
            click.echo(f"{first.name} is at {public_url}; Ctrl-C ends this and restores what was there before.")
            follow_tunnel(access.tunnel, move_to, known=public_url, stop=stop, seconds=every, report=click.echo)
        finally:
            _restore(client, snapshot)


def _restore(client: PlivoClient, snapshot: Snapshot) -> None:
    try:
        for sentence in snapshot.restore(client):
            click.echo(sentence)
    except AccountError:
        click.echo("The earlier settings are still saved: run `flask plivo restore` once more.", err=True)
        raise


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C, TERM and a closed terminal set, for work that must end in order."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        signal.signal(number, lambda *_: stop.set())
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_changes(first: SetupPlan, changes: Sequence[Change], public_url: str) -> None:
    if not changes:
        numbers = ", ".join(f"+{number}" for number in first.numbers)
        click.echo(f"Nothing to change: {first.name} answers {numbers} at {public_url}.")
    subject = ""
    for change in changes:
        if change.subject != subject:
            subject = change.subject
            click.echo(subject)
        click.echo(f"  {change.field}: {change.before or '–'} → {change.after}")


def _check_name(app_name: str) -> None:
    if not app_name or not all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in app_name):
        raise SettingError(f"--app-name is {app_name!r}; Plivo takes letters, digits, - and _")


def _advise_on_timezone(client: PlivoClient) -> None:
    check = check_timezone(client, services().config.plivo_timezone)
    if not check.ok:
        click.echo(check)


def _advise_on_signatures(public_url: str) -> None:
    config = services().config
    if config.plivo_auth_tokens and config.public_url != public_url and not config.trusted_proxies:
        click.echo(f"Set PUBLIC_URL={public_url} and restart the server, or Plivo's signatures will not match.")
