"""The wire breaks as asked, and its own faults are excused."""

import pytest

from app.simulator.ground_truth import RequestKind
from app.simulator.wire.faults import FaultError, FaultKind, parse_fault
from tests.simulator.conftest import Player
from tests.simulator.scripted_server import ScriptedReply, ScriptedServer


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
def test_a_fault_is_parsed(
    text: str, kind: FaultKind, kinds: set[RequestKind], probability: float, seconds: float
) -> None:
    fault = parse_fault(text)

    assert (fault.kind, set(fault.requests)) == (kind, kinds)
    assert (fault.probability, fault.seconds) == (probability, seconds)


@pytest.mark.parametrize("text", ["", "gone", "lost:everything", "lost@2", "lost@x", "slow", "slow:fast", "lost:@1"])
def test_an_invalid_fault_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(FaultError, match="write"):
        parse_fault(text)


def test_a_lost_action_ends_the_call_and_is_excused(server: ScriptedServer, player: Player) -> None:
    call = player.play("busy", faults=("lost:action",))

    assert server.requests_to("/action/") == []
    assert call.end is not None
    assert call.end.code == 7012
    assert call.is_right
    assert not call.reached(RequestKind.ACTION, "0")


def test_a_lost_notice_leaves_the_rest_of_the_call_alone(server: ScriptedServer, player: Player) -> None:
    player.play("answered", faults=("lost:callback",))

    assert [received.path for received in server.received] == ["/", "/action/", "/hangup/"]


def test_a_duplicate_is_the_same_request_again(server: ScriptedServer, player: Player) -> None:
    player.play("answered", faults=("duplicate",))

    bodies = [received.body for received in server.received]
    assert bodies[::2] == bodies[1::2]
    assert len(bodies) == 12


def test_a_copy_of_the_action_must_get_the_same_reply(server: ScriptedServer, player: Player) -> None:
    server.replies["/action/"] = [ScriptedReply(), ScriptedReply(body="<Response><Hangup/></Response>")]

    call = player.play("busy", faults=("duplicate:action",))

    assert "another document" in call.verdicts[0].reason
    assert not call.is_right


def test_late_notices_arrive_last(server: ScriptedServer, player: Player) -> None:
    call = player.play("no-hangup-url", faults=("late:callback",))

    assert [received.path for received in server.received][-3:] == ["/callback/"] * 3
    assert call.is_right


def test_reordered_notices_all_arrive(server: ScriptedServer, player: Player) -> None:
    in_order = ["DialAnswer", "DialConnected", "DialHangup", "Hangup"]
    orders = []
    for seed in range(5):
        server.received.clear()
        player.play("answered", faults=("reorder",), seed=seed)
        orders.append(
            [received.params["Event"] for received in server.received if received.path in {"/callback/", "/hangup/"}]
        )

    assert all(sorted(order) == in_order for order in orders)
    assert any(order != in_order for order in orders)


def test_a_disconnected_request_is_retried_and_the_call_goes_on(server: ScriptedServer, player: Player) -> None:
    call = player.play("busy", faults=("disconnect",))

    assert call.is_right
    assert call.end is not None
    assert call.end.code == 4010
    assert len(server.requests_to("/hangup/")) >= 1


@pytest.mark.parametrize("fault", ["unsigned:action", "bad-signature:action"])
def test_a_refused_forgery_is_excused(server: ScriptedServer, player: Player, fault: str) -> None:
    server.replies["/action/"] = ScriptedReply(status=403)

    assert player.play("busy", faults=(fault,)).is_right


@pytest.mark.parametrize("fault", ["unsigned:action", "bad-signature:action"])
def test_an_accepted_forgery_is_a_remark(player: Player, fault: str) -> None:
    assert "accepted a request" in player.play("busy", faults=(fault,)).remarks[0]


def test_a_slow_wire_changes_nothing(server: ScriptedServer, player: Player) -> None:
    player.play("busy", faults=("slow:1ms",))

    assert [received.path for received in server.received] == ["/", "/callback/", "/action/", "/hangup/"]
