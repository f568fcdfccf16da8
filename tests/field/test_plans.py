"""Plans that ring the wrong phone: each is refused with a sentence, or works for the people on the line."""

from collections.abc import Callable

import pytest

from app.plan.model import Plan
from app.plan.next import Ring, after, start
from app.plan.snapshot import Snapshot
from app.voice.outcome import Outcome
from tests.plan.support import MONDAY_TEN, first, in_short, inbound, plan_of, problems_of
from tests.server.calls import inbound as inbound_request
from tests.server.calls import new_uuid
from tests.support.server import Server

OURS, OTHER, CALLER = "+14155550100", "+14155550111", "+14155550123"
OUR_SPELLINGS = [OURS, "14155550100", "0014155550100", "+1 (415) 555-0100", "sip:+14155550100@carrier.example"]


# --- E1: a plan that rings its own number.


@pytest.mark.parametrize("target", ['"+14155550100"', '"+1 415 555 0100"', '{ number = "+1-415-555-0100" }'])
def test_e1_a_target_that_its_own_route_serves_is_refused(target: str) -> None:
    assert problems_of(f"""
        [routes.main]
        called = ["+14155550100"]
        [routes.main.steps.a]
        ring = ["+14155550111", {target}]
        """) == (
        "plan.toml [routes.main.steps.a]: ring has +14155550100, a number of this route, so a call would ring itself "
        "without end; write another target",
    )


def test_e1_a_sip_user_that_its_own_route_serves_is_refused() -> None:
    [problem] = problems_of("""
        [routes.main]
        called = ["sip:front@phone.plivo.com"]
        [routes.main.steps.a]
        ring = ["sip:front@PHONE.plivo.com;transport=tcp"]
        """)

    assert "a number of this route" in problem


def test_e1_routes_that_ring_each_other_are_refused_once() -> None:
    assert problems_of("""
        [routes.a]
        called = ["+14155550100"]
        steps = { one = { ring = ["+14155550101"] } }
        [routes.b]
        called = ["+14155550101"]
        steps = { two = { ring = ["+14155550102"] } }
        [routes.c]
        called = ["+14155550102"]
        steps = { three = { ring = ["+14155550111", "+14155550100"] } }
        """) == (
        "plan.toml [routes.a.steps.one]: ring has +14155550101, a number of route b, which leads back here, so a call "
        "would go in circles; write another target",
    )


def test_e1_a_route_may_ring_a_number_of_another_route_and_a_pbx_user_named_after_its_own_number() -> None:
    plan = plan_of("""
        [routes.a]
        called = ["+14155550100"]
        steps = { one = { ring = ["+14155550101", "sip:+14155550100@pbx.example.com"] } }
        [routes.b]
        called = ["+14155550101"]
        steps = { two = { ring = ["+14155550111"] } }
        """)

    assert first(plan, inbound(OURS)) == "one: +14155550101 sip:+14155550100@pbx.example.com"


@pytest.mark.parametrize("called", OUR_SPELLINGS)
def test_e1_the_called_number_is_not_rung_in_any_spelling(called: str) -> None:
    plan = Plan.from_targets((OURS, OTHER), timeout=20, time_limit=60)

    assert first(plan, inbound(called)) == f"all: {OTHER}"


@pytest.mark.parametrize("called", OUR_SPELLINGS)
def test_e1_a_plan_that_rings_only_the_called_number_goes_on_as_if_it_were_unreachable(called: str) -> None:
    plan = plan_of("""
        routes.main.greeting = "Welcome."
        [routes.main.steps.a]
        ring = ["+14155550100"]
        after = { unreachable = "c", missed = "hangup" }
        [routes.main.steps.b]
        ring = ["+14155550112"]
        [routes.main.steps.c]
        ring = ["+14155550113"]
        """)

    decision = start(plan, inbound(called), Snapshot(now=MONDAY_TEN))

    assert in_short(decision) == "c: +14155550113"
    assert isinstance(decision, Ring)
    assert decision.round == 1
    assert decision.greeting is not None


def test_e1_a_plan_that_sends_a_call_round_in_circles_without_a_target_comes_to_its_ending() -> None:
    plan = plan_of("""
        routes.main.ending = "busy"
        [routes.main.steps.a]
        ring = ["+14155550100"]
        after = { unreachable = "b" }
        [routes.main.steps.b]
        ring = ["+14155550123"]
        after = { unreachable = "a" }
        """)

    assert first(plan, inbound(OURS, CALLER)) == "busy"


def test_e1_a_step_leads_to_its_ending_for_unreachable_where_nobody_can_ring() -> None:
    plan = plan_of("""
        [routes.main.steps.a]
        ring = ["+14155550100"]
        after = { unreachable = "rejected" }
        """)

    assert first(plan, inbound(OURS)) == "rejected"
    assert first(Plan.from_targets((OURS,), timeout=20, time_limit=60), inbound(OURS)) == "nobody"


def test_e1_a_phone_that_forwarded_the_call_to_us_is_not_rung() -> None:
    plan = Plan.from_targets((OTHER, "+14155550112"), timeout=20, time_limit=60)

    assert first(plan, inbound(OURS)._replace(forwarded_from="14155550112")) == f"all: {OTHER}"


def test_e1_a_server_whose_dial_to_is_the_called_number_says_that_nobody_can_answer(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(DIAL_TO="+14155550199")

    reply = server.plivo("POST", "/dialstatus/", inbound_request(new_uuid()))

    assert "<Dial" not in reply.body
    assert "nobody can take your call" in reply.body


# --- E2: the caller is one of the targets.


@pytest.mark.parametrize("caller", ["+14155550112", "14155550112", "0014155550112", "sip:14155550112@carrier.example"])
def test_e2_the_caller_is_not_rung(caller: str) -> None:
    plan = Plan.from_targets((OTHER, "+14155550112"), timeout=20, time_limit=60)

    assert first(plan, inbound(OURS, caller)) == f"all: {OTHER}"


def test_e2_a_sip_user_who_calls_is_not_rung() -> None:
    plan = Plan.from_targets((OTHER, "sip:web1@phone.plivo.com"), timeout=20, time_limit=60)

    assert first(plan, inbound(OURS, "sip:web1@Phone.Plivo.com;transport=tls")) == f"all: {OTHER}"


def test_e2_a_later_step_leaves_the_caller_out_too() -> None:
    plan = plan_of("""
        [routes.main.steps.a]
        ring = ["+14155550111"]
        [routes.main.steps.b]
        ring = ["+14155550123"]
        [routes.main.steps.c]
        ring = ["+14155550113", "+14155550123"]
        """)

    decision = after(
        plan,
        plan.routes["main"],
        "a",
        Outcome.MISSED,
        Snapshot(now=MONDAY_TEN),
        call=inbound(OURS, CALLER),
        elapsed_seconds=9,
        rounds=1,
    )

    assert in_short(decision) == "c: +14155550113"


# --- C3: one number in several spellings.


@pytest.mark.parametrize("called", ["+919200000199", "919200000199", "00919200000199", "00 91 9200-000199"])
def test_c3_a_called_number_finds_its_route_in_every_spelling(called: str) -> None:
    plan = plan_of('[routes.india]\ncalled = ["+919200000199"]\nending = "busy"')

    assert first(plan, inbound(called)) == "busy"


@pytest.mark.parametrize(
    "caller", ["+49301234567", "49301234567", "0049301234567", "sip:0049301234567@carrier.example"]
)
def test_c3_a_blocked_caller_is_known_in_every_spelling(caller: str) -> None:
    plan = plan_of("""
        [routes.main]
        blocked = { callers = ["+49301234567"] }
        steps = { a = { ring = ["+14155550111"] } }
        """)

    assert first(plan, inbound(OURS, caller)) == "rejected"
