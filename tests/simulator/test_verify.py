"""The server's records are compared with what happened, as far as the server could know."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.simulator.ground_truth import CallTruth, DialTruth
from app.simulator.reports_api import ReportsApi, ReportsApiError
from app.simulator.verify import allowed_outcomes, compare
from app.simulator.wire.transport import Transport
from app.voice.outcome import Outcome
from tests.simulator.conftest import Player
from tests.simulator.scripted_server import ScriptedReply, ScriptedServer, dial_xml


def dial_of(dial: DialTruth) -> dict[str, Any]:
    winner = dial.winner
    return {
        "dial_id": f"dial-{dial.number}",
        "dial_status": dial.status,
        "dial_ring_status": dial.rang,
        "dial_hangup_cause": dial.cause,
        "b_leg_uuid": dial.b_leg_uuid or None,
        "outcome": min(dial.outcomes),
        "talk_seconds": winner.seconds if winner else 0,
        "ring_seconds": None,
        "deliveries": 1,
        "hangup_code": (winner or dial.legs[0]).end.code,  # type: ignore[union-attr]
        "started_at": f"2026-01-01T00:00:{dial.number:02d}Z",
    }


def record_of(call: CallTruth) -> dict[str, Any]:
    """Return the record of a server that got everything."""
    return {
        "call": {
            "call_status": call.end.call_status if call.end else None,
            "hangup_code": call.end.code if call.end else None,
            "duration": call.seconds,
        },
        "dials": [dial_of(dial) for dial in call.dials],
        "legs": [
            {
                "b_leg_uuid": leg.b_leg_uuid,
                "dial_id": f"dial-{dial.number}",
                "hangup_code": leg.end.code,
                "duration": leg.seconds,
            }
            for dial in call.dials
            for leg in dial.legs
            if leg.end
        ],
        "receipts": [
            {"kind": sent.kind.value, "deliveries": 1, "received_at": "2026-01-01T00:00:00Z"} for sent in call.requests
        ],
    }


@pytest.mark.parametrize("name", ["answered", "busy", "caller-gives-up", "unregistered", "outbound"])
def test_a_perfect_record_has_no_difference(player: Player, name: str) -> None:
    call = player.play(name)

    assert compare(call, record_of(call)) == []


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda record: record["dials"][0].update(outcome="busy"), "outcome"),
        (lambda record: record["dials"][0].update(dial_status="busy"), "dial_status"),
        (lambda record: record["dials"][0].update(dial_ring_status=None), "dial_ring_status"),
        (lambda record: record["dials"][0].update(b_leg_uuid=None), "b_leg_uuid"),
        (lambda record: record["dials"][0].update(talk_seconds=94), "talk_seconds"),
        (lambda record: record["legs"][0].update(hangup_code=9000), "hangup_code"),
        (lambda record: record["dials"][0].update(deliveries=0), "deliveries"),
        (lambda record: record["legs"].clear(), "record"),
        (lambda record: record["dials"].clear(), "dials"),
        (lambda record: record["call"].update(call_status="in-progress"), "call_status"),
        (lambda record: record["call"].update(duration=1), "duration"),
        (lambda record: record["call"].update(hangup_code=4000), "hangup_code"),
        (lambda record: record["receipts"].pop(), "hangup"),
    ],
)
def test_every_difference_is_found(player: Player, change: Change, field: str) -> None:
    call = player.play("answered")
    record = record_of(call)
    change(record)

    assert [difference.field for difference in compare(call, record)] == [field]


def test_dials_are_matched_by_their_legs_in_any_order(server: ScriptedServer, player: Player) -> None:
    server.replies["/action/"] = [server.replies["/"], server.replies["/"], ScriptedReply()]  # type: ignore[list-item]
    call = player.play("second-dial-answers")
    record = record_of(call)
    for dial in record["dials"]:
        dial["started_at"] = "2026-01-01T00:00:00Z"
    record["dials"].reverse()

    assert len(call.dials) == 3
    assert compare(call, record) == []


def test_a_call_without_a_record_is_a_difference(player: Player) -> None:
    assert [difference.field for difference in compare(player.play("busy"), None)] == ["record"]


def test_a_call_that_never_arrived_needs_no_record(player: Player) -> None:
    assert compare(player.play("busy", faults=("lost",)), None) == []


@pytest.mark.parametrize(
    ("faults", "allowed"),
    [
        ((), {Outcome.BUSY}),
        (("lost:callback",), {Outcome.BUSY}),
        (("lost:action",), {Outcome.BUSY}),
        (("lost:action", "lost:hangup"), set(Outcome)),
        (("lost:action", "lost:callback"), set(Outcome) - {Outcome.IN_PROGRESS}),
    ],
)
def test_the_allowed_outcomes_follow_from_what_arrived(
    player: Player, faults: tuple[str, ...], allowed: set[Outcome]
) -> None:
    call = player.play("busy", faults=faults)

    assert allowed_outcomes(call, call.dials[0]) == allowed


def test_ringing_is_compared_on_the_simulated_clock(player: Player) -> None:
    call = player.play("answered")
    record = record_of(call)
    for receipt, sent in zip(record["receipts"], call.requests, strict=True):
        receipt["received_at"] = (call.begun_at + timedelta(seconds=sent.at)).isoformat()

    assert [difference.field for difference in compare(call, record)] == ["ring_seconds"]


@pytest.mark.parametrize(("recorded", "fields"), [(8, []), (None, []), (30, ["ring_seconds"])])
def test_a_greeting_does_not_count_as_ringing(
    server: ScriptedServer, player: Player, recorded: int | None, fields: list[str]
) -> None:
    server.replies["/"] = ScriptedReply(body=dial_xml(server).replace("<Dial", f"<Speak>{'Hello ' * 55}</Speak><Dial"))
    call = player.play("answered")
    record = record_of(call)
    record["dials"][0]["ring_seconds"] = recorded
    for receipt, sent in zip(record["receipts"], call.requests, strict=True):
        receipt["received_at"] = (call.begun_at + timedelta(seconds=sent.at)).isoformat()

    assert [difference.field for difference in compare(call, record)] == fields


def test_the_api_gets_the_reports_token(server: ScriptedServer) -> None:
    server.replies["/api/v1/calls/a"] = ScriptedReply(body=json.dumps({"call": {}}), content_type="application/json")

    assert ReportsApi(f"{server.url}/dialstatus/", "r", Transport()).fetch_call("a") == {"call": {}}
    assert server.received[0].headers["Authorization"] == "Bearer r"


def test_a_record_of_more_than_100_kb_is_read_whole(server: ScriptedServer) -> None:
    record = {"call": {}, "receipts": [{"params": "x" * 1000}] * 400}
    server.replies["/api/v1/calls/a"] = ScriptedReply(body=json.dumps(record), content_type="application/json")

    assert ReportsApi(f"{server.url}/", "r", Transport()).fetch_call("a") == record


def test_the_api_is_below_the_path_of_the_answer_url(server: ScriptedServer) -> None:
    server.replies["/voice/api/v1/calls/a"] = ScriptedReply(body="{}", content_type="application/json")

    assert ReportsApi(f"{server.url}/voice/dialstatus/", "r", Transport()).fetch_call("a") == {}


def test_a_call_unknown_to_the_api_is_none(server: ScriptedServer) -> None:
    server.replies["/api/v1/calls/a"] = ScriptedReply(status=404)

    assert ReportsApi(f"{server.url}/", "r", Transport()).fetch_call("a") is None


@pytest.mark.parametrize("body", ["OK", "[]", '{"call"'])
def test_an_api_without_a_json_object_is_reported(server: ScriptedServer, body: str) -> None:
    server.replies["/api/v1/calls/a"] = ScriptedReply(body=body, content_type="application/json")

    with pytest.raises(ReportsApiError, match="JSON object"):
        ReportsApi(f"{server.url}/", "r", Transport()).fetch_call("a")


@pytest.mark.parametrize(("status", "said"), [(401, "REPORTS_TOKEN"), (500, "500")])
def test_a_refusal_of_the_api_names_the_remedy(server: ScriptedServer, status: int, said: str) -> None:
    server.replies["/api/v1/calls/a"] = ScriptedReply(status=status)

    with pytest.raises(ReportsApiError, match=said):
        ReportsApi(f"{server.url}/", "r", Transport()).fetch_call("a")
