"""`flask plivo reconcile`."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from flask.cli import with_appcontext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.account.access import Access, kept_file
from app.account.client import PlivoClient
from app.account.cursor_file import Marker, Window
from app.account.errors import AccountError, SettingError
from app.account.paging import FIRST
from app.account.reconcile import GRACE, LONGEST_WINDOW, Found, Reconciler, Step, Tally
from app.account.stopping import stop_on_signals
from app.context import services
from app.records.model.receipt import StoreUnavailable

MARKER_FILE = "plivo_reconcile.json"
# Each round begins this long before the end of the last one: records may come late.
OVERLAP = timedelta(hours=1)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command()
@click.option("--since", help="How far back, such as 24h or 7d. Default: 24h, or where a broken run stopped.")
@click.option("--every", "pause", help="Do it again and again, such as every 10m, until stopped.")
@click.pass_obj
@with_appcontext
def reconcile(access: Access, since: str | None, pause: str | None) -> None:
    """Make lost webhooks good from Plivo's call detail records."""
    back = read_duration("--since", since or "24h")
    if back > LONGEST_WINDOW:
        raise SettingError(f"--since is {since!r}; Plivo lists at most 30 days at once, write 30d or less")
    seconds = read_duration("--every", pause).total_seconds() if pause else 0.0
    with access.client() as client, stop_on_signals() as stop:
        ended = _run(client, back, stop, resume=since is None)
        while pause and not stop.wait(seconds):
            try:
                ended = _run(client, datetime.now(UTC) - ended + OVERLAP, stop, resume=True)
            except AccountError as error:
                if stop.is_set():
                    raise
                click.echo(error.message, err=True)


def read_duration(option: str, text: str) -> timedelta:
    """Read `90s`, `10m`, `24h` or `7d`."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text.strip())
    if not match:
        raise SettingError(f"{option} is {text!r}; write a number and s, m, h or d, such as 24h")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _run(client: PlivoClient, back: timedelta, stop: threading.Event, *, resume: bool) -> datetime:
    """Run once, say what was found, and give the moment up to which all is looked at."""
    held = services()
    marker = Marker(kept_file(MARKER_FILE), client.auth_id)
    until = datetime.now(UTC) - GRACE
    walks: list[tuple[Window, Mapping[str, Any]]] = [(Window(since=until - back, until=until), FIRST)]
    broken = marker.read() if resume else None
    if broken and until - broken[0].since <= LONGEST_WINDOW:
        walks = [broken, (Window(since=broken[0].until - OVERLAP, until=until), FIRST)]
        click.echo(f"Going on where the last run stopped: records since {broken[0].since:%Y-%m-%d %H:%M} UTC.")
    work = Reconciler(client, held.store, held.journal, zone=held.config.plivo_timezone)
    try:
        with _bars(stop) as bar:
            work.look_up_open_calls(datetime.now(UTC), bar("open calls"))
            for window, start in walks:
                work.walk(window, marker, bar("records"), start=start)
    except StoreUnavailable as error:
        raise AccountError(
            f"The store cannot be used ({error}); see `flask doctor`, then run this again: it goes on from here"
        ) from error
    _say(work.tally)
    return until


@contextmanager
def _bars(stop: threading.Event) -> Iterator[Callable[[str], Step]]:
    """Show a progress bar on standard error for each part of the work, which ends when told to stop."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:

        def bar(name: str) -> Step:
            task = progress.add_task(name, total=None)

            def step(done: int, total: int) -> None:
                progress.update(task, completed=done, total=max(done, total))
                if stop.is_set():
                    raise AccountError("Stopped; the next run goes on from here")

            return step

        yield bar


def _say(tally: Tally) -> None:
    filled = [found for found in Found if found is not Found.KNOWN and tally[found]]
    if not filled:
        click.echo(f"Nothing was missing; {tally[Found.KNOWN]} records {Found.KNOWN}.")
        return
    for found in Found:
        if tally[found]:
            click.echo(f"{tally[found]:6}  {found}")
