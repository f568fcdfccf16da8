"""The wire breaks as it is told to, and what it breaks is excused."""

import pytest

from app.simulator.ground_truth import RequestKind
from app.simulator.wire.faults import FaultError, FaultKind, parse_fault
from tests.simulator.conftest import Player
from tests.simulator.stage import Says, Stage


@pytest.mark.parametrize(
    ("text", "kind", "kinds", "probability", "seconds"),
    [
        ("lost:action@0.1", FaultKind.LOST, {RequestKind.ACTION}, 0.1, 0),
        ("duplicate:callback", FaultKind.DUPLICATE, {RequestKind.CALLBACK}, 1, 0),
        ("slow:2s", FaultKind.SLOW, set(RequestKind), 1, 2),
        ("slow:action:50ms@0.5", FaultKind.SLOW, {RequestKind.ACTION}, 0.5, 0.05),
        ("unsigned", FaultKind.UNSIGNED, set(RequestKind), 1, 0),
        ("reorder", FaultKind.REORDER, {kind for kind in RequestKind if kind.is_notice}, 1, 0),
    ],
)
def test_a_fault_is_read(
    text: str, kind: FaultKind, kinds: set[RequestKind], probability: float, seconds: float
) -> None:
    fault = parse_fault(text)

    assert (fault.kind, set(fault.requests)) == (kind, kinds)
    assert (fault.probability, fault.seconds) == (probability, seconds)


@pytest.mark.parametrize("text", ["", "gone", "lost:everything", "lost@2", "lost@x", "slow", "slow:fast", "lost:@1"])
def test_a_fault_that_cannot_be_read_says_what_to_write(text: str) -> None:
    with pytest.raises(FaultError, match="write"):
        parse_fault(text)


def test_a_lost_action_drops_the_caller_and_is_excused(stage: Stage, player: Player) -> None:
    call = player.play("busy", faults=("lost:action",))

    assert stage.told("/action/") == []
    assert call.end is not None
    assert call.end.code == 7012
    assert call.is_right
    assert not call.reached(RequestKind.ACTION, "0")


def test_a_lost_notice_leaves_the_rest_of_the_call_alone(stage: Stage, player: Player) -> None:
    player.play("answered", faults=("lost:callback",))

    assert [heard.path for heard in stage.heard] == ["/", "/action/", "/hangup/"]


def test_a_duplicate_is_the_same_request_again(stage: Stage, player: Player) -> None:
    player.play("answered", faults=("duplicate",))

    bodies = [heard.body for heard in stage.heard]
    assert bodies[::2] == bodies[1::2]
    assert len(bodies) == 12


def test_another_reply_to_a_copy_of_the_action_is_wrong(stage: Stage, player: Player) -> None:
    stage.replies["/action/"] = [Says(), Says(body="<Response><Hangup/></Response>")]

    call = player.play("busy", faults=("duplicate:action",))

    assert "another document" in call.verdicts[0].reason
    assert not call.is_right


def test_a_late_hangup_comes_after_all_else(stage: Stage, player: Player) -> None:
    call = player.play("no-hangup-url", faults=("late:callback",))

    assert [heard.path for heard in stage.heard][-3:] == ["/callback/"] * 3
    assert call.is_right


def test_reordered_notices_all_arrive(stage: Stage, player: Player) -> None:
    in_order = ["DialAnswer", "DialConnected", "DialHangup", "Hangup"]
    orders = []
    for seed in range(5):
        stage.heard.clear()
        player.play("answered", faults=("reorder",), seed=seed)
        orders.append([heard.params["Event"] for heard in stage.heard if heard.path in {"/callback/", "/hangup/"}])

    assert all(sorted(order) == in_order for order in orders)
    assert any(order != in_order for order in orders)


def test_a_disconnect_is_tried_again_and_the_call_goes_on(stage: Stage, player: Player) -> None:
    call = player.play("busy", faults=("disconnect",))

    assert call.is_right
    assert call.end is not None
    assert call.end.code == 4010
    assert len(stage.told("/hangup/")) >= 1


@pytest.mark.parametrize("fault", ["unsigned:action", "bad-signature:action"])
def test_a_refused_forgery_is_excused(stage: Stage, player: Player, fault: str) -> None:
    stage.replies["/action/"] = Says(status=403)

    assert player.play("busy", faults=(fault,)).is_right


@pytest.mark.parametrize("fault", ["unsigned:action", "bad-signature:action"])
def test_an_accepted_forgery_is_remarked_upon(player: Player, fault: str) -> None:
    assert "accepted a request" in player.play("busy", faults=(fault,)).remarks[0]


def test_a_slow_wire_changes_nothing(stage: Stage, player: Player) -> None:
    player.play("busy", faults=("slow:1ms",))

    assert [heard.path for heard in stage.heard] == ["/", "/callback/", "/action/", "/hangup/"]
