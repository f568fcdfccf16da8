"""What Plivo would read, fetch or record otherwise than meant is refused with a sentence, or supported."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.plan.document import document, music_document
from app.plan.next import start
from app.plan.snapshot import Snapshot
from tests.plan.support import MONDAY_TEN, URLS, inbound, plan_of, problems_of, speaking
from tests.server.calls import inbound as inbound_request
from tests.server.calls import new_uuid
from tests.support.server import Server

STEP = '[routes.main.steps.a]\nring = ["+14155550111"]\n'


# --- E6: what Plivo would read, fetch or record otherwise than meant.


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "routes.main.greeting = '<speak>Hi<break time=\"1s\"/></speak>'\n" + STEP,
            'plan.toml [routes.main.greeting]: say holds SSML; write it as ssml = "…" with a Polly voice, such as '
            'voice = "Polly.Amy"',
        ),
        (
            STEP + "[endings.bye]\nsay = 'Good <emphasis>bye</emphasis>'",
            'plan.toml [endings.bye]: say holds SSML; write it as ssml = "…" with a Polly voice, such as '
            'voice = "Polly.Amy"',
        ),
        (
            STEP + 'dial_music = "https://example.com/hold.MP3?v=1"',
            "plan.toml [routes.main.steps.a]: dial_music is 'https://example.com/hold.MP3?v=1', an audio file where "
            'Plivo expects XML; write dial_music = { play = "…" }',
        ),
        (
            STEP + 'confirm_sound = "https://example.com/accept.wav"',
            "plan.toml [routes.main.steps.a]: confirm_sound is 'https://example.com/accept.wav', an audio file where "
            'Plivo expects XML; write confirm_prompt = { play = "…" } in its place',
        ),
        (
            STEP + '[endings.next]\nredirect = "https://example.com/bye.mp3"',
            "plan.toml [endings.next]: redirect is 'https://example.com/bye.mp3', an audio file where Plivo expects "
            "XML; write play in place of redirect",
        ),
        (
            STEP + '[endings.box]\nvoicemail = "Speak."\nmax_length = 1',
            "plan.toml [endings.box]: max_length is 1; write whole seconds from 2 to 86400",
        ),
        (
            STEP + "record = true\ntime_limit = 1",
            "plan.toml [routes.main.steps.a]: time_limit is 1, and a recording lasts at least 2 seconds; write more",
        ),
        (
            speaking(say="x" * 3001, voice="Polly.Amy"),
            "plan.toml [routes.main.greeting]: the text has 3001 characters, and a Polly voice reads at most 3000 at "
            "once; write it as a list of shorter texts",
        ),
        (
            "routes.main.greeting = { play = 'https://example.com/hi.ogg' }\n" + STEP,
            "plan.toml [routes.main.greeting]: play is 'https://example.com/hi.ogg', and Plivo plays MP3 and WAV "
            "alone; convert the file to one of them",
        ),
        (
            "routes.main.greeting = { ssml = 'Hi <break/>' }\n" + STEP,
            'plan.toml [routes.main.greeting]: ssml needs a Polly voice; write one, such as voice = "Polly.Amy"',
        ),
        (
            "routes.main.greeting = { ssml = 'Hi', voice = 'MAN' }\n" + STEP,
            'plan.toml [routes.main.greeting]: ssml needs a Polly voice; write one, such as voice = "Polly.Amy"',
        ),
        (
            "routes.main.greeting = { ssml = 'Hi <break>', voice = 'Polly.Amy' }\n" + STEP,
            "plan.toml [routes.main.greeting]: ssml: it is not well-formed XML (mismatched tag: line 1, column 19); "
            "close every tag, and write & as &amp;",
        ),
        (
            "routes.main.greeting = { ssml = 'Hi <audio>x</audio>', voice = 'Polly.Amy' }\n" + STEP,
            "plan.toml [routes.main.greeting]: ssml: <audio> is no tag of Plivo's; write break, emphasis, lang, p, "
            "phoneme, prosody, s, say-as, sub, w",
        ),
    ],
)
def test_e6_what_plivo_takes_otherwise_than_meant_is_refused(text: str, problem: str) -> None:
    assert problems_of(text) == (problem,)


def test_e6_music_and_sounds_are_prompts_that_this_server_writes() -> None:
    plan = plan_of(STEP + "dial_music = { play = 'https://example.com/hold.mp3', loop = 0 }")
    decision = start(plan, inbound(), Snapshot(now=MONDAY_TEN))

    assert f'dialMusic="{URLS.music_url}"' in document(decision, URLS)
    assert music_document(plan.routes["main"].steps["a"]) == (
        '<Response><Play loop="0">https://example.com/hold.mp3</Play></Response>'
    )


@pytest.mark.parametrize(
    "markup",
    ['Dear <sub alias="mister">Mr</sub> A &amp; B', '<speak>Dear <sub alias="mister">Mr</sub> A &amp; B</speak>'],
)
def test_e6_ssml_is_written_into_speak_as_it_stands(markup: str) -> None:
    plan = plan_of(f"routes.main.greeting = {{ ssml = '{markup}', voice = 'Polly.Amy', language = 'en-GB' }}\n{STEP}")

    written = document(start(plan, inbound(), Snapshot(now=MONDAY_TEN)), URLS)

    assert (
        '<Speak voice="Polly.Amy" language="en-GB">Dear <sub alias="mister">Mr</sub> A &amp; B</Speak><Dial '
    ) in written


def test_e6_three_thousand_characters_are_read_by_polly_and_more_by_others() -> None:
    assert plan_of(speaking(say="x" * 3000, voice="Polly.Amy"))
    assert plan_of(speaking(say="x" * 3001, voice="MAN"))


def test_e6_a_file_that_is_fetched_unencrypted_is_noted_at_start(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('routes.main.ending = "bye"\n[endings.bye]\nplay = "http://example.com/bye.mp3"\n')

    server = start_server(DIAL_PLAN=plan)

    assert any(
        "Note: the plan, [endings.bye]: play is 'http://example.com/bye.mp3', which Plivo fetches unencrypted" in line
        for line in server.lines
    )
    assert (
        "<Play>http://example.com/bye.mp3</Play>"
        in server.plivo("POST", "/dialstatus/", inbound_request(new_uuid())).body
    )
