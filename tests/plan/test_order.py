"""In which order targets ring, who is left out, and what a call remembers: one table for each rule."""

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.plan.health import Health
from app.plan.model import Plan
from app.plan.next import Decision, Nothing, Ring, after, start
from app.plan.order import Memory
from app.plan.snapshot import Snapshot, Turns
from app.voice.outcome import Outcome
from tests.plan.support import MONDAY_TEN, in_short, inbound, plan_of, problems_of

NOW = round(MONDAY_TEN.timestamp() * 1000)
MINUTE = 60_000
A, B, C = ("+14155550111", "+14155550112", "+14155550113")
KNOWN = Snapshot(now=MONDAY_TEN)


def plan(keys: str, rest: str = "", route: str = "") -> Plan:
    return plan_of(f"""
[routes.main]
{route}
[routes.main.steps.team]
ring = ["{A}", "{B}", "{C}"]
{keys}
{rest}
""")


def walk(
    tried: Plan,
    outcomes: str = "",
    *,
    snapshot: Snapshot = KNOWN,
    call_uuid: str = "1",
    legs: dict[str, Outcome] | None = None,
) -> list[str]:
    """Return in short what a caller gets, dial by dial: the last digit of each number that rings."""
    call = inbound()._replace(call_uuid=call_uuid)
    decision: Decision = start(tried, call, snapshot)
    taken = [digits(decision)]
    for index, outcome in enumerate(outcomes.split(), start=1):
        assert isinstance(decision, Ring)
        # What is remembered travels in a URL.
        memory = Memory.from_text(decision.memory.to_text()).after_dial(Outcome(outcome), legs or {})
        decision = after(
            tried,
            decision.route,
            decision.step.name,
            Outcome(outcome),
            snapshot,
            call=call,
            elapsed_seconds=10 * index,
            rounds=decision.round,
            memory=memory,
        )
        taken.append(digits(decision))
    return taken


def digits(decision: Decision) -> str:
    if isinstance(decision, Ring):
        return "".join(target.address[-1] for target in decision.targets)
    return in_short(decision)


def knowing(**fields: Any) -> Snapshot:
    return KNOWN._replace(**fields)


def dead(*, since: int = 1, tried_until: int = 0) -> Health:
    """Return the health of a target that failed for the last time some minutes ago."""
    return Health(failed_at=NOW - since * MINUTE, down_since=NOW - 60 * MINUTE, tried_until=tried_until)


@pytest.mark.parametrize(
    ("keys", "outcomes", "taken"),
    [
        ("", "missed", ["123", "nobody"]),
        ('order = "together"', "missed", ["123", "nobody"]),
        ('order = "in_turn"', "missed busy unreachable", ["1", "2", "3", "nobody"]),
        ('order = "in_turn"', "rejected answered", ["1", "2", "over"]),
        ('order = "in_turn"', "caller_gave_up", ["1", "over"]),
        ('order = "in_turn"\nafter = { missed = "busy" }', "missed missed missed", ["1", "2", "3", "busy"]),
        ('order = "in_turn"\nafter = { missed = "busy" }', "missed missed failed", ["1", "2", "3", "nobody"]),
        ('order = "in_turn"\nafter = { answered = "hangup" }', "answered", ["1", "hangup"]),
        ('order = "in_turn"\nafter = { busy = "team" }', "missed missed busy missed", ["1", "2", "3", "1", "2"]),
        (
            'order = "in_turn"\nskip = ["rejected"]\nafter = { busy = "team" }',
            "rejected missed busy missed busy",
            ["1", "2", "3", "2", "3", "2"],
        ),
        (
            'order = "in_turn"\nskip = ["rejected", "busy"]\nafter = { busy = "team" }',
            "rejected busy busy",
            ["1", "2", "3", "nobody"],
        ),
    ],
)
def test_targets_ring_in_order(keys: str, outcomes: str, taken: list[str]) -> None:
    assert walk(plan(keys), outcomes) == taken


@pytest.mark.parametrize(
    ("outcome", "legs", "second"),
    [
        (Outcome.MISSED, {B: Outcome.REJECTED}, "13"),
        (Outcome.MISSED, {A: Outcome.REJECTED, B: Outcome.REJECTED, C: Outcome.REJECTED}, "nobody"),
        (Outcome.MISSED, {B: Outcome.BUSY}, "123"),
        (Outcome.REJECTED, {}, "123"),
    ],
)
def test_who_declined_among_several_is_known_from_the_legs(
    outcome: Outcome, legs: dict[str, Outcome], second: str
) -> None:
    again = f'[routes.main.steps.again]\nring = ["{A}", "{B}", "{C}"]\nskip = ["rejected"]'

    assert walk(plan("", again), outcome.value, legs=legs) == ["123", second]


def test_each_target_rings_as_long_as_it_says() -> None:
    tried = plan_of(f"""
[routes.main]
max_ring_seconds = 60
[routes.main.steps.team]
order = "in_turn"
ring = [{{ number = "{A}", timeout = 12 }}, "{B}", {{ number = "{C}", timeout = 45 }}]
timeout = 20
""")
    decision: Decision = start(tried, inbound(), KNOWN)
    rung = []
    for elapsed in (12, 32, 60):
        assert isinstance(decision, Ring)
        rung.append(decision.timeout)
        decision = after(
            tried,
            decision.route,
            "team",
            Outcome.MISSED,
            KNOWN,
            call=inbound(),
            elapsed_seconds=elapsed,
            rounds=decision.round,
            memory=decision.memory,
        )

    assert rung == [12, 20, 28]


def test_max_rounds_counts_every_dial() -> None:
    assert walk(plan('order = "in_turn"', route="max_rounds = 2"), "missed missed") == ["1", "2", "nobody"]


def test_ten_thousand_calls_are_shuffled_evenly_and_each_the_same_again() -> None:
    tried, calls = plan('order = "shuffled"'), [f"00000000-{number:012}" for number in range(10_000)]
    orders = [tuple(walk(tried, "missed missed", call_uuid=uuid)) for uuid in calls]

    assert orders[:500] == [tuple(walk(tried, "missed missed", call_uuid=uuid)) for uuid in calls[:500]]
    for place in range(3):
        counts = Counter(order[place] for order in orders)
        assert all(abs(count - 10_000 / 3) <= 300 for count in counts.values()), counts
    assert len(Counter(orders)) == 6


def test_processes_of_one_server_take_turns_together() -> None:
    turns = Turns(["main.team", "main.others"])
    for _ in range(2):
        child = os.fork()
        if not child:
            turns.take("main.others")
            os._exit(0)
        os.waitpid(child, 0)
    turns.take("main.others")

    assert turns.now() == {"main.team": 0, "main.others": 3}


@pytest.mark.parametrize("rotation", range(7))
def test_rotating_begins_with_the_next_target(rotation: int) -> None:
    order = "123"[rotation % 3 :] + "123"[: rotation % 3]

    known = knowing(rotation={"main.team": rotation})

    assert walk(plan('order = "rotating"'), "missed missed", snapshot=known) == list(order)


@pytest.mark.parametrize(
    ("idleness", "busy", "taken"),
    [
        ({A: 300, B: 100, C: 200}, (), ["2", "3", "1"]),
        ({A: 300, C: 200}, (), ["2", "3", "1"]),
        ({A: 300, B: 100, C: 200}, (B,), ["3", "1", "2"]),
    ],
)
def test_the_longest_idle_rings_first(idleness: dict[str, int], busy: tuple[str, ...], taken: list[str]) -> None:
    known = knowing(idleness=idleness, busy_targets=frozenset(busy))

    assert walk(plan('order = "longest_idle"'), "missed missed", snapshot=known) == taken


def test_equally_idle_targets_are_shuffled() -> None:
    tried, shuffled = plan('order = "longest_idle"'), plan('order = "shuffled"')

    for number in range(50):
        uuid = str(number)
        assert walk(tried, "missed", call_uuid=uuid) == walk(shuffled, "missed", call_uuid=uuid)


@pytest.mark.parametrize(
    ("keys", "busy", "out", "outcomes", "taken"),
    [
        ('busy_targets = "skip"', (B,), (), "missed", ["13", "nobody"]),
        ('busy_targets = "ring"', (B,), (), "missed", ["123", "nobody"]),
        ('busy_targets = "skip"', (A, B, C), (), "", ["nobody"]),
        ('order = "in_turn"\nbusy_targets = "skip"', (A,), (), "missed missed", ["2", "3", "nobody"]),
        ("", (), (A,), "", ["23"]),
        ("", (), (A, B, C), "", ["nobody"]),
        ('order = "in_turn"', (), (B,), "missed missed", ["1", "3", "nobody"]),
    ],
)
def test_busy_targets_and_those_taken_out_do_not_ring(
    keys: str, busy: tuple[str, ...], out: tuple[str, ...], outcomes: str, taken: list[str]
) -> None:
    known = knowing(busy_targets=frozenset(busy), out=frozenset(out))

    assert walk(plan(keys), outcomes, snapshot=known) == taken


@pytest.mark.parametrize(
    ("keys", "health", "outcomes", "taken"),
    [
        ("dead_phones = {}", {}, "missed", ["123", "nobody"]),
        ("dead_phones = {}", {A: dead()}, "missed missed", ["23", "1", "nobody"]),
        ('dead_phones = { then = "never" }', {A: dead()}, "missed", ["23", "nobody"]),
        ('dead_phones = { then = "never" }', {A: dead(), B: dead(), C: dead()}, "missed", ["123", "nobody"]),
        ("dead_phones = {}", {A: dead(), B: dead(), C: dead()}, "missed", ["123", "nobody"]),
        ("", {A: dead()}, "missed", ["123", "nobody"]),
        ('order = "in_turn"\ndead_phones = {}', {A: dead()}, "missed missed missed", ["2", "3", "1", "nobody"]),
        ('order = "in_turn"\ndead_phones = { then = "never" }', {B: dead()}, "missed missed", ["1", "3", "nobody"]),
        ("dead_phones = { rest = 10 }", {A: dead(since=9)}, "", ["23"]),
        ("dead_phones = { rest = 10 }", {A: dead(since=10)}, "", ["123"]),
        ("dead_phones = { rest = 10 }", {A: dead(since=10, tried_until=NOW + 1)}, "", ["23"]),
        ("dead_phones = {}", {A: Health(failed_at=NOW)}, "", ["123"]),
        # Within one call a phone that failed is not rung again.
        ('order = "in_turn"\ndead_phones = {}\nafter = { busy = "team" }', {}, "failed missed busy", [*"123", "2"]),
        ('dead_phones = {}\nafter = { unreachable = "team" }', {}, "unreachable", ["123", "nobody"]),
    ],
)
def test_dead_phones_ring_last_or_never_and_one_target_always_rings(
    keys: str, health: dict[str, Health], outcomes: str, taken: list[str]
) -> None:
    assert walk(plan(keys), outcomes, snapshot=knowing(health=health)) == taken


def test_a_ring_says_which_dead_phone_it_tries_again() -> None:
    known = knowing(health={A: dead(since=10), B: dead(since=9)})

    decision = start(plan("dead_phones = {}"), inbound(), known)

    assert isinstance(decision, Ring)
    assert (digits(decision), decision.trials) == ("13", (A,))


@pytest.mark.parametrize("keys", ["", 'after = { busy = "team" }'])
def test_a_plan_that_rings_together_remembers_nothing(keys: str) -> None:
    decision = start(plan(keys), inbound(), KNOWN)

    assert isinstance(decision, Ring)
    assert decision.memory.to_text() == ""


_keys = st.text("0123456789abcdef", min_size=8, max_size=8)


@given(
    rung=st.lists(_keys, max_size=3),
    left=st.lists(st.lists(_keys, min_size=1, max_size=2), max_size=3),
    gone=st.dictionaries(_keys, st.sampled_from("rbmuf"), max_size=3),
)
def test_what_a_call_remembers_survives_the_way_through_a_url(
    rung: list[str], left: list[list[str]], gone: dict[str, str]
) -> None:
    memory = Memory(tuple(rung), tuple(map(tuple, left)), tuple(gone.items()))

    assert Memory.from_text(memory.to_text()) == memory


def test_a_plan_without_the_step_or_its_targets_goes_on() -> None:
    tried = plan('order = "in_turn"')
    decision = start(tried, inbound(), KNOWN)
    assert isinstance(decision, Ring)
    newer = plan_of(f'[routes.main.steps.team]\norder = "in_turn"\nring = ["{C}"]')

    def following(known: Plan, step: str) -> Decision:
        route = known.routes["main"]
        memory = decision.memory
        return after(
            known, route, step, Outcome.MISSED, KNOWN, call=inbound(), elapsed_seconds=9, rounds=1, memory=memory
        )

    assert digits(following(newer, "team")) == "3"
    assert digits(following(newer, "gone")) == "nobody"
    assert not isinstance(following(tried, "team"), Nothing)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ('order = "random"', "order is 'random'; write together, in_turn, shuffled, rotating or longest_idle"),
        (
            'skip = ["answered"]',
            "skip entry 1: 'answered' cannot be skipped; write rejected, busy, missed, unreachable, failed",
        ),
        ('busy_targets = "no"', "busy_targets is 'no'; write ring or skip"),
        ("dead_phones = { failures = 0 }", "failures is 0; write whole failures from 1 to 10"),
        ('dead_phones = { then = "first" }', "then is 'first'; write last or never"),
        ("dead_phones = true", "dead_phones is no table; write dead_phones = { … }"),
    ],
)
def test_what_is_no_order_is_refused(keys: str, problem: str) -> None:
    [sentence] = problems_of(f'[routes.main.steps.team]\nring = ["{A}"]\n{keys}')

    assert sentence.endswith(problem)


def test_a_timeout_of_a_target_that_rings_with_others_is_refused() -> None:
    assert problems_of(f'[routes.main.steps.team]\nring = [{{ number = "{A}", timeout = 9 }}]') == (
        "plan.toml [routes.main.steps.team]: timeout of a target needs an order in which each rings alone; write "
        'order = "in_turn"',
    )
