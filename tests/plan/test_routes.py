"""Which route a call takes, and which callers get through."""

import pytest

from app.plan.callers import Blocked
from app.voice.numbers import is_anonymous
from tests.plan.support import inbound, plan_of

PLAN = plan_of("""
[routes.office]
called = ["+14155550100", "+14155550101"]
steps = { a = { ring = ["+14155550111"] } }
[routes.sip]
called = ["sip:front@phone.plivo.com"]
steps = { a = { ring = ["+14155550111"] } }
[routes.rest]
called = ["*"]
steps = { a = { ring = ["+14155550111"] } }
""")
WITHOUT_REST = plan_of("""
[routes.office]
called = ["+14155550100"]
steps = { a = { ring = ["+14155550111"] } }
""")


@pytest.mark.parametrize(
    ("called", "route"),
    [
        ("+14155550100", "office"),
        ("14155550101", "office"),
        ("0014155550101", "office"),
        ("sip:14155550101@carrier.example", "office"),
        ("sip:front@phone.plivo.com;transport=tcp", "sip"),
        ("sip:front@PHONE.plivo.com", "sip"),
        ("+14155550199", "rest"),
        ("", "rest"),
        (None, "rest"),
        ("*", "rest"),
        ("\x00", "rest"),
    ],
)
def test_a_called_number_finds_its_route_however_plivo_writes_it(called: str | None, route: str) -> None:
    assert PLAN.route_for(inbound(called)).name == route


def test_a_number_that_no_route_serves_goes_to_nobody() -> None:
    route = WITHOUT_REST.route_for(inbound("+14155550199"))

    assert (route.first_step, route.ending) == (None, "nobody")


def test_a_call_keeps_its_route_and_one_that_is_gone_is_looked_up_again() -> None:
    assert PLAN.route_named("sip", inbound()).name == "sip"
    assert PLAN.route_named("gone", inbound()).name == "office"


BLOCKED = Blocked(callers=("+1900*", "+14155550166", "sip:bot@example.com", "anonymous"))


@pytest.mark.parametrize(
    "caller",
    [
        "+19005550100",
        "19005550100",
        "+14155550166",
        "sip:+14155550166@carrier.example",
        "sip:bot@EXAMPLE.com",
        "anonymous",
        "Anonymous",
        "sip:anonymous@anonymous.invalid",
        "Restricted",
        "0019005550100",
        "sip:0014155550166@carrier.example",
        "266696687",
        "7378742833",
        "+17378742833",
        "8628245225",
        "86282452253",
        "8656696",
        "",
        None,
    ],
)
def test_a_blocked_caller_is_known_in_every_spelling(caller: str | None) -> None:
    assert BLOCKED.names(inbound(caller=caller))


@pytest.mark.parametrize("caller", ["+14155550167", "+1415555016", "+91900555010", "sip:bot@example.org", "1900"])
def test_others_get_through(caller: str) -> None:
    assert not BLOCKED.names(inbound(caller=caller))


def test_an_anonymous_caller_gets_through_where_only_numbers_are_blocked() -> None:
    assert is_anonymous("anonymous")
    assert not Blocked(callers=("+1900*",)).names(inbound(caller="anonymous"))
