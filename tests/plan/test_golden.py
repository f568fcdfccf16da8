"""The replies of the example plans stay the same, byte for byte: a plan that works today works after an update."""

import json
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest

from app.plan.document import confirm_document, document, music_document, voicemail_taken_document
from app.plan.endings import BUILT_IN_ENDINGS
from app.plan.model import Plan, Route
from app.plan.next import End, Ring, Why, after, start
from app.plan.snapshot import Snapshot
from app.plan.values import ANY_NUMBER, OUTCOME_WORDS
from tests.plan.support import MONDAY_TEN, URLS, example_plans, inbound, outbound, ring_of

PLANS = dict(example_plans())
GOLDEN: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("example_replies.json").read_text("utf-8"))

DECISIONS: dict[str, str] = json.loads(Path(__file__).with_name("example_decisions.json").read_text("utf-8"))
"""By plan and route: how many documents callers get, and the beginning of the hash of all of them."""


def documents_of(plan: Plan, route: Route) -> Iterator[str]:
    """Yield what callers of every kind get at several moments when the dials end alike, without any known state."""
    for called in (*(None if number == ANY_NUMBER else number for number in route.called), None):
        callers = ("+14155550123", None, "+19005550100", "sip:front@phone.plivo.com")
        calls = [*(inbound(called, caller) for caller in callers), outbound("+14155550123", called)]
        for call, hours in product(calls, (0, 8, 20, 134)):
            snapshot = Snapshot(now=MONDAY_TEN + timedelta(hours=hours))
            begun = start(plan, call, snapshot)
            yield document(begun, URLS)
            for outcome in OUTCOME_WORDS:
                decision, elapsed = begun, 0
                while isinstance(decision, Ring) and decision.round <= 6:
                    elapsed += decision.timeout
                    decision = after(
                        plan,
                        decision.route,
                        decision.step.name,
                        outcome,
                        snapshot,
                        call=call,
                        elapsed_seconds=elapsed,
                        rounds=decision.round,
                        memory=decision.memory.after_dial(outcome, {}),
                    )
                    yield document(decision, URLS)


def replies_of(plan: Plan) -> dict[str, str]:
    """Return every document of a plan by its place."""
    replies = {}
    for route in plan.routes.values():
        for step in route.steps.values():
            replies[f"{route.name}.{step.name}"] = document(ring_of(plan, route.name, step.name), URLS)
            replies[f"{route.name}.{step.name} confirm"] = confirm_document(step)
            if isinstance(step.dial_music, tuple):
                replies[f"{route.name}.{step.name} music"] = music_document(step)
    for name in (*BUILT_IN_ENDINGS, *plan.endings):
        ending = plan.ending_named(name)
        replies[name] = document(End(name=name, ending=ending, why=Why.NO_STEP_LEFT), URLS)
        replies[f"{name} taken"] = voicemail_taken_document(ending)
    return replies


def test_every_example_plan_has_its_replies() -> None:
    assert set(PLANS) == set(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_replies_of_an_example_plan_are_unchanged(name: str) -> None:
    assert replies_of(PLANS[name]) == GOLDEN[name]


@pytest.mark.parametrize("name", DECISIONS)
def test_a_plan_decides_without_known_state_as_it_always_did(name: str) -> None:
    plan, route = name.split()

    documents = list(documents_of(PLANS[plan], PLANS[plan].routes[route]))

    assert f"{len(documents)} {sha256(chr(0).join(documents).encode()).hexdigest()[:16]}" == DECISIONS[name]
