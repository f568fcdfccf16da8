"""The commands `flask plan close|open|status|days|oncall`: what holds beside the plan's file."""

import textwrap
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import click

from app.cli.plan import FILE, cli, known_at, load
from app.context import services
from app.plan.dates import parse_until
from app.plan.describe import describe_state
from app.plan.hours import Hours
from app.plan.model import Plan, Route
from app.plan.snapshot import Snapshot, Source, Timeline
from app.plan.sources import uses
from app.records.model.receipt import StoreUnavailable
from app.reports.pages.switch import change_switch, zone_of

group = cli  # With the commands of this file.
_WIDTH = 80
_file = click.option("--file", type=FILE, help="A plan's file; without it the plan of the settings.")


@cli.command()
@click.argument("route")
@click.option("--until", metavar="TIME", help="15:00, or 2026-12-24 15:00, by the route's clock; else until opened.")
@click.option("--say", metavar="SENTENCE", help="What callers hear meanwhile, in place of the route's other times.")
def close(route: str, until: str | None, say: str | None) -> None:
    """Close ROUTE by hand, on every node, within two seconds."""
    _switch(route, is_open=False, until=until, say=say)


@cli.command("open")
@click.argument("route")
@click.option("--until", metavar="TIME", help="Open it until then, whatever its hours say.")
def open_(route: str, until: str | None) -> None:
    """Let the plan decide again whether ROUTE is open; with --until keep it open."""
    _switch(route, is_open=None if until is None else True, until=until, say=None)


def _switch(name: str, *, is_open: bool | None, until: str | None, say: str | None) -> None:
    plan, now = services().plan, datetime.now(UTC)
    route = _route(plan, name)
    zone = zone_of(route)
    try:
        moment = parse_until(until, zone, now) if until is not None else None
        change_switch(services(), name, is_open=is_open, until=moment, say=say, actor="cli")
    except (ValueError, StoreUnavailable) as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(_status(route, known_at(plan, now).at(now))))


@cli.command()
@_file
def status(file: Path | None) -> None:
    """Print which routes are open now, and how old the calendars are."""
    plan, now = load(file), datetime.now(UTC)
    known = known_at(plan, now)
    for route in plan.routes.values():
        click.echo("\n".join(_status(route, known.at(now))))
    for feed in known.feeds:
        click.echo(f"calendar of {feed}")


def _route(plan: Plan, name: str) -> Route:
    if name not in plan.routes:
        raise click.ClickException(f"the plan has no route {name!r}; its routes are {', '.join(plan.routes)}")
    return plan.routes[name]


def _status(route: Route, snapshot: Snapshot) -> Iterator[str]:
    yield f"{route.name}: {describe_state(route, snapshot, zone_of(route))}"
    switch = snapshot.switches.get(route.name)
    if switch is not None and switch.say is not None:
        heard = textwrap.wrap(f"callers hear “{switch.say}”", _WIDTH - 2)
        yield from (f"  {line}" for line in heard)


@cli.command()
@click.argument("route")
@click.option("--month", type=click.DateTime(["%Y-%m"]), help="Such as 2026-12; without it this month.")
@_file
def days(route: str, month: datetime | None, file: Path | None) -> None:
    """Print when ROUTE is open on each day of a month, and why."""
    plan = load(file)
    found = _route(plan, route)
    if found.hours is None:
        click.echo(f"{route} has no hours: it is always open.")
        return
    zone = found.hours.time_zone
    first = (month or datetime.now(zone)).replace(day=1, hour=0, minute=0, second=0, microsecond=0, tzinfo=zone)
    known = known_at(plan, first.astimezone(UTC))
    click.echo(f"{route}, {first:%B %Y}, {zone}")
    day = first
    while day.month == first.month:
        click.echo(_day(found.hours, day, known.days))
        day += timedelta(days=1)


def _day(hours: Hours, day: datetime, events: Mapping[Source, Timeline]) -> str:
    """Return one line about a day: looked at minute by minute, so that every rule and change of clocks is in it."""
    moment, end = day.astimezone(UTC), (day + timedelta(days=1)).astimezone(UTC)
    spans: list[list[datetime]] = []
    rules: list[str] = []
    while moment < end:
        is_open, rule = hours.state(moment, events)
        following = moment + timedelta(minutes=1)
        if is_open and spans and spans[-1][1] == moment:
            spans[-1][1] = following
        elif is_open:
            spans.append([moment, following])
        if rule and rule not in rules:
            rules.append(rule)
        moment = following
    texts = [f"{_clock(one, day)}-{_clock(other, day, is_end=True)}" for one, other in spans]
    line = f"{day:%a %d}  {', '.join(texts) or 'closed'}"
    line += f"  ({'; '.join(rules)})" if rules else ""
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _clock(moment: datetime, day: datetime, *, is_end: bool = False) -> str:
    local = moment.astimezone(day.tzinfo)
    return "24:00" if is_end and local.date() > day.date() else f"{local:%H:%M}"


@cli.command()
@_file
def oncall(file: Path | None) -> None:
    """Print who is on call now, and who is next."""
    plan, now = load(file), datetime.now(UTC)
    known = known_at(plan, now)
    rotas = [use for use in uses(plan) if use.is_rota]
    for use in rotas:
        click.echo(f"{use.place}:")
        for line in _shifts(known.oncall.get(use.source), now, services().config.timezone):
            click.echo(f"  {line}")
    if not rotas:
        click.echo("The plan names no rota.")


def _shifts(timeline: Timeline | None, now: datetime, zone: tzinfo) -> Iterator[str]:
    if timeline is None:
        yield "the calendar was never read; flask plan status says why"
        return
    yield f"now   {' and '.join(timeline.at(now)) or 'nobody'}"
    later = [pair for pair in zip(timeline.starts, timeline.values, strict=True) if pair[0] > now.timestamp()]
    if later:
        start, numbers = later[0]
        at = datetime.fromtimestamp(start, zone)
        yield f"next  {' and '.join(numbers) or 'nobody'}, from {at:%a %d %b %H:%M} ({zone})"
