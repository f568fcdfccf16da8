"""What follows what: one table of every outcome at every position, and the caps around it."""

from datetime import UTC, datetime

import pytest

from app.plan.endings import NOBODY
from app.plan.model import Plan
from app.plan.next import Decision, End, Nothing, Ring, Why, after, start
from app.plan.snapshot import Snapshot
from app.voice.outcome import Outcome
from tests.plan.support import MONDAY_TEN, inbound, plan_of

PLAN = plan_of("""
[routes.main]
ending = "message"
max_ring_seconds = 100
max_rounds = 4
greeting = "Hello"

[routes.main.steps.desk]
ring = ["+14155550111"]
timeout = 20
after = { busy = "colleague", rejected = "sorry", answered = "survey", caller_gave_up = "sorry" }

[routes.main.steps.mobile]
ring = ["+14155550112"]
timeout = 30
after = { missed = "desk", unknown = "busy" }

[routes.main.steps.colleague]
ring = ["+14155550113"]
timeout = 40

[endings.message]
voicemail = "Leave a message."
[endings.sorry]
say = "Sorry."
[endings.survey]
redirect = "https://example.com/survey/"
""")
ROUTE = PLAN.routes["main"]

#              desk         mobile       colleague   a step that is gone
TABLE = """
answered       survey       .            .           .
caller_gave_up sorry        .            .           .
busy           >colleague   >colleague   message     message
rejected       sorry        >colleague   message     message
missed         >mobile      >desk        message     message
unreachable    >mobile      >colleague   message     message
failed         >mobile      >colleague   message     message
unknown        >mobile      busy         message     message
in_progress    >mobile      >colleague   message     message
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [
    (Outcome(outcome), step, expected)
    for outcome, *cells in ROWS
    for step, expected in zip(["desk", "mobile", "colleague", "gone"], cells, strict=True)
]


def in_short(decision: Decision) -> str:
    if isinstance(decision, Ring):
        return f">{decision.step.name}"
    return decision.name if isinstance(decision, End) else "."


def after_step(step: str, outcome: Outcome, *, elapsed: float = 10, rounds: int = 1, plan: Plan = PLAN) -> Decision:
    return after(
        plan,
        plan.routes["main"],
        step,
        outcome,
        Snapshot(now=MONDAY_TEN),
        call=inbound(),
        elapsed_seconds=elapsed,
        rounds=rounds,
    )


def test_the_table_knows_every_outcome() -> None:
    assert {row[0] for row in ROWS} == set(Outcome)


@pytest.mark.parametrize(("outcome", "step", "expected"), CELLS)
def test_every_outcome_at_every_position_leads_where_the_table_says(outcome: Outcome, step: str, expected: str) -> None:
    assert in_short(after_step(step, outcome)) == expected


def test_a_call_begins_with_the_greeting_and_the_first_step() -> None:
    decision = start(PLAN, inbound(), Snapshot(now=MONDAY_TEN))

    desk = ROUTE.steps["desk"]
    assert decision == Ring(route=ROUTE, step=desk, targets=desk.ring, round=1, timeout=20, greeting=ROUTE.greeting)


def test_the_greeting_is_heard_once_and_the_rounds_are_counted() -> None:
    decision = after_step("desk", Outcome.MISSED, rounds=1)

    assert isinstance(decision, Ring)
    assert (decision.greeting, decision.round) == (None, 2)


def test_the_same_report_leads_to_the_same_decision() -> None:
    assert after_step("desk", Outcome.MISSED) == after_step("desk", Outcome.MISSED)


@pytest.mark.parametrize(("elapsed", "timeout"), [(0, 30), (69.9, 30), (70, 30), (71, 29), (95, 5), (-50, 30)])
def test_the_last_ring_is_cut_to_what_is_left_of_the_cap(elapsed: float, timeout: int) -> None:
    decision = after_step("desk", Outcome.MISSED, elapsed=elapsed)

    assert isinstance(decision, Ring)
    assert decision.timeout == timeout


@pytest.mark.parametrize("elapsed", [96, 100, 1e9])
def test_who_has_waited_too_long_gets_the_ending(elapsed: float) -> None:
    decision = after_step("desk", Outcome.MISSED, elapsed=elapsed)

    assert decision == End(name="message", ending=PLAN.endings["message"], why=Why.RANG_TOO_LONG, route="main")


def test_after_the_last_round_comes_the_ending() -> None:
    assert in_short(after_step("mobile", Outcome.MISSED, rounds=3)) == ">desk"
    assert after_step("mobile", Outcome.MISSED, rounds=4) == End(
        name="message", ending=PLAN.endings["message"], why=Why.TOO_MANY_ROUNDS, route="main"
    )


def test_a_short_step_rings_although_little_time_is_left() -> None:
    plan = plan_of("""
    [routes.main]
    max_ring_seconds = 10
    [routes.main.steps.a]
    ring = ["+14155550111"]
    [routes.main.steps.b]
    ring = ["+14155550112"]
    timeout = 2
    """)

    assert in_short(after_step("a", Outcome.MISSED, elapsed=8, plan=plan)) == ">b"
    assert in_short(after_step("a", Outcome.MISSED, elapsed=9, plan=plan)) == NOBODY


def test_an_ending_says_why_it_came() -> None:
    whys = {
        step: getattr(after_step(step, outcome), "why", None)
        for step, outcome in (
            ("desk", Outcome.REJECTED),
            ("colleague", Outcome.MISSED),
            ("gone", Outcome.MISSED),
        )
    }

    assert whys == {"desk": Why.LED_HERE, "colleague": Why.NO_STEP_LEFT, "gone": Why.STEP_IS_GONE}


def test_an_ending_that_is_gone_becomes_the_sentence_everybody_knows() -> None:
    assert PLAN.ending_named("gone") == PLAN.ending_named(NOBODY)


def test_a_blocked_caller_is_refused_even_while_open() -> None:
    plan = plan_of("""
    [routes.main]
    blocked = { callers = ["+1900*"] }
    steps = { a = { ring = ["+14155550111"] } }
    """)

    blocked = start(plan, inbound(caller="19005550100"), Snapshot(now=MONDAY_TEN))
    welcome = start(plan, inbound(caller="+14155550102"), Snapshot(now=MONDAY_TEN))

    assert blocked == End(name="rejected", ending=plan.ending_named("rejected"), why=Why.BLOCKED, route="main")
    assert in_short(welcome) == ">a"


@pytest.mark.parametrize(
    ("otherwise", "expected"), [("b", ">b"), ("a", ">a"), ("busy", "busy")], ids=["a step", "the first", "an ending"]
)
def test_outside_the_hours_the_otherwise_counts(otherwise: str, expected: str) -> None:
    plan = plan_of(f"""
    [routes.main]
    hours = {{ time_zone = "UTC", monday = ["11:00-12:00"], otherwise = "{otherwise}" }}
    steps = {{ a = {{ ring = ["+14155550111"] }}, b = {{ ring = ["+14155550112"] }} }}
    """)

    closed = start(plan, inbound(caller=None), Snapshot(now=MONDAY_TEN))
    opened = start(plan, inbound(caller=None), Snapshot(now=datetime(2026, 11, 23, 11, tzinfo=UTC)))

    assert in_short(closed) == expected
    assert in_short(opened) == ">a"


def test_a_route_without_steps_goes_to_its_ending() -> None:
    plan = plan_of('[routes.main]\nending = "busy"')

    assert in_short(start(plan, inbound(caller=None), Snapshot(now=MONDAY_TEN))) == "busy"


def test_the_plan_of_dial_to_rings_everybody_once_and_then_says_that_nobody_is_there() -> None:
    plan = Plan.from_targets(
        ("+14155550111", "sip:a@phone.plivo.com"), timeout=17, time_limit=600, caller_id="+14155550199"
    )
    route = plan.routes["main"]

    first = start(plan, inbound(caller="+1415"), Snapshot(now=MONDAY_TEN))
    then = after(
        plan, route, "all", Outcome.MISSED, Snapshot(now=MONDAY_TEN), call=inbound(), elapsed_seconds=17, rounds=1
    )

    assert isinstance(first, Ring)
    assert [target.address for target in first.step.ring] == ["+14155550111", "sip:a@phone.plivo.com"]
    assert (first.timeout, first.step.time_limit, first.route.caller_id) == (17, 600, "+14155550199")
    assert in_short(then) == NOBODY
    assert isinstance(
        after(
            plan, route, "all", Outcome.ANSWERED, Snapshot(now=MONDAY_TEN), call=inbound(), elapsed_seconds=9, rounds=1
        ),
        Nothing,
    )
