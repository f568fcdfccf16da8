"""Calls that go out: placed through the API, or dialled by one of our own SIP endpoints."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.plan.document import document
from app.plan.next import after, start
from app.plan.snapshot import Snapshot
from app.voice.outcome import Outcome
from tests.plan.support import MONDAY_TEN, URLS, first, in_short, inbound, outbound, plan_of, problems_of
from tests.server.calls import inbound as inbound_request
from tests.server.calls import new_uuid
from tests.support.server import Server

OURS = "+14155550100"
OUR_SPELLINGS = [OURS, "14155550100", "0014155550100", "+1 (415) 555-0100", "sip:+14155550100@carrier.example"]


# --- E3: a call that the API placed: From is our number, To the person called.

BY_NUMBERS = plan_of("""
    [routes.sales]
    called = ["+14155550100"]
    blocked = { callers = ["+14155550100", "anonymous"] }
    hours = { time_zone = "UTC", tuesday = ["09:00-17:00"], otherwise = "hangup" }
    steps = { a = { ring = ["+14155550111"] } }
    """)


@pytest.mark.parametrize("ours", OUR_SPELLINGS)
def test_e3_an_outgoing_call_takes_the_route_of_from_and_passes_blocked_and_hours(ours: str) -> None:
    assert first(BY_NUMBERS, outbound("+442071838750", ours)) == "a: +14155550111"
    assert first(BY_NUMBERS, outbound("+442071838750", ours)._replace(direction="Outbound")) == "a: +14155550111"


def test_e3_an_incoming_call_meets_hours_and_block_list() -> None:
    assert first(BY_NUMBERS, inbound(OURS)) == "hangup"
    assert first(BY_NUMBERS, inbound(OURS, "anonymous")) == "rejected"


def test_e3_an_outgoing_call_from_a_number_without_a_route_hears_no_apology() -> None:
    assert first(BY_NUMBERS, outbound("+442071838750", "+14155550177")) == "hangup"
    assert first(BY_NUMBERS, inbound("+14155550177")) == "nobody"


def test_e3_the_person_called_is_not_rung_again() -> None:
    assert first(BY_NUMBERS, outbound("+14155550111")) == "nobody"


def test_e3_a_server_connects_an_outgoing_call_by_the_route_of_its_from(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text("""
        [routes.sales]
        called = ["+14155550100"]
        blocked = { callers = ["+1415*"] }
        steps = { a = { ring = ["+14155550111"] } }
        """)
    server = start_server(DIAL_PLAN=plan)
    placed = inbound_request(
        new_uuid(), Direction="outbound", From="+14155550100", To="442071838750", CallStatus="in-progress"
    )

    reply = server.plivo("POST", "/dialstatus/", placed)

    assert "<Number>+14155550111</Number>" in reply.body


# --- E4: one of our own SIP endpoints dials a number.

DIALLING = """
    [routes.dialling]
    callers = ["sip:web1@phone.plivo.com"]
    may_dial = ["+44", "+1415"]
    caller_id = "+14155550100"
    ending = "hangup"
    steps = { out = { ring = ["dialled"] } }
    [routes.office]
    called = ["+14155550100"]
    steps = { desk = { ring = ["+14155550111"] } }
    """
WEB1 = "sip:web1@phone.plivo.com"


@pytest.mark.parametrize("called", ["442071838750", "+442071838750", "00442071838750"])
def test_e4_an_endpoint_of_ours_is_connected_to_the_number_it_dialled(called: str) -> None:
    plan = plan_of(DIALLING)

    decision = start(plan, inbound(called, WEB1), Snapshot(now=MONDAY_TEN))

    assert in_short(decision) == "out: +442071838750"
    assert "<Number>+442071838750</Number>" in document(decision, URLS)
    assert 'callerId="+14155550100"' in document(decision, URLS)


@pytest.mark.parametrize(
    ("called", "caller"),
    [
        ("442071838750", "sip:web2@phone.plivo.com"),
        ("442071838750", "sip:web1@phone.plivo.com.example.com"),
        ("442071838750", "sip:web1@pbx.example.com"),
        ("442071838750", "+14155550123"),
        ("442071838750", "anonymous"),
        ("442071838750", None),
    ],
)
def test_e4_a_stranger_cannot_dial_out(called: str, caller: str | None) -> None:
    plan = plan_of(DIALLING)
    stranger = inbound(called, caller)

    later = after(
        plan,
        plan.routes["dialling"],
        "gone",
        Outcome.MISSED,
        Snapshot(now=MONDAY_TEN),
        call=stranger,
        elapsed_seconds=9,
        rounds=1,
    )

    assert first(plan, stranger) == "nobody"
    assert in_short(later) == "hangup"
    assert first(plan, stranger._replace(direction="outbound")) == "hangup"


@pytest.mark.parametrize(
    "called", ["+4930123456", "+9", "112", "", None, "sip:+442071838750@carrier.example", "dialled"]
)
def test_e4_only_numbers_with_a_listed_prefix_are_dialled(called: str | None) -> None:
    assert first(plan_of(DIALLING), inbound(called, WEB1)) == "hangup"


def test_e4_an_endpoint_that_dials_a_number_of_ours_gets_the_route_of_that_number() -> None:
    assert first(plan_of(DIALLING), inbound("14155550100", WEB1)) == "desk: +14155550111"


@pytest.mark.parametrize("missing", ["callers", "may_dial"])
def test_e4_dialled_without_endpoints_or_prefixes_is_refused(missing: str) -> None:
    lines = [line for line in DIALLING.splitlines() if f"{missing} =" not in line]

    assert (
        "plan.toml [routes.dialling.steps.out]: ring has dialled, which needs callers and may_dial in its route; "
        "write which SIP endpoints of yours may dial which prefixes"
    ) in problems_of("\n".join(lines))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('callers = ["sip:*@phone.plivo.com"]', "callers entry 1: 'sip:*@phone.plivo.com' is no SIP endpoint of yours"),
        ('callers = ["sip:bob@pbx.example.com"]', "callers entry 1: 'sip:bob@pbx.example.com' is no SIP endpoint"),
        ('callers = ["+14155550123"]', "callers entry 1: '+14155550123' is no SIP endpoint of yours"),
        ("callers = []", "callers is empty; write at least one"),
        ('may_dial = ["*"]', "may_dial entry 1: '*' is no prefix; write + and the first digits"),
        ('may_dial = ["+"]', "may_dial entry 1: '+' is no prefix"),
        ('may_dial = [""]', "may_dial entry 1: '' is no prefix"),
        ("may_dial = []", "may_dial is empty; write at least one"),
    ],
)
def test_e4_callers_are_single_endpoints_and_prefixes_begin_with_a_country(line: str, problem: str) -> None:
    key = line.partition(" ")[0]
    lines = [f"    {line}" if row.strip().startswith(f"{key} =") else row for row in DIALLING.splitlines()]

    assert any(problem in sentence for sentence in problems_of("\n".join(lines)))


def test_e4_a_server_connects_a_call_of_its_own_endpoint(start_server: Callable[..., Server], tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(DIALLING)
    server = start_server(DIAL_PLAN=plan)

    own = server.plivo("POST", "/dialstatus/", inbound_request(new_uuid(), From=WEB1, To="442071838750"))
    other = server.plivo(
        "POST", "/dialstatus/", inbound_request(new_uuid(), From="sip:web2@phone.plivo.com", To="442071838750")
    )

    assert "<Number>+442071838750</Number>" in own.body
    assert "<Dial" not in other.body
