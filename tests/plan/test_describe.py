"""A plan can be read as a tree, and a decision as a sentence."""

from app.plan.describe import describe_decision, describe_plan, describe_route
from app.plan.load import load_plan
from app.plan.next import End, Nothing, Ring, Why, after, start
from app.plan.snapshot import Snapshot
from app.voice.outcome import Outcome
from tests.plan.support import MONDAY_TEN, RECIPES, example_plans, inbound, plan_of


def test_a_route_is_drawn_as_a_tree() -> None:
    plan = load_plan(RECIPES / "office-hours.toml")

    assert describe_route(plan, plan.routes["office"]) == (
        "office: calls to +14155550100\n"
        "├─ blocked: +1900*, +14155550166, anonymous → rejected: hang up as rejected\n"
        "├─ open in America/Los_Angeles\n"
        "│    monday 09:00-12:30, 13:30-18:00\n"
        "│    tuesday 09:00-12:30, 13:30-18:00\n"
        "│    wednesday 09:00-12:30, 13:30-18:00\n"
        "│    thursday 09:00-12:30, 13:30-18:00\n"
        "│    friday 09:00-15:00\n"
        "│    else → message\n"
        "├─ front_desk: +14155550111 and +14155550112 for 20 s\n"
        "│    else → at last\n"
        "│    answered or caller_gave_up → the call is over\n"
        "└─ at last, or after 10 dials or 300 s: message: hear “Our office is closed at the moment. Please leave "
        "your name and your number after the tone.”, then leave a message of up to 120 s"
    )


def test_a_plan_shows_every_route_step_and_lead() -> None:
    for _, plan in example_plans():
        drawn = describe_plan(plan)
        for route in plan.routes.values():
            assert f"{route.name}: calls to " in drawn
            for step in route.steps.values():
                first = step.ring[0].address.replace("dialled", "the dialled number")
                assert f"─ {step.name}: {first}" in drawn
                assert all(f"{outcome} → {name}" in drawn for outcome, name in step.after.items())


def test_a_step_names_what_is_shown_to_the_callee_and_how_long_they_may_talk() -> None:
    plan = plan_of("""
    [routes.main]
    caller_id = "+14155550199"
    [routes.main.steps.a]
    ring = ["+14155550111"]
    caller_name = "Shop"
    time_limit = 600
    """)

    assert describe_plan(plan).splitlines()[1:4] == [
        "├─ a: +14155550111 for 30 s",
        "│    shown to them: +14155550199, Shop",
        "│    talk for at most 600 s",
    ]


def test_a_key_that_plivos_reference_lacks_is_marked() -> None:
    plan = plan_of("""
    [routes.main.steps.a]
    ring = [{ number = "+14155550111", send_digits_mode = "rfc2833", caller_name = "Shop" }]
    machine_detection = true
    dial_music = [{ play = "https://example.com/hold.mp3" }, { pause = 2 }]
    """)

    assert describe_plan(plan).splitlines()[1:6] == [
        "├─ a: +14155550111 for 30 s",
        "│    meanwhile the caller hears https://example.com/hold.mp3, then 2 s of silence",
        "│    ! machine_detection is documented by Plivo's Go SDK alone",
        "│    ! send_digits_mode of +14155550111 is documented by some of Plivo's SDKs alone",
        "│    ! caller_name of +14155550111 is documented by Plivo's Node.js SDK alone",
    ]


def test_a_route_for_our_endpoints_says_what_they_may_dial() -> None:
    plan = plan_of("""
    [routes.out]
    callers = ["sip:web1@phone.plivo.com"]
    may_dial = ["+44", "+1415"]
    steps = { a = { ring = ["dialled"] } }
    """)

    assert describe_plan(plan).splitlines()[1:3] == [
        "├─ only for sip:web1@phone.plivo.com, who may dial +44, +1415…",
        "├─ a: the dialled number for 30 s",
    ]


def test_a_password_is_never_drawn() -> None:
    assert "correct horse" not in describe_plan(dict(example_plans())["every-attribute"])


def test_decisions_are_sentences() -> None:
    plan = load_plan(RECIPES / "ring-all.toml")
    route = plan.routes["main"]
    first = start(plan, inbound(), Snapshot(now=MONDAY_TEN))
    then = after(
        plan, route, "everybody", Outcome.MISSED, Snapshot(now=MONDAY_TEN), call=inbound(), elapsed_seconds=30, rounds=1
    )

    assert isinstance(first, Ring)
    assert isinstance(then, End)
    assert describe_decision(first) == (
        "hears “Welcome. This call is recorded.”, then rings everybody: "
        "+14155550111 and +14155550112 and sip:desk@phone.plivo.com for 30 s, recorded"
    )
    assert describe_decision(then) == (
        "gets the ending sorry: hear “All of us are busy. Please call again in a few minutes.”, then hang up "
        "(no step is left)"
    )
    assert describe_decision(Nothing()) == "gets nothing more: the call is over"


def test_every_reason_for_an_ending_has_words() -> None:
    plan = load_plan(RECIPES / "one-number.toml")
    sentences = {describe_decision(End(name="hangup", ending=plan.ending_named("hangup"), why=why)) for why in Why}

    assert len(sentences) == len(Why)
