"""The replies of the example plans stay the same, byte for byte: a plan that works today works after an update."""

import json
from pathlib import Path

import pytest

from app.plan.document import confirm_document, document, music_document, voicemail_taken_document
from app.plan.endings import BUILT_IN_ENDINGS
from app.plan.model import Plan
from app.plan.next import End, Why
from tests.plan.support import URLS, example_plans, ring_of

PLANS = dict(example_plans())
GOLDEN: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("example_replies.json").read_text("utf-8"))


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
