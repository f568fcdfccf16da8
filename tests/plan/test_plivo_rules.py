"""The rules themselves find what breaks them."""

import pytest

from tests.plan.plivo_rules import broken_rules

NUMBER = "<Number>+14155550100</Number>"


def test_a_sound_document_breaks_no_rule() -> None:
    document = (
        '<Response><Speak loop="2">Hello</Speak><Dial action="https://a.example/?x=1&amp;y=2" timeout="20"'
        f' sipHeaders="Team=Sales,Level=2">{NUMBER}<User>sip:a@b</User></Dial></Response>'
    )

    assert broken_rules(document) == []


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        ("OK", "not well-formed"),
        ("<response/>", "the root is response"),
        ("<Response><Say>Hi</Say></Response>", "Say is no element"),
        (f"<Response>{NUMBER}</Response>", "Number in Response"),
        ("<Response><Dial/></Response>", "Dial rings nobody"),
        ("<Response><Dial><Number/></Dial></Response>", "Number holds ''"),
        (f"<Response><Dial record='true'>{NUMBER}</Dial></Response>", "Dial record="),
        (f"<Response><Dial timeout='0'>{NUMBER}</Dial></Response>", "Dial timeout="),
        (f"<Response><Dial timeLimit='90000'>{NUMBER}</Dial></Response>", "timeLimit above"),
        (f"<Response><Dial action='/next/'>{NUMBER}</Dial></Response>", "Dial action="),
        (f"<Response><Dial redirect='True'>{NUMBER}</Dial></Response>", "Dial redirect="),
        (f"<Response><Dial confirmKey='1'>{NUMBER}</Dial></Response>", "confirmKey without"),
        (f"<Response><Dial sipHeaders='Plivox=1'>{NUMBER}</Dial></Response>", "SIP header"),
        ("<Response><Dial><User sipAuthUsername='a'>sip:a@b</User></Dial></Response>", "half of"),
        ("<Response>OK</Response>", "Response holds"),
        ("<Response><Speak> </Speak></Response>", "Speak holds"),
        ("<Response><Hangup/><Speak>Hi</Speak></Response>", "Speak behind Hangup"),
        (f"<Response><Dial action='https://a.example/'>{NUMBER}</Dial><Hangup/></Response>", "Hangup behind Dial"),
        (f"<Response><Speak>{'a' * 100_000}</Speak></Response>", "larger than"),
    ],
)
def test_a_broken_rule_is_named(document: str, rule: str) -> None:
    assert any(problem.startswith(rule) or rule in problem for problem in broken_rules(document))


def test_a_prompt_may_not_hang_up() -> None:
    assert broken_rules("<Response><Hangup/></Response>", is_prompt=True) == ["Hangup in a prompt"]
