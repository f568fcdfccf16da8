"""`flask plan simulate`: what a new plan would change, before anybody's phone rings differently."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import with_appcontext
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from app.cli.plan import load
from app.cli.plan_past import left_out, play_all
from app.cli.plan_targets import readable_store
from app.context import services
from app.plan.model import Plan
from app.plan.what_if import Behaviour, Dialled, Ended, PastCall
from app.records.reading.call_filters import CallFilters
from app.records.reading.calls import ListedCall, find_calls
from app.records.reading.changes import read_changes
from app.records.reading.read_session import read_session
from app.reports.pages.formatting import CALL_OUTCOMES
from app.simulator.scenario import Behaviour as Does
from app.simulator.scenario import Person, Scenario, built_in, pick, vary
from app.voice.events import CallFacts
from app.voice.outcome import CallOutcome, Outcome

_Past = tuple[str | None, PastCall]  # The recorded outcome, if any, and the call.

_MOST_CHANGES = 10_000  # The newest of the audit log.
_USUAL_TIMEOUT = Behaviour(Outcome.MISSED, 0)
_DOES = {
    Does.ANSWERS: Outcome.ANSWERED,
    Does.BUSY: Outcome.BUSY,
    Does.REJECTS: Outcome.REJECTED,
    Does.CARRIER_FAILURE: Outcome.FAILED,
    Does.RINGS: Outcome.MISSED,
    Does.NO_ANSWER: Outcome.MISSED,
    Does.CANCELS: Outcome.UNKNOWN,
}


@click.command("simulate")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--calls", default=1000, show_default=True, type=click.IntRange(1, 20_000), help="Calls to play again.")
@click.option("--mix", is_flag=True, help="Play the simulator's mix in place of recorded calls.")
@click.option("--seed", default=1, show_default=True, help="Of the mix: the same seed plays the same calls.")
@with_appcontext
def simulate_plan(file: Path, calls: int, mix: bool, seed: int) -> None:
    """Play recorded calls with today's plan and with that of FILE, and print what would be different.

    People behave as they did in the call; a target that did not ring in it, as it usually does. Calendars and rotas are
    those of the moment of each call, and so are switches and targets taken out, by the audit log. Phones die and revive
    by what the played calls say of them. The mix comes at noon of a Wednesday. Nothing is called, no call is stored.
    """
    plans = services().plan, load(file)
    with readable_store() as store, read_session(store) as connection:
        past = list(_mix(plans[0], calls, seed) if mix else _recorded(connection, calls))
        changes = [] if mix else read_changes(connection, limit=_MOST_CHANGES)[::-1]
    if not past:
        raise click.ClickException("no call is recorded yet; --mix plays the simulator's mix")
    today, new = (list(play_all(plan, [one for _, one in past], changes)) for plan in plans)
    _print(file.name, [outcome for outcome, _ in past], today, new)
    unknown = sorted({what for plan in plans for what in left_out(plan)})
    if unknown:
        click.echo(f"Left out: {', '.join(unknown)}.")


def _recorded(connection: Connection, limit: int) -> Iterator[_Past]:
    """Yield the newest calls in the order of time."""
    found: list[ListedCall] = []
    before: int | None = None
    while len(found) < limit:
        page = find_calls(connection, CallFilters(), limit=min(500, limit - len(found)), before=before)
        found += [one for one in page.calls if one.call.outcome not in {None, CallOutcome.IN_PROGRESS.value}]
        before = page.before
        if before is None:
            break
    found.sort(key=lambda one: one.call.started_at)
    seen: defaultdict[str, Counter[Behaviour]] = defaultdict(Counter)
    behaviours = [_behaviours(one) for one in found]
    for known in behaviours:
        for target, behaviour in known.items():
            seen[target][behaviour] += 1
    usual = {target: counts.most_common(1)[0][0] for target, counts in seen.items()}
    for one, known in zip(found, behaviours, strict=True):
        yield one.call.outcome, _past(one, usual | known)


def _behaviours(one: ListedCall) -> dict[str, Behaviour]:
    """Return what each target did that rang in a call."""
    found: dict[str, Behaviour] = {}
    for dial in one.dials:
        targets = json.loads(dial.targets or "[]")
        for target in targets:
            outcome = Outcome(dial.outcome)
            if outcome in {Outcome.ANSWERED, Outcome.CALLER_GAVE_UP}:
                outcome = Outcome.ANSWERED if target == dial.answered_by else Outcome.MISSED
            found[target] = Behaviour(outcome, dial.ring_seconds or 0)
    return found


def _past(one: ListedCall, behaviours: dict[str, Behaviour]) -> PastCall:
    call = one.call
    return PastCall(
        call=CallFacts(
            call.call_uuid, call.from_number, call.to_number, call.direction, forwarded_from=call.forwarded_from
        ),
        at=datetime.fromtimestamp(call.started_at / 1000, UTC),
        behave=lambda rung: behaviours.get(rung.address, _USUAL_TIMEOUT),
        patience=call.waited_seconds if call.outcome == CallOutcome.CALLER_GAVE_UP.value else None,
        talk_seconds=call.talk_seconds or 0,
        leaves_message=call.message_id is not None,
    )


def _mix(plan: Plan, count: int, seed: int) -> Iterator[_Past]:
    dice, scenarios = random.Random(seed), built_in()  # noqa: S311 - Nothing secret depends on it.
    numbers = sorted({number for route in plan.routes.values() for number in route.called if number[0] == "+"})
    for number in range(count):
        scenario = vary(pick(scenarios, dice), dice)
        called = dice.choice(numbers or ["+14155550100"])
        facts = CallFacts(f"call-{number}", "+14155550199", called, "outbound" if scenario.called else "inbound")
        yield (
            None,
            PastCall(
                call=facts,
                at=datetime(2026, 1, 7, 12, tzinfo=UTC),
                behave=lambda rung, scenario=scenario: _scripted(scenario, rung),  # type: ignore[misc]
                patience=scenario.caller_gives_up_after,
                leaves_message=scenario.message is not None,
            ),
        )


def _scripted(scenario: Scenario, rung: Dialled) -> Behaviour:
    person: Person = scenario.person(rung.dial, rung.position)
    outcome = _DOES.get(person.does, Outcome.UNREACHABLE)
    is_refused = outcome is Outcome.ANSWERED and rung.has_key and not person.accepts_key
    return Behaviour(Outcome.REJECTED if is_refused else outcome, person.after)


def _print(name: str, recorded: list[str | None], today: list[Ended], new: list[Ended]) -> None:
    columns = [Counter(one.outcome.value for one in ended) for ended in (today, new)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("outcome")
    for title in ("recorded", "today's plan", name, "difference"):
        table.add_column(title, justify="right")
    was = Counter(recorded)
    for outcome in CallOutcome:
        now, then = columns[0][outcome.value], columns[1][outcome.value]
        if now or then or was[outcome.value]:
            shown = f"{was[outcome.value]:,}" if None not in was else "–"
            table.add_row(
                CALL_OUTCOMES[outcome], shown, f"{now:,}", f"{then:,}", f"{then - now:+,}" if then != now else ""
            )
    Console(width=100).print(table)
    changed = Counter(
        (old.outcome, then.outcome) for old, then in zip(today, new, strict=True) if old.outcome != then.outcome
    )
    click.echo(f"{changed.total():,} of {len(today):,} calls would end differently.")
    for (old, ended), count in changed.most_common():
        click.echo(f"  {count:>6,}  {CALL_OUTCOMES[old]} → {CALL_OUTCOMES[ended]}")
    for label, had, has in (
        ("Dials", sum(one.dials for one in today), sum(one.dials for one in new)),
        ("Seconds until the end of ringing", sum(one.seconds for one in today), sum(one.seconds for one in new)),
        ("Callers offered voicemail", sum(one.voicemail for one in today), sum(one.voicemail for one in new)),
    ):
        click.echo(f"{label}: {had:,.0f} today, {has:,.0f} with {name}.")
    if None not in was:
        same = sum(word == one.outcome.value for word, one in zip(recorded, today, strict=True))
        click.echo(f"Check: today's plan, played again, ends {same:,} of {len(today):,} calls as recorded.")
