"""What the tests of the plan share."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.plan.document import Urls
from app.plan.load import PlanError, load_plan, plan_from_tables
from app.plan.model import Plan
from app.plan.next import Decision, End, Ring, start
from app.plan.snapshot import Snapshot
from app.plan.values import DIALLED
from app.voice.events import CallFacts

RECIPES = Path(__file__).parents[2] / "docs" / "plans"
EXAMPLES = Path(__file__).parent / "examples"
MONDAY_TEN = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
URLS = Urls(
    action_url="https://a.example/dialstatus/action/?dial=1&step=desk#rc=3&rp=ct,rt,5xx",
    callback_url="https://a.example/dialstatus/callback/?dial=1",
    confirm_url="https://a.example/dialstatus/confirm/?dial=1",
    music_url="https://a.example/dialstatus/music/?dial=1",
    recording_url="https://a.example/dialstatus/recording/?dial=1",
    voicemail_url="https://a.example/dialstatus/voicemail/?dial=1",
)


def inbound(called: str | None = "+14155550100", caller: str | None = "+14155550123") -> CallFacts:
    """Return the facts of a call to a number of ours."""
    return CallFacts(from_number=caller, to_number=called, direction="inbound")


def outbound(called: str | None, caller: str | None = "+14155550100") -> CallFacts:
    """Return the facts of a call that the API placed from a number of ours."""
    return CallFacts(from_number=caller, to_number=called, direction="outbound")


def ring_of(plan: Plan, route: str, step: str) -> Ring:
    """Return the first ring of a step, with its route's greeting."""
    rung = plan.routes[route].steps[step]
    return Ring(
        route=plan.routes[route],
        step=rung,
        targets=tuple(
            target.at("+442071838750") if target.number == DIALLED or target.rota else target for target in rung.ring
        ),
        round=1,
        timeout=rung.timeout,
        greeting=plan.routes[route].greeting,
    )


def plan_of(text: str) -> Plan:
    """Read a plan from TOML."""
    return plan_from_tables(tomllib.loads(text), source="plan.toml")


def example_plans() -> Iterator[tuple[str, Plan]]:
    """Yield every recipe and every example with its name."""
    for path in sorted([*RECIPES.glob("*.toml"), *EXAMPLES.glob("*.toml")]):
        yield path.stem, load_plan(path)


def problems_of(text: str) -> tuple[str, ...]:
    """Return the sentences with which a plan is refused."""
    with pytest.raises(PlanError) as refused:
        plan_of(text)
    return refused.value.problems


def in_short(decision: Decision) -> str:
    """Return the step and its targets, the name of the ending, or `over`."""
    if isinstance(decision, Ring):
        return f"{decision.step.name}: {' '.join(target.address for target in decision.targets)}"
    return decision.name if isinstance(decision, End) else "over"


def first(plan: Plan, call: CallFacts) -> str:
    """Return in short what a call gets first."""
    return in_short(start(plan, call, Snapshot(now=MONDAY_TEN)))


def speaking(**keys: str) -> str:
    """Return a plan whose greeting has these keys."""
    said = ", ".join(f'{key} = "{value}"' for key, value in {"say": "Hello.", **keys}.items())
    return f'routes.main.greeting = {{ {said} }}\n[routes.main.steps.a]\nring = ["+14155550111"]'
