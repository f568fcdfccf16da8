"""`flask plivo reconcile`."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TextIO

import click
from flask.cli import with_appcontext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.account.access import Access, instance_file
from app.account.client import FIRST_PAGE, PlivoClient
from app.account.errors import AccountError, SettingError
from app.account.lost_receipts import lost_receipts
from app.account.reconcile import GRACE, LONGEST_WINDOW, CursorFile, Finding, OnStep, Reconciler, Window
from app.cli.plivo_setup import stop_on_signals
from app.context import services
from app.records.model.receipt import StoreUnavailable

CURSOR_FILE = "plivo_reconcile.json"
# Each round begins this long before the end of the last one: records may come late.
OVERLAP = timedelta(hours=1)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command()
@click.option("--since", help="How far back: 24h, 7d or a date. Default: 24h, or where an unfinished run stopped.")
@click.option("--every", "pause", help="Repeat it, such as every 10m, until stopped.")
@click.option(
    "--log",
    type=click.File(encoding="utf-8", errors="replace"),
    help="Only look up the calls whose receipts this log of the server names as lost; - for standard input.",
)
@click.pass_obj
@with_appcontext
def reconcile(access: Access, since: str | None, pause: str | None, log: TextIO | None) -> None:
    """Fill in lost webhooks from Plivo's call detail records."""
    if log is not None:
        if since or pause:
            raise SettingError("--log names the calls itself; leave --since and --every out")
        with access.client() as client, stop_on_signals() as stop:
            _run_log(client, log, stop)
        return
    back = parse_since(since or "24h")
    if back > LONGEST_WINDOW:
        raise SettingError(f"--since is {since!r}; Plivo lists at most 30 days at once, write 30d or less")
    seconds = parse_duration("--every", pause).total_seconds() if pause else 0.0
    with access.client() as client, stop_on_signals() as stop:
        ended = _run(client, back, stop, resume=since is None)
        while pause and not stop.wait(seconds):
            try:
                ended = _run(client, datetime.now(UTC) - ended + OVERLAP, stop, resume=True)
            except AccountError as error:
                if stop.is_set():
                    raise
                click.echo(error.message, err=True)


def parse_duration(option: str, text: str) -> timedelta:
    """Parse `90s`, `10m`, `24h` or `7d`. Raises SettingError."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text.strip())
    if not match:
        raise SettingError(f"{option} is {text!r}; write a number and s, m, h or d, such as 24h")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def parse_since(text: str) -> timedelta:
    """Parse how far back `--since` reaches: a duration, or a date in `TIMEZONE`. Raises SettingError."""
    try:
        begun = datetime.combine(date.fromisoformat(text.strip()), time(), services().config.timezone)
    except ValueError:
        return parse_duration("--since", text)
    back = datetime.now(UTC) - begun
    if back <= timedelta():
        raise SettingError(f"--since is {text!r}, which is still to come; write an earlier date")
    return back


def _run(client: PlivoClient, back: timedelta, stop: threading.Event, *, resume: bool) -> datetime:
    """Run once, print the findings, and return the moment up to which all records are read."""
    file = CursorFile(instance_file(CURSOR_FILE), client.auth_id)
    until = datetime.now(UTC) - GRACE
    runs: list[tuple[Window, Mapping[str, Any]]] = [(Window(since=until - back, until=until), FIRST_PAGE)]
    unfinished = file.read() if resume else None
    if unfinished and until - unfinished[0].since <= LONGEST_WINDOW:
        runs = [unfinished, (Window(since=unfinished[0].until - OVERLAP, until=until), FIRST_PAGE)]
        click.echo(f"Going on where the last run stopped: records since {unfinished[0].since:%Y-%m-%d %H:%M} UTC.")
    reconciler = _reconciler(client)
    with _store_errors(), _progress_bars(stop) as bar:
        reconciler.look_up_open_calls(datetime.now(UTC), bar("open calls"))
        for window, start in runs:
            reconciler.read_all(window, file, bar("records"), start=start)
    _print_findings(reconciler.findings)
    return until


def _run_log(client: PlivoClient, log: TextIO, stop: threading.Event) -> None:
    """Look up the calls of lost receipts, and print the findings and what the log knows of calls without a record."""
    reconciler = _reconciler(client)
    with _store_errors(), _progress_bars(stop) as bar:
        without_record = reconciler.look_up_lost(lost_receipts(log), bar("lost receipts"))
    _print_findings(reconciler.findings)
    for lost in without_record:
        known = (
            ("DialStatus", lost.dial_status),
            ("DialHangupCause", lost.dial_hangup_cause),
            ("DialBLegUUID", lost.dial_b_leg_uuid),
        )
        fields = ", ".join(f"{name} {value}" for name, value in known if value) or "nothing more is known"
        click.echo(f"Plivo has no record of call {lost.call_uuid}: {fields}")


def _reconciler(client: PlivoClient) -> Reconciler:
    shared = services()
    return Reconciler(client, shared.store, shared.journal, zone=shared.config.plivo_timezone)


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise AccountError(
            f"The store cannot be used ({error}); see `flask doctor`, then run this again: it goes on from here"
        ) from error


@contextmanager
def _progress_bars(stop: threading.Event) -> Iterator[Callable[[str], OnStep]]:
    """Yield a function that starts a progress bar on stderr. Each step raises AccountError once `stop` is set."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:

        def start_bar(name: str) -> OnStep:
            task = progress.add_task(name, total=None)

            def advance(done: int, total: int) -> None:
                progress.update(task, completed=done, total=max(done, total))
                if stop.is_set():
                    raise AccountError("Stopped; the next run goes on from here")

            return advance

        yield start_bar


def _print_findings(findings: Counter[Finding]) -> None:
    if not any(findings[finding] for finding in Finding if finding is not Finding.KNOWN):
        click.echo(f"Nothing was missing; {findings[Finding.KNOWN]} records {Finding.KNOWN}.")
        return
    for finding in Finding:
        if findings[finding]:
            click.echo(f"{findings[finding]:6}  {finding}")
