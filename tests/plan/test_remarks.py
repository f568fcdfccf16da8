"""What works and still deserves a second look is remarked on, and nothing else."""

import pytest

from app.plan.load import load_plan
from app.plan.remarks import remarks
from tests.plan.support import RECIPES, plan_of

STEP = '[routes.main.steps.a]\nring = ["+14155550111"]\n'


def test_the_recipes_hold_one_key_that_only_an_sdk_documents() -> None:
    found = {path.stem: list(remarks(load_plan(path))) for path in sorted(RECIPES.glob("*.toml"))}

    assert {name: noted for name, noted in found.items() if noted} == {
        "one-after-another": [
            (
                "routes.main.steps.colleague",
                "caller_name of +14155550112 is documented by Plivo's Node.js SDK alone; try it before you rely on it",
            )
        ]
    }


@pytest.mark.parametrize(
    ("text", "table", "sentence"),
    [
        (
            STEP + 'dial_music = { play = "HTTP://example.com/a.mp3" }',
            "routes.main.steps.a.dial_music",
            "play is 'HTTP://example.com/a.mp3', which Plivo fetches unencrypted; write https",
        ),
        (
            STEP + 'dial_music = "http://example.com/a.xml"',
            "routes.main.steps.a",
            "dial_music is 'http://example.com/a.xml', which Plivo fetches unencrypted; write https",
        ),
        (
            STEP + 'confirm_sound = "http://example.com/a.xml"',
            "routes.main.steps.a",
            "confirm_sound is 'http://example.com/a.xml', which Plivo fetches unencrypted; write https",
        ),
        (
            STEP + '[endings.bye]\nplay = "http://example.com/a.mp3"',
            "endings.bye",
            "play is 'http://example.com/a.mp3', which Plivo fetches unencrypted; write https",
        ),
        (
            STEP + '[endings.next]\nredirect = "http://example.com/a.xml"',
            "endings.next",
            "redirect is 'http://example.com/a.xml', which Plivo fetches unencrypted; write https",
        ),
        (
            STEP + '[endings.box]\nvoicemail = ["Hi", { say = "Fale.", language = "pt-PT" }]',
            "endings.box.voicemail",
            'one of Plivo\'s lists has pt-PT for MAN alone; write voice = "MAN" or a Polly voice',
        ),
        (
            STEP + '[endings.bye]\nprompt = { say = "Adeus.", language = "pt-PT", voice = "WOMAN" }',
            "endings.bye.prompt",
            'one of Plivo\'s lists has pt-PT for MAN alone; write voice = "MAN" or a Polly voice',
        ),
        (
            STEP + 'call_type = "whatsapp"',
            "routes.main.steps.a",
            "call_type is documented by one of Plivo's skills alone; try it before you rely on it",
        ),
        (
            '[routes.main]\ncallers = ["sip:a@phone.plivo.com"]\nmay_dial = ["+44"]\nsteps.a.ring = ["dialled"]',
            "routes.main.steps.a",
            "dialled shows the SIP address of the caller, which carriers may refuse; write caller_id",
        ),
    ],
)
def test_a_remark_names_the_table_and_what_to_write(text: str, table: str, sentence: str) -> None:
    assert list(remarks(plan_of(text))) == [(table, sentence)]
