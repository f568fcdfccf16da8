"""The command groups `flask db` and `flask spool`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import AppGroup
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.context import services
from app.records.maintenance import backup as copies
from app.records.maintenance import check as checking
from app.records.maintenance.derive_calls import count_without_outcome, derive_calls
from app.records.model.receipt import StoreUnavailable
from app.records.spool.spool import SpooledReceipt
from app.records.store import migrate

db = AppGroup("db", help="Upgrade, check, back up and restore the database.")
spool = AppGroup("spool", help="List and store receipts that wait on local disk.")


@db.command()
def upgrade() -> None:
    """Upgrade the tables to this version; run it before a new version starts.

    Calls of an older version get their outcomes afterwards, while a server may run. If that is interrupted, run the
    command again: it goes on where it ended.
    """
    store = services().store
    with _spoken_errors():
        migrate.upgrade(store)
        total = count_without_outcome(store)
    if total:
        with _spoken_errors(), _progress("calls") as step:
            done = 0

            def derived(calls: int) -> None:
                nonlocal done
                done += calls
                step(done, max(done, total))

            derive_calls(store, derived)
    click.echo("The tables are up to date.")


@db.command()
@click.option("--repair", is_flag=True, help="Rewrite records that differ from their receipts.")
def check(repair: bool) -> None:
    """Check that the database is undamaged and that every record equals its receipts; exit 1 if not."""
    store, zone = services().store, services().config.plivo_timezone
    with _spoken_errors(), _progress("calls") as step:
        done, total = 0, 0

        def looked_at(calls: int) -> None:
            nonlocal done, total
            total = total or checking.count_calls(store)  # Only once the file is known to be undamaged.
            done += calls
            step(done, max(done, total))

        found = checking.check(store, zone=zone, repair=repair, step=looked_at, rules=services().rules)
    for line in found.damage:
        click.echo(f"damaged: {line}")
    for call_uuid in found.differing:
        click.echo(f"differs from its receipts: call {call_uuid}")
    if found.damage:
        raise click.ClickException("the file is damaged; stop the server and restore the newest backup")
    if len(found.differing) > found.repaired:
        hint = "they have no receipts" if repair else "run it again with --repair"
        raise click.ClickException(f"{len(found.differing) - found.repaired} of {done} calls differ; {hint}")
    if found.followups and not repair:
        raise click.ClickException(
            f"the follow-ups of {found.followups} callers differ from their calls; run it again with --repair"
        )
    click.echo(f"Calls checked: {done}, repaired: {found.repaired}.")
    if found.followups:
        click.echo(f"Callers whose follow-ups were repaired: {found.followups}.")
    if orphans := checking.orphans(store):
        click.echo(f"Receipts that name no call: {orphans:,}. flask --app wsgi replay shows what a receipt holds.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the whole database into FILE while it is in use."""
    with _spoken_errors(), _progress("rows") as step:
        copies.backup(services().store, file, step)
    click.echo(f"{file} holds every record from before the backup began.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Restore a backup FILE into an empty database of either kind, while no server runs."""
    with _spoken_errors(), _progress("rows") as step:
        copies.restore(services().store, file, step)
    click.echo(f"Everything in {file} is restored.")


@spool.command("list")
@click.option("--limit", default=50, show_default=True, help="How many of each to list.")
def list_spool(limit: int) -> None:
    """List the receipts that wait and those that the database refused."""
    of = services().spool
    click.echo(f"{of.size()} waiting, {of.set_aside_size()} set aside.")
    for item in of.waiting(limit):
        click.echo(_line("waits", item))
    for item in of.set_aside(limit):
        click.echo(_line("set aside", item))


@spool.command()
def drain() -> None:
    """Store the waiting receipts in the database now."""
    with _spoken_errors():
        drained = services().spool.drain(services().journal)
        services().journal.close()
    click.echo(f"{drained} stored, {services().spool.size()} waiting, {services().spool.set_aside_size()} set aside.")


def _line(state: str, item: SpooledReceipt) -> str:
    """Return one line about a spooled receipt, without phone numbers."""
    try:
        fields = json.loads(item.text)
        at = datetime.fromtimestamp(fields["received_at"] / 1000, UTC).isoformat(timespec="milliseconds")[:-6]
        about = f"{fields['kind']} received_at={at}Z dial={fields['dial_id']}"
    except (ValueError, LookupError, TypeError, OverflowError):
        about = "cannot be read"
    return f"{item.number} {state}: {about}{f' ({item.reason})' if item.reason else ''}"


@contextmanager
def _spoken_errors() -> Iterator[None]:
    try:
        yield
    except (copies.BackupError, StoreUnavailable) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on the terminal; yield the function that advances it."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
