"""Targets in turn, webhook by webhook: each is a dial of its own, and a repeated report gets the same reply."""

import re

import pytest

from tests.field.conftest import ALICE, BOB, App, Line

PLAN = f"""
[routes.main.steps.team]
order = "ORDER"
ring = ["{ALICE}", "{BOB}"]
timeout = 15
skip = ["rejected"]
[routes.main.steps.all]
ring = ["{ALICE}", "{BOB}"]
skip = ["rejected"]
"""


def rings(reply: str) -> list[str]:
    return re.findall(r"<Number>(.*?)</Number>", reply)


def test_targets_ring_in_turn_each_in_a_dial_of_its_own(make_app: App) -> None:
    line = Line(make_app(PLAN.replace("ORDER", "in_turn"))).answer()
    rung = [
        rings(line.reply),
        rings(line.action("no-answer")),
        rings(line.action("busy")),
        rings(line.action("failed")),
    ]
    line.hangup()

    assert rung == [[ALICE], [BOB], [ALICE, BOB], []]
    assert [(dial["step"], dial["targets"], dial["outcome"]) for dial in line.dials] == [
        ("team", [ALICE], "missed"),
        ("team", [BOB], "busy"),
        ("all", [ALICE, BOB], "failed"),
    ]


def test_who_declined_is_not_rung_again_in_a_later_step(make_app: App) -> None:
    line = Line(make_app(PLAN.replace("ORDER", "in_turn"))).answer()
    line.action("no-answer", "CALL_REJECTED")

    assert rings(line.action("no-answer")) == [BOB]


@pytest.mark.parametrize("order", ["shuffled", "rotating", "longest_idle"])
def test_a_repeated_report_gets_the_same_reply(make_app: App, order: str) -> None:
    app = make_app(PLAN.replace("ORDER", order))
    for _ in range(5):
        line = Line(app).answer()
        again = line.post("/dialstatus/", **line.standard("ringing"), Event="StartApp")
        target = line.url("action")
        params = {**line.standard("in-progress"), "DialStatus": "no-answer", "DialBLegUUID": ""}
        replies = {line.post(target, **params) for _ in range(3)}

        assert again == line.reply
        assert len(replies) == 1
        assert rings(again) + rings(replies.pop()) in ([ALICE, BOB], [BOB, ALICE])


def test_rotating_calls_begin_with_each_target_in_turn(make_app: App) -> None:
    app = make_app(PLAN.replace("ORDER", "rotating"))

    assert [rings(Line(app).answer().reply) for _ in range(4)] == [[ALICE], [BOB], [ALICE], [BOB]]


def test_an_altered_turn_is_not_followed(make_app: App) -> None:
    line = Line(make_app(PLAN.replace("ORDER", "in_turn"))).answer()
    line.reply = line.reply.replace("&amp;turn=", "&amp;turn=00000000.")

    assert "Sorry, nobody" in line.action("no-answer")


def test_who_declined_among_several_is_taken_from_the_legs(make_app: App) -> None:
    plan = PLAN.replace("ORDER", "together")
    line = Line(make_app(plan)).answer()
    line.leg("hangup", "bob", DialBLegTo=BOB.removeprefix("+"), DialBLegHangupCauseCode="3020")

    assert rings(line.action("no-answer")) == [ALICE]
