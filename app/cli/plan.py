"""The commands `flask plan …`: check a dial plan, show it, and try outcomes on it."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import click

from app.context import services
from app.dial.snapshot import read_switches, refresh
from app.ops.feeds import Feeds
from app.plan.contacts import read_contacts
from app.plan.describe import describe_decision, describe_plan, describe_route
from app.plan.load import PlanError, configured_plan
from app.plan.model import Plan
from app.plan.next import Decision, Ring, after, start
from app.plan.remarks import remarks
from app.plan.snapshot import LiveState, Snapshot
from app.plan.values import OUTCOME_WORDS, STIR_WORDS
from app.records.model.receipt import StoreUnavailable
from app.records.reading.read_session import read_session
from app.records.writing.target_states import read_targets
from app.voice.events import CallFacts
from app.voice.outcome import Outcome

_SECONDS_OF_OTHER_OUTCOMES = 5
FILE = click.Path(path_type=Path, dir_okay=False)
_MOMENT = click.DateTime(["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])

cli = click.Group("plan", help="Check, show, try and switch the dial plan.")


class _Refused(click.ClickException):
    """Show every mistake of a plan on its own line."""

    def show(self, file: IO[str] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


@cli.command()
@click.argument("file", type=FILE)
def check(file: Path) -> None:
    """Print every mistake in a plan FILE, as the server would when it starts."""
    plan = load(file)
    steps = sum(len(route.steps) for route in plan.routes.values())
    click.echo(f"{file.name} is a valid plan: routes {len(plan.routes)}, steps {steps}, endings {len(plan.endings)}.")
    for table, sentence in remarks(plan):
        click.echo(f"Note: {file.name} [{table}]: {sentence}")


@cli.command()
@click.option("--called", metavar="NUMBER", help="Show only what happens to calls for this number of yours.")
@click.option("--file", type=FILE, help="A plan's file; without it the plan of the settings.")
def show(called: str | None, file: Path | None) -> None:
    """Print the plan as a readable tree."""
    plan = load(file)
    click.echo(
        describe_plan(plan) if called is None else describe_route(plan, plan.route_for(CallFacts(to_number=called)))
    )


@cli.command("try")
@click.option("--called", metavar="NUMBER", help="Plivo's To: the number of yours that is called.")
@click.option("--caller", metavar="NUMBER", default="+14155550123", show_default=True, help="Plivo's From: who calls.")
@click.option("--outgoing", is_flag=True, help="The API placed the call: From is your number, To the person called.")
@click.option("--stir", type=click.Choice(STIR_WORDS), help="What Plivo says of the caller's number.")
@click.option("--at", type=_MOMENT, help="When, in UTC; without it now.")
@click.option("--file", type=FILE, help="A plan's file; without it the plan of the settings.")
@click.argument("outcomes", nargs=-1, type=click.Choice([str(word) for word in OUTCOME_WORDS]))
def try_(
    called: str | None,
    caller: str,
    outgoing: bool,
    stir: str | None,
    at: datetime | None,
    file: Path | None,
    outcomes: tuple[str, ...],
) -> None:
    """Print what the caller gets when the dials end with these OUTCOMES, one after another.

    A missed dial lasts its whole timeout, any other five seconds. Switches, dead phones and phones that are out are
    those of this moment.
    """
    plan = load(file)
    now = datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)
    is_level = stir is not None and len(stir) == 1
    call = CallFacts(
        from_number=caller,
        to_number=called,
        direction="outbound" if outgoing else "inbound",
        verification=None if is_level else stir,
        attestation=stir if is_level else None,
    )
    snapshot = known_at(plan, now).at(now)
    decision = start(plan, call, snapshot)
    elapsed = 0
    click.echo(f"The caller {describe_decision(decision)}.")
    hours = plan.route_for(call, snapshot.contacts).hours
    if hours is not None and not outgoing and (rule := hours.state(now, snapshot.days)[1]):
        click.echo(f"The hours at that time are decided by: {rule}.")
    for index, outcome in enumerate(outcomes):
        if not isinstance(decision, Ring):
            click.echo(f"Not used, since the call is over: {' '.join(outcomes[index:])}.")
            return
        elapsed += decision.timeout if outcome == Outcome.MISSED else _SECONDS_OF_OTHER_OUTCOMES
        decision = _after(plan, decision, call, Outcome(outcome), elapsed, snapshot)
        click.echo(f"{outcome}: the caller {describe_decision(decision)}.")


def known_at(plan: Plan, at: datetime) -> LiveState:
    """Return what is known for a moment: contacts, calendars as last read, switches, and the states of targets."""
    live, store = LiveState(contacts=read_contacts(plan.contacts_path) if plan.contacts_path else {}), services().store
    read_feeds(plan, live, at)
    with suppress(StoreUnavailable), read_session(store) as connection:
        live.switches = read_switches(connection)
        refresh(live, read_targets(store), now=round(at.timestamp() * 1000))
    return live


def read_feeds(plan: Plan, live: LiveState, around: datetime) -> None:
    """Read the calendars of a plan that are due, and expand all around a moment."""
    feeds = Feeds.of(plan, services().config)
    if feeds:
        feeds.refresh()
        feeds.publish(live, around)


def _after(plan: Plan, ring: Ring, call: CallFacts, outcome: Outcome, elapsed: int, begun: Snapshot) -> Decision:
    snapshot = begun._replace(now=begun.now + timedelta(seconds=elapsed))
    return after(
        plan,
        ring.route,
        ring.step.name,
        outcome,
        snapshot,
        call=call,
        elapsed_seconds=elapsed,
        rounds=ring.round,
        memory=ring.memory.after_dial(outcome, {}),
    )


def load(file: Path | None) -> Plan:
    """Return the plan of a file, or of the settings; end with its mistakes."""
    config = services().config
    try:
        plan = configured_plan(
            file or config.dial_plan,
            dial_to=config.dial_to,
            timeout=config.dial_timeout,
            time_limit=config.dial_time_limit,
            caller_id=config.dial_caller_id,
        )
        Feeds.of(plan, config).check_holidays()
    except PlanError as error:
        raise _Refused(str(error)) from error
    return plan
