"""Audio files beside the plan, prompts before the answer, channels of a recording, and transcriptions."""

from pathlib import Path

import pytest

from app.plan.document import document, music_document
from app.plan.load import PlanError, load_plan
from app.plan.model import Plan
from tests.plan.plivo_rules import broken_rules
from tests.plan.support import URLS, plan_of, problems_of, ring_of

MP3, WAV = b"\xff\xfb\x90\x64" + bytes(100), b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(100)
STEP = '[routes.main.steps.a]\nring = ["+14155550111"]\n'
SOUNDS = "https://a.example/dialstatus/music/"


def load(folder: Path, text: str, **files: bytes) -> Plan:
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    (folder / "plan.toml").write_text(text)
    return load_plan(folder / "plan.toml")


def test_a_file_beside_the_plan_is_played_from_this_server(tmp_path: Path) -> None:
    plan = load(tmp_path, STEP + 'dial_music = { play = "hold.mp3", times = 0 }', hold_mp3=MP3)

    assert music_document(plan.routes["main"].steps["a"], SOUNDS) == (
        f'<Response><Play loop="0">{SOUNDS}hold.mp3</Play></Response>'
    )


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("hold.mp3", None, "hold.mp3 cannot be read: No such file or directory; put the file beside the plan"),
        ("hold.mp3", b"<html>", "hold.mp3 holds no MP3 audio; convert the file"),
        ("hold.wav", MP3, "hold.wav holds no WAV audio; convert the file"),
        ("hold.mp3", WAV, "hold.mp3 holds no MP3 audio; convert the file"),
        ("hold.mp3", MP3 * 50_000, "hold.mp3 has 5200000 bytes; write a file of at most 5000000, or its URL"),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        'routes.main.greeting = ["Hi", {{ play = "{}" }}]\n' + STEP,
        STEP + 'confirm_prompt = {{ play = "{}" }}',
        STEP + '[endings.bye]\nplay = "{}"',
        STEP + '[endings.box]\nvoicemail = "Speak."\nthanks = {{ play = "{}" }}',
    ],
)
def test_a_file_that_cannot_be_played_is_refused_at_load(
    tmp_path: Path, text: str, name: str, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(PlanError) as refused:
        load(tmp_path, text.format(name))

    assert refused.value.problems == (f"plan.toml: {problem}",)


@pytest.mark.parametrize("name", ["../hold.mp3", "/etc/hold.mp3", "a b.mp3", ".mp3", "hold.ogg", "ho\x00ld.mp3"])
def test_only_a_bare_name_is_a_file(name: str) -> None:
    [problem] = problems_of(STEP + f"dial_music = {{ play = {name!r} }}".replace("'", '"').replace("\\x00", "\\u0000"))

    assert "write a complete URL such as https://example.com/path" in problem


def test_a_greeting_is_heard_before_the_call_is_answered() -> None:
    speech = '{ ssml = "Hi <break time=\'1s\'/>there.", voice = "Polly.Amy" }'
    plan = plan_of(f'routes.main.greeting = ["Hello.", {speech}]\nroutes.main.pre_answer = true\n{STEP}')

    written = document(ring_of(plan, "main", "a"), URLS)

    assert written.startswith(
        '<Response><PreAnswer><Speak>Hello.</Speak><Speak voice="Polly.Amy">Hi <break time="1s" />there.</Speak>'
        "</PreAnswer><Dial "
    )
    assert broken_rules(written) == []


def test_a_conversation_is_recorded_in_two_channels() -> None:
    plan = plan_of(STEP + 'record = true\nrecord_channels = "stereo"')

    written = document(ring_of(plan, "main", "a"), URLS)

    assert 'recordChannelType="stereo"' in written
    assert broken_rules(written) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "routes.main.pre_answer = true\n" + STEP,
            "plan.toml [routes.main]: pre_answer is for a greeting; write one, or remove pre_answer",
        ),
        (
            STEP + 'record_channels = "mono"',
            "plan.toml [routes.main.steps.a]: record_channels needs a recording; write record = true",
        ),
        (
            STEP + 'record = true\nrecord_channels = "both"',
            "plan.toml [routes.main.steps.a]: record_channels is 'both'; write mono or stereo",
        ),
        (
            STEP + '[endings.box]\nvoicemail = "Speak."\ntranscription = "auto"',
            "plan.toml [endings.box]: transcription is 'auto'; write true or false without quotes",
        ),
    ],
)
def test_what_does_not_fit_is_refused(text: str, problem: str) -> None:
    assert problems_of(text) == (problem,)
