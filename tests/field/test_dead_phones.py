"""A dead phone at work: it costs a caller at most one ring, one call tries it again, and a sign of life revives it."""

import base64
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.account.local_checks import check_targets
from app.cli.group import add_commands
from app.context import EXTENSION, Services
from app.dial.snapshot import refresh
from app.records.model.tables_events import outbox
from app.records.model.target_state import DeadRule, TargetState
from app.records.writing.target_states import read_targets
from tests.field.conftest import ALICE, BOB, REPORTS_TOKEN, App, Line
from tests.field.test_order import rings

PLAN = f"""
[routes.main.steps.team]
order = "in_turn"
ring = ["{ALICE}", "{BOB}"]
dead_phones = {{ failures = 2, within = 10, rest = 5, then = "THEN" }}
"""
MINUTE = 60_000
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class Office:
    """A plan of two phones; every call comes a minute after the one before."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.services: Services = app.extensions[EXTENSION]
        self.at = Line(app).at

    def call(self, dead: tuple[str, ...] = (ALICE,), *, minutes: float = 1) -> list[str]:
        """Let somebody call who talks to the first phone that is alive; return who rang."""
        line = self.begin(minutes)
        rung = rings(line.reply)
        while rung[-1] in dead and (more := rings(line.action("failed", "NETWORK_OUT_OF_ORDER", rang="false"))):
            rung += more
        if rung[-1] not in dead:
            line.action("completed", DialBLegUUID="b")
        line.hangup()
        self.at = line.at
        return rung

    def begin(self, minutes: float = 1) -> Line:
        self.at += timedelta(minutes=minutes)
        self.look()
        return Line(self.app, at=self.at).answer()

    def look(self) -> None:
        """Read the states, as the job does every second."""
        refresh(self.services.live, read_targets(self.services.store), now=round(self.at.timestamp() * 1000))

    def down_since(self) -> int | None:
        """Return since when the store knows that Alice's phone is dead."""
        [state] = [state for state in read_targets(self.services.store) if state.target == ALICE]
        return state.down_since

    def events(self) -> list[tuple[str, Any]]:
        with self.services.store.engine.connect() as connection:
            rows = connection.execute(select(outbox.c.type, outbox.c.body).where(outbox.c.type.startswith("target.")))
            return [(row.type, json.loads(row.body)["target"]) for row in rows]


OpenOffice = Callable[..., Office]


@pytest.fixture
def open_office(make_app: App, database_url: str) -> OpenOffice:
    """Return a function that makes an application with a plan; all share one store, as nodes do."""

    def make(plan: str, **settings: str) -> Office:
        return Office(make_app(plan, DATABASE_URL=database_url, SECRET_KEY="a-made-up-key-of-all-nodes", **settings))

    return make


@pytest.fixture(params=["last", "never"])
def office(open_office: OpenOffice, request: pytest.FixtureRequest) -> Office:
    events = {"EVENTS_URL": "http://127.0.0.1:9/", "EVENTS_SECRET": SECRET}
    return open_office(PLAN.replace("THEN", request.param), **events)


def test_a_dead_phone_costs_any_caller_at_most_one_ring_and_comes_back(office: Office) -> None:
    assert [office.call() for _ in range(5)] == [[ALICE, BOB], [ALICE, BOB], [BOB], [BOB], [BOB]]
    assert office.events() == [("target.down", ALICE)]
    # After its rest one call tries it; it is still dead and rests again.
    assert [office.call(minutes=3), office.call(), office.call()] == [[ALICE, BOB], [BOB], [BOB]]
    # The next trial succeeds.
    assert [office.call(dead=(), minutes=6), office.call(dead=())] == [[ALICE], [ALICE]]
    assert sorted(office.events()) == [("target.down", ALICE), ("target.up", ALICE)]


def test_one_call_at_a_time_tries_a_dead_phone(office: Office) -> None:
    for _ in range(2):
        office.call()
    first = office.begin(minutes=6)
    # The second call of the same moment has the same snapshot: the store decides between them.
    second = Line(office.app, at=office.at).answer()
    again = Line(office.app, call_uuid=first.call_uuid, at=office.at).answer()
    third = office.begin(minutes=1)

    assert [rings(line.reply) for line in (first, second, again, third)] == [[ALICE], [BOB], [ALICE], [BOB]]
    first.action("no-answer")
    assert rings(office.begin(minutes=1).reply) == [ALICE]


def test_of_all_calls_on_two_nodes_at_one_moment_one_tries_a_dead_phone(open_office: OpenOffice) -> None:
    nodes = [open_office(PLAN.replace("THEN", "last")) for _ in range(2)]
    nodes[0].call()
    nodes[1].call(minutes=2)
    for turn in range(4):
        at = max(node.at for node in nodes) + timedelta(minutes=6)
        for node in nodes:
            node.at = at
            node.look()
        lines = [Line(node.app, at=at) for node in nodes for _ in range(4)]
        with ThreadPoolExecutor(len(lines)) as pool:
            rung = [rings(line.reply) for line in pool.map(Line.answer, lines)]
        assert sorted(rung) == [[ALICE]] + [[BOB]] * 7
        # The report comes to either node; the phone is still dead.
        trial = lines[rung.index([ALICE])]
        trial.app = nodes[turn % 2].app
        assert rings(trial.action("failed", "NETWORK_OUT_OF_ORDER", rang="false")) == [BOB]
        assert [rings(node.begin().reply) for node in nodes] == [[BOB], [BOB]]


def test_a_sign_of_life_on_one_node_revives_the_phone_on_all(open_office: OpenOffice) -> None:
    nodes = [open_office(PLAN.replace("THEN", "never")) for _ in range(2)]
    nodes[0].call()
    nodes[1].call(minutes=2)

    assert nodes[0].down_since() is not None
    assert nodes[0].call() == [BOB]
    assert nodes[1].call(dead=(), minutes=9) == [ALICE]
    assert nodes[1].down_since() is None
    assert nodes[0].call(dead=(), minutes=9) == [ALICE]


def test_a_trial_whose_caller_leaves_is_open_to_the_next_call(office: Office) -> None:
    for _ in range(2):
        office.call()
    first = office.begin(minutes=6)
    first.action("cancel", "ORIGINATOR_CANCEL")

    assert rings(office.begin(minutes=1).reply) == [ALICE]


def test_where_all_are_dead_all_ring(office: Office) -> None:
    for _ in range(2):
        office.call(dead=(ALICE, BOB))

    assert office.call(dead=(ALICE, BOB)) == [ALICE, BOB]


def test_other_outcomes_between_failures_keep_a_phone_alive(office: Office) -> None:
    office.call()
    office.call(dead=())

    assert [office.call(), office.call(dead=())] == [[ALICE, BOB], [ALICE]]


def test_failures_far_apart_keep_a_phone_alive(office: Office) -> None:
    assert [office.call(minutes=12) for _ in range(4)] == [[ALICE, BOB]] * 4


def test_of_several_that_ring_together_the_legs_tell_who_is_dead(open_office: OpenOffice) -> None:
    office = open_office(PLAN.replace('order = "in_turn"', "").replace("THEN", "last"))
    for _ in range(2):
        line = office.begin()
        line.leg("hangup", "alice", DialBLegTo=ALICE, DialBLegHangupCauseCode="2020")
        line.leg("hangup", "bob", DialBLegTo=BOB, DialBLegHangupCauseCode="3000")
        line.action("no-answer")
        line.hangup()

    assert rings(office.begin().reply) == [BOB]


def test_who_talks_is_busy_and_who_talked_is_idle_since_then(open_office: OpenOffice) -> None:
    plan = f'[routes.main.steps.team]\nring = ["{ALICE}", "{BOB}"]\nbusy_targets = "skip"\norder = "longest_idle"'
    office = open_office(plan)
    line = office.begin()
    [first] = rings(line.reply)
    line.leg("answer", "b", DialBLegTo=first)
    line.leg("connected", "b", DialBLegTo=first)
    [other] = {ALICE, BOB} - {first}
    second = office.begin()

    assert rings(second.reply) == [other]
    assert rings(second.action("busy")) == []
    line.leg_ends(4000, seconds=20, source="Callee")
    line.action("completed", DialBLegUUID=f"b-{line.call_uuid}")
    line.hangup()
    third = office.begin()
    assert rings(third.reply) == [other]
    third.action("completed", DialBLegUUID="b")
    third.hangup()
    assert rings(office.begin().reply) == [first]


def test_a_plan_that_watches_nobody_keeps_no_states(open_office: OpenOffice) -> None:
    office = open_office(PLAN.replace("dead_phones", "# "))
    office.call()

    with office.services.store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM target_states")).scalar() == 0


@pytest.mark.parametrize(
    ("reports", "down_since"),
    [
        ([("fail", 1), ("fail", 2)], 2),
        ([("fail", 2), ("fail", 1)], 2),
        ([("fail", 1), ("fail", 1)], None),
        ([("fail", 1), ("reach", 2), ("fail", 3)], None),
        ([("fail", 3), ("fail", 1), ("reach", 2)], 3),
        ([("reach", 5), ("fail", 1), ("fail", 2)], None),
        ([("fail", 1), ("fail", 2), ("reach", 3)], None),
        ([("fail", 1), ("fail", 12)], None),
        ([("fail", 1), ("fail", 12), ("fail", 13)], 13),
    ],
)
def test_reports_in_any_order_tell_whether_a_phone_is_dead(
    reports: list[tuple[str, int]], down_since: int | None
) -> None:
    state = TargetState(ALICE)
    for word, minute in reports:
        if word == "fail":
            state.fail(minute * MINUTE, DeadRule(2, 10 * MINUTE))
        else:
            state.reach(minute * MINUTE)

    assert state.down_since == (None if down_since is None else down_since * MINUTE)


def test_a_target_taken_out_rings_nowhere_until_it_is_back_in(open_office: OpenOffice) -> None:
    office, other = (open_office(PLAN.replace("dead_phones", "# ")) for _ in range(2))
    runner = add_commands(office.app).test_cli_runner()

    out = [runner.invoke(args=["plan", "out", ALICE], catch_exceptions=False).output for _ in range(2)]
    rung = [rings(node.begin().reply) for node in (office, other)]
    listed = runner.invoke(args=["plan", "targets"]).output
    checked = check_targets(office.services)
    back = [runner.invoke(args=["plan", "in", ALICE]).output for _ in range(2)]
    logged = runner.invoke(args=["access", "log"], catch_exceptions=False).output

    assert out == [f"{ALICE} does not ring any more.\n", f"{ALICE} was out already.\n"]
    assert rung == [[BOB], [BOB]]
    assert re.search(rf"\{ALICE} +out, by cli +20", listed)
    assert (checked.ok, checked.said) == (False, "taken out by hand: …0111")
    assert back == [f"{ALICE} rings again.\n", f"{ALICE} was not out.\n"]
    assert [rings(node.begin().reply) for node in (office, other)] == [[ALICE], [ALICE]]
    assert check_targets(office.services).ok
    # What changed nothing is not logged.
    assert re.findall(r"cli +(target\.\w+) +(\S+)", logged) == [("target.in", ALICE), ("target.out", ALICE)]


def test_the_page_doctor_and_metrics_say_who_is_dead(office: Office) -> None:
    for _ in range(2):
        office.call()
    office.look()
    client = office.app.test_client()
    client.get(f"/login?token={REPORTS_TOKEN}")
    metrics = client.get("/metrics", headers={"Authorization": f"Bearer {REPORTS_TOKEN}"}).text

    assert "1 phone is dead" in client.get("/").text
    assert "…0111" in check_targets(office.services).said
    assert "dialstatus_targets_down 1" in metrics
    assert "dialstatus_targets_out 0" in metrics


@pytest.mark.parametrize("target", ["4155550111", "desk"])
def test_what_is_no_target_cannot_be_taken_out(make_app: App, target: str) -> None:
    refused = add_commands(make_app()).test_cli_runner().invoke(args=["plan", "out", target])

    assert refused.exit_code == 2
    assert "write a number with +" in refused.output
