"""`flask calls prune` and `flask calls erase`: delete old records, or those of one person."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress, TaskID

from app.context import services
from app.records.maintenance.prune import OnProgress, count_older, count_receipts
from app.records.maintenance.prune import erase as erase_person
from app.records.maintenance.prune import prune as prune_older
from app.records.model.ids import now
from app.records.writing.audit import record_change
from app.voice.numbers import normalise

_DAY = 86_400_000  # milliseconds


class _Age(click.ParamType[int]):
    name = "DAYS"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([0-9]{1,5})d?", str(value))
        if found is None or int(found[1]) == 0:
            self.fail(f"{value!r} is not a number of days; write 90d", param, ctx)
        return int(found[1])


@contextmanager
def _progress(what: str, total: int) -> Iterator[OnProgress]:
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task: TaskID = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


def _log_change(action: str, subject: str, calls: int) -> None:
    with services().store.transaction() as connection:
        record_change(connection, actor="cli", action=action, subject=subject, detail={"calls": calls})


@click.command()
@click.option("--older-than", "days", type=_Age(), required=True, help="Age in days, such as 90d.")
@click.option("--dry-run", is_flag=True, help="Only print how many calls would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(days: int, dry_run: bool, yes: bool) -> None:
    """Delete calls older than DAYS with their receipts, by whole hours; figures of the past stay.

    The command may be stopped and run again; webhooks are stored meanwhile.
    """
    shared = services()
    before = now() - days * _DAY
    total = count_older(shared.store, before=before)
    if dry_run or not total:
        click.echo(f"Calls older than {days} days: {total:,}.")
        return
    if not yes:
        click.confirm(f"Delete {total:,} calls older than {days} days for good?", abort=True)
    with _progress("Calls", total) as step:
        pruned = prune_older(shared.store, before=before, step=step, rules=shared.rules)
    _log_change("calls.pruned", f"older than {days} days", pruned)
    click.echo(f"Calls older than {days} days deleted: {pruned:,}.")


@click.command()
@click.argument("person")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(person: str, yes: bool) -> None:
    """Delete every call of one PERSON (+14155550100 or sip:alice@phone.plivo.com), and search for mentions left.

    Calls are deleted whole, with receipts, recording URLs and spooled receipts. Earlier backups keep what they hold.
    Exit code 1 when anything is left.
    """
    shared = services()
    number = normalise(person)
    if number is None or not number.startswith(("+", "sip:")):
        raise click.UsageError(f"PERSON is {person!r}; write +14155550100 or sip:alice@phone.plivo.com")
    if not yes:
        click.confirm(f"Delete every call of {number} for good?", abort=True)
    with _progress("Receipts searched", count_receipts(shared.store)) as step:
        erased = erase_person(shared.store, shared.spool, number, step, shared.rules)
    _log_change("calls.erased", "one person", erased.calls)  # Not who: that would keep what is to be forgotten.
    click.echo(
        f"Calls deleted: {erased.calls:,}, spooled receipts: {erased.spooled:,}, mentions left: {erased.left:,}."
    )
    if erased.left:
        sys.exit(1)
