"""`flask receipts`: what was received, compared with Plivo's reference, and what names no call."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click
from flask.cli import AppGroup
from rich.console import Console
from rich.progress import Progress

from app.cli.plivo_reconcile import parse_since
from app.context import services
from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.reading.incomplete import orphan_receipts
from app.records.reading.read_session import read_session
from app.records.reading.receipts import ReceivedReceipt, count_calls, receipts_by_call
from app.voice.drift import Category, Drift
from app.voice.events import Kind
from app.voice.signature import Verdict
from config import VERSION

_Key = TypeVar("_Key", bound=tuple[str, ...])

_MOST_ORPHANS = 1000
_ORDERS_SHOWN = 20
# Receipts that did not prove to be Plivo's are not what Plivo sends.
_OF_PLIVO = frozenset({Verdict.VALID.value, Verdict.UNCHECKED.value})


class _ReceiptsGroup(AppGroup):
    """The group: a store that cannot be read is a sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StoreUnavailable as error:
            raise click.ClickException(str(error)) from error


receipts = _ReceiptsGroup("receipts", help="Compare receipts with Plivo's reference; list lost ones.")


@receipts.command("orphans")
@click.option("--since", "age", default="1d", show_default=True, help="How far back: 12h, 7d or a date.")
@click.option("--limit", type=click.IntRange(1, _MOST_ORPHANS), default=50, show_default=True, help="The most to list.")
def list_orphans(age: str, limit: int) -> None:
    """List receipts that name no call, newest first."""
    with read_session(services().store) as connection:
        found = orphan_receipts(connection, since=_start(parse_since(age)), limit=limit)
    for one in found:
        received = datetime.fromtimestamp(one.received_at / 1000, UTC)
        click.echo(f"{received:%Y-%m-%d %H:%M:%S} UTC  {one.kind}  receipt {one.receipt_key}")
    if not found:
        click.echo("Every receipt names a call.")


@receipts.command("drift")
@click.option("--since", "age", default="30d", show_default=True, help="How far back: 12h, 7d or a date.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def report_drift(age: str, as_json: bool) -> None:
    """Compare what Plivo sent with what its reference says.

    The report holds no numbers, ids, names, tokens or URLs: paste it into a bug tracker, so that the reference becomes
    truer.
    """
    period = parse_since(age)
    drift, left_out = _measure(since=_start(period))
    report = _as_fields(drift, left_out, period)
    click.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else "\n".join(_lines(report)))


def _start(period: timedelta) -> int:
    return now() - period // timedelta(milliseconds=1)


def _measure(*, since: int) -> tuple[Drift, int]:
    """Return the drift, and how many receipts were left out since their sender is not known to be Plivo."""
    store, drift, left_out = services().store, Drift(), 0
    with read_session(store) as connection:
        total = count_calls(connection, since=since)

    def of_plivo(call: Iterable[ReceivedReceipt]) -> Iterator[tuple[Kind, Mapping[str, str]]]:
        nonlocal left_out
        for one in call:
            if one.signature in _OF_PLIVO:
                yield Kind(one.kind), one.params
            else:
                left_out += 1

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Calls", total=total)
        for call in receipts_by_call(store, since=since):
            drift.add_call(of_plivo(call))
            progress.advance(task)
    return drift, left_out


def _as_fields(drift: Drift, left_out: int, period: timedelta) -> dict[str, Any]:
    return {
        "version": VERSION,
        "days": round(period / timedelta(days=1), 2),
        "calls": drift.calls,
        "receipts": dict(sorted(drift.kinds.items())),
        "left_out": left_out,
        "deviations": [{**deviation._asdict(), "count": count} for deviation, count in _most_common(drift.deviations)],
        "orders": [{"order": list(order), "calls": count} for order, count in _most_common(drift.orders)],
    }


def _most_common(counted: Counter[_Key]) -> list[tuple[_Key, int]]:
    """Return the entries, the most frequent first, equal ones by name."""
    return sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    received = ", ".join(f"{count:,} {kind}" for kind, count in report["receipts"].items()) or "nothing"
    yield f"Dialstatus {report['version']}, {report['calls']:,} calls in {report['days']:g} days; received: {received}."
    if report["left_out"]:
        yield f"Left out: {report['left_out']:,} receipts that Plivo did not sign."
    for category in Category:
        found = [one for one in report["deviations"] if one["category"] == category]
        yield f"\n{category.value[0].upper()}{category.value[1:]}: {'' if found else 'none'}".rstrip()
        yield from (f"{one['count']:8,}  {one['kind']:<10} {one['parameter']}: {one['value']}" for one in found)
    yield "\nOrders seen:"
    yield from (f"{one['calls']:8,}  {' → '.join(one['order'])}" for one in report["orders"][:_ORDERS_SHOWN])
    if len(report["orders"]) > _ORDERS_SHOWN:
        yield f"          and {len(report['orders']) - _ORDERS_SHOWN} rarer ones; --json lists all"
