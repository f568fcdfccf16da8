"""What Plivo says of a caller's number: as a reason to block, and as a condition of a route."""

import pytest

from app.plan.next import start
from app.plan.snapshot import Snapshot
from app.voice.events import CallFacts, Kind
from app.voice.parsing import parse
from tests.plan.support import MONDAY_TEN, in_short, inbound, plan_of, problems_of

STEP = 'steps = { a = { ring = ["+14155550111"] } }\n'
PLAN = plan_of(f"""
[routes.signed]
called = ["+14155550100"]
stir = ["Verified", "A"]
{STEP}
[routes.main]
blocked = {{ stir = ["Not Verified", "C"] }}
{STEP.replace("a =", "b =")}
""")


def taken(*, called: str = "+14155550100", **params: str) -> str:
    call = parse(Kind.ANSWER, {"From": "14155550123", "To": called, "CallUUID": "1", **params}, at=1).call
    return in_short(start(PLAN, call, Snapshot(now=MONDAY_TEN)))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"STIRVerification": "Verified"}, "a: +14155550111"),
        ({"STIRVerification": "Not Applicable", "STIRAttestation": "A"}, "a: +14155550111"),
        ({"stir_verification": "verified"}, "a: +14155550111"),
        ({"STIRVerification": "Not Verified"}, "rejected"),
        ({"STIRVerification": "Not Applicable", "STIRAttestation": "C"}, "rejected"),
        ({"STIRVerification": "Not Applicable", "STIRAttestation": "Not Applicable"}, "b: +14155550111"),
        ({"STIRVerification": "Trusted"}, "b: +14155550111"),
        ({"STIRVerification": ""}, "b: +14155550111"),
        ({}, "b: +14155550111"),
    ],
)
def test_a_result_of_stir_blocks_a_call_or_chooses_its_route(params: dict[str, str], expected: str) -> None:
    assert taken(**params) == expected


def test_a_condition_holds_for_the_numbers_of_its_route_alone() -> None:
    assert taken(called="+14155550101", STIRVerification="Verified") == "b: +14155550111"


@pytest.mark.parametrize("word", ["Verified", "Not Verified", "Not Applicable", "A", "C", None])
def test_nothing_is_asked_of_a_caller_by_default(word: str | None) -> None:
    plan = plan_of(f"[routes.main]\n{STEP}")
    call: CallFacts = inbound()._replace(verification=word)

    assert in_short(start(plan, call, Snapshot(now=MONDAY_TEN))) == "a: +14155550111"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f'[routes.main]\nstir = ["no"]\n{STEP}',
            "plan.toml [routes.main]: stir entry 1: 'no' is no result of STIR; write Verified, Not Verified, "
            "Not Applicable, A, B, C",
        ),
        (f"[routes.main]\nstir = []\n{STEP}", "plan.toml [routes.main]: stir is empty; write at least one"),
        (
            f'[routes.main]\nblocked = {{ ending = "busy" }}\n{STEP}',
            "plan.toml [routes.main.blocked]: there are neither callers nor stir; write one of them",
        ),
        (
            f'[routes.one]\nstir = ["A", "B"]\n{STEP}[routes.two]\nstir = ["B"]\n{STEP}',
            "plan.toml [routes.two]: called has *, which route one serves; remove one of them",
        ),
    ],
)
def test_what_is_no_result_of_stir_is_refused(text: str, problem: str) -> None:
    assert problems_of(text) == (problem,)
