"""Decisions become documents that Plivo takes."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from app.plan.document import confirm_document, document, voicemail_taken_document
from app.plan.load import load_plan
from app.plan.model import Plan
from app.plan.next import End, Nothing, Why, start
from app.plan.snapshot import Snapshot
from app.voice import xml
from tests.plan.plivo_rules import ATTRIBUTES, broken_rules
from tests.plan.support import EXAMPLES, MONDAY_TEN, URLS, example_plans, inbound, plan_of, ring_of

PLANS = dict(example_plans())


def end_of(plan: Plan, name: str) -> End:
    return End(name=name, ending=plan.ending_named(name), why=Why.LED_HERE)


@pytest.mark.parametrize("name", PLANS)
def test_every_document_of_an_example_plan_keeps_plivos_rules(name: str) -> None:
    plan = PLANS[name]
    for route in plan.routes.values():
        for step in route.steps.values():
            assert broken_rules(document(ring_of(plan, route.name, step.name), URLS)) == []
            assert broken_rules(confirm_document(step), is_prompt=True) == []
    for ending_name in (*plan.endings, "nobody", "hangup", "busy", "rejected"):
        ending = end_of(plan, ending_name)
        assert broken_rules(document(ending, URLS)) == []
        assert broken_rules(voicemail_taken_document(ending.ending)) == []


def test_one_step_can_express_every_attribute_of_plivos_dial_number_and_user() -> None:
    plan = load_plan(EXAMPLES / "every-attribute.toml")

    root = ElementTree.fromstring(document(ring_of(plan, "full", "everything"), URLS))

    for tag in ("Dial", "Number", "User"):
        element = next(root.iter(tag))
        assert set(element.attrib) == set(ATTRIBUTES[tag])


def test_a_ring_greets_records_and_dials_in_this_order() -> None:
    plan = PLANS["ring-all"]

    written = document(start(plan, inbound(), Snapshot(now=MONDAY_TEN)), URLS)

    assert [element.tag for element in ElementTree.fromstring(written)] == ["Speak", "Record", "Dial"]
    record = ElementTree.fromstring(written)[1].attrib
    assert (record["startOnDialAnswer"], record["redirect"], "action" in record) == ("true", "false", False)
    assert record["callbackUrl"] == URLS.recording_url
    assert record["maxLength"] == "14400"


def test_a_dial_asks_our_urls_with_the_method_of_the_settings() -> None:
    plan = PLANS["one-number"]
    urls = replace(URLS, method="GET")

    dial = ElementTree.fromstring(document(ring_of(plan, "main", "phone"), urls))[0]

    assert dial.attrib == {
        "action": URLS.action_url,
        "method": "GET",
        "redirect": "true",
        "callbackUrl": URLS.callback_url,
        "callbackMethod": "GET",
        "timeout": "25",
        "timeLimit": "14400",
    }


@pytest.mark.parametrize(
    ("step", "sound"),
    [
        ("everything", URLS.confirm_url),
        ("own_sound", "https://example.com/sound.xml"),
        ("announced", URLS.confirm_url),
    ],
)
def test_the_callee_is_asked_by_us_or_by_the_plans_own_sound(step: str, sound: str) -> None:
    dial = next(ElementTree.fromstring(document(ring_of(PLANS["every-attribute"], "full", step), URLS)).iter("Dial"))

    assert dial.attrib["confirmSound"] == sound


@pytest.mark.parametrize(("key", "spoken"), [("1", "Press 1 to"), ("*", "Press star to"), ("#", "Press hash to")])
def test_a_confirm_key_without_a_sentence_is_asked_for_in_ours(key: str, spoken: str) -> None:
    plan = plan_of(f'[routes.main.steps.a]\nring = ["+14155550111"]\nconfirm_key = "{key}"')

    assert spoken in confirm_document(plan.routes["main"].steps["a"])


def test_a_step_that_is_gone_still_gets_the_callee_a_sentence() -> None:
    assert confirm_document(None) == "<Response><Speak>You have a call.</Speak></Response>"


def test_nothing_to_say_is_the_empty_response() -> None:
    assert document(Nothing(), URLS) == xml.EMPTY


@pytest.mark.parametrize(
    ("ending", "written"),
    [
        ("said", '<Speak voice="WOMAN" language="en-GB" loop="2">No &amp; never &lt;again&gt;.</Speak><Hangup/>'),
        ("played", '<Play loop="100">https://example.com/a.mp3?x=1&amp;y=2</Play><Hangup/>'),
        ("closed", "<Hangup/>"),
        ("busy", '<Hangup reason="busy"/>'),
        ("rejected", '<Hangup reason="rejected"/>'),
        ("redirected", '<Redirect method="GET">https://example.com/next/#rc=2&amp;rp=ct,rt,5xx</Redirect>'),
        (
            "taken",
            '<Speak>Speak.</Speak><Record action="https://a.example/dialstatus/voicemail/?dial=1" method="POST"'
            ' fileFormat="mp3" redirect="true" timeout="5" maxLength="120" playBeep="true" finishOnKey="#"'
            ' callbackUrl="https://a.example/dialstatus/recording/?dial=1" callbackMethod="POST"/>',
        ),
        ("nobody", "<Speak>A nobody of our own.</Speak><Hangup/>"),
    ],
)
def test_an_ending_is_written_as(ending: str, written: str) -> None:
    assert document(end_of(PLANS["every-ending"], ending), URLS) == f"<Response>{written}</Response>"


def test_after_a_message_the_caller_is_thanked_and_let_go() -> None:
    thanks = PLANS["one-after-another"].ending_named("message")
    silent = PLANS["every-ending"].ending_named("taken")

    assert voicemail_taken_document(thanks) == (
        "<Response><Speak>Thank you. We will call you back.</Speak><Hangup/></Response>"
    )
    assert voicemail_taken_document(silent) == "<Response><Hangup/></Response>"
