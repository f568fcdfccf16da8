"""Languages, voices, prompts of several parts, and one sentence for each mistake."""

import pytest

from app.plan.document import document
from app.plan.next import start
from app.plan.snapshot import Snapshot
from app.voice.speech import MAN_LANGUAGES, POLLY_LANGUAGES, POLLY_VOICES, WOMAN_LANGUAGES
from tests.plan.support import MONDAY_TEN, URLS, inbound, plan_of, problems_of, speaking

STEP = '[routes.main.steps.a]\nring = ["+14155550111"]\n'


# --- E5: languages and voices.


@pytest.mark.parametrize("language", ["de", "xx-YY", "en_US", "EN-us", "english", "zh-CN", ""])
@pytest.mark.parametrize("voice", [{}, {"voice": "MAN"}, {"voice": "Polly.Amy"}])
def test_e5_a_language_that_is_not_listed_is_refused(language: str, voice: dict[str, str]) -> None:
    [problem] = problems_of(speaking(language=language, **voice))

    assert problem.startswith(f"plan.toml [routes.main.greeting]: language is {language!r}; write one of arb, cmn-CN, ")


@pytest.mark.parametrize("language", ["da-DK", "fr-CA", "ru-RU", "sv-SE"])
def test_e5_a_language_without_a_man_is_refused(language: str) -> None:
    assert problems_of(speaking(language=language, voice="MAN")) == (
        f"plan.toml [routes.main.greeting]: {language} is not spoken by MAN; write WOMAN or a Polly voice as voice",
    )


@pytest.mark.parametrize("language", ["hi-IN", "en-GB-WLS", "ja-JP"])
@pytest.mark.parametrize("voice", [{}, {"voice": "WOMAN"}])
def test_e5_a_language_that_only_polly_speaks_is_refused_for_others(language: str, voice: dict[str, str]) -> None:
    assert problems_of(speaking(language=language, **voice)) == (
        f"plan.toml [routes.main.greeting]: {language} is not spoken by WOMAN; write a Polly voice as voice",
    )


@pytest.mark.parametrize(
    ("voice", "instead"),
    [("Polly.Vitorya", "Polly.Vitoria"), ("Polly.", "Polly."), ("Polly.Nobody", ""), ("man", ""), ("alice", "")],
)
def test_e5_a_voice_that_is_not_listed_is_refused(voice: str, instead: str) -> None:
    [problem] = problems_of(speaking(voice=voice))

    assert problem.startswith(f"plan.toml [routes.main.greeting]: voice is {voice!r}; write {instead}")


@pytest.mark.parametrize(
    ("voice", "language"),
    [
        *((None, language) for language in sorted(WOMAN_LANGUAGES)),
        *(("MAN", language) for language in sorted(MAN_LANGUAGES)),
        *(("Polly.*", language) for language in sorted(POLLY_LANGUAGES)),
        *((voice, None) for voice in sorted(POLLY_VOICES)),
    ],
)
def test_e5_what_is_listed_is_spoken(voice: str | None, language: str | None) -> None:
    keys = {key: value for key, value in {"voice": voice, "language": language}.items() if value is not None}

    written = document(start(plan_of(speaking(**keys)), inbound(), Snapshot(now=MONDAY_TEN)), URLS)

    assert all(f'{key}="{value}"' in written for key, value in keys.items())


def test_e5_the_lists_have_as_many_entries_as_plivos() -> None:
    assert (len(WOMAN_LANGUAGES), len(MAN_LANGUAGES), len(POLLY_LANGUAGES)) == (16, 12, 29)
    assert {"Polly.Vitória", "Polly.Vitoria", "Polly.*"} <= POLLY_VOICES


# --- E7: what Plivo takes, and a plan may say.


def test_e7_a_sip_address_with_parameters_is_a_target() -> None:
    plan = plan_of('[routes.main.steps.a]\nring = ["sip:alice@pbx.example.com;transport=tcp"]')

    written = document(start(plan, inbound(), Snapshot(now=MONDAY_TEN)), URLS)

    assert "<User>sip:alice@pbx.example.com;transport=tcp</User>" in written


def test_e7_a_recording_may_go_on_whatever_key_is_pressed() -> None:
    plan = plan_of('routes.main.ending = "box"\n[endings.box]\nvoicemail = "Speak."\nfinish_on_key = "none"')

    assert 'finishOnKey="none"' in document(start(plan, inbound(), Snapshot(now=MONDAY_TEN)), URLS)


def test_e7_sentences_files_and_pauses_follow_each_other_in_one_prompt() -> None:
    plan = plan_of("""
        routes.main.ending = "bye"
        [endings.bye]
        prompt = [
            "One.", { play = "https://example.com/two.mp3" }, { pause = 3 },
            { say = "Vier.", language = "de-DE", times = 2 },
        ]
        """)

    assert document(start(plan, inbound(), Snapshot(now=MONDAY_TEN)), URLS) == (
        '<Response><Speak>One.</Speak><Play>https://example.com/two.mp3</Play><Wait length="3"/>'
        '<Speak language="de-DE" loop="2">Vier.</Speak><Hangup/></Response>'
    )


@pytest.mark.parametrize("key", ["times", "loop"])
def test_e7_what_the_caller_hears_last_may_be_repeated_without_end(key: str) -> None:
    plan = plan_of(f'routes.main.ending = "bye"\n[endings.bye]\nplay = "https://example.com/a.mp3"\n{key} = 0')

    assert '<Play loop="0">' in document(start(plan, inbound(), Snapshot(now=MONDAY_TEN)), URLS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'routes.main.greeting = { say = "Hi", times = 0 }\n' + STEP,
            "plan.toml [routes.main.greeting]: times is 0, so it is repeated without end and nobody would ever ring; "
            "write 1 to 100",
        ),
        (
            STEP + '[endings.box]\nvoicemail = ["Hi", { say = "Speak.", loop = 0 }]',
            "plan.toml [endings.box.voicemail]: entry 2: times is 0, so it is repeated without end and nothing would "
            "be recorded; write 1 to 100",
        ),
        (
            STEP + '[endings.bye]\nprompt = [{ say = "Hi", times = 0 }, "Bye"]',
            "plan.toml [endings.bye.prompt]: entry 1: times is 0, so it is repeated without end and what follows would "
            "never be heard; write it last",
        ),
        (
            STEP + 'confirm_prompt = { say = "Hi", times = 0 }',
            "plan.toml [routes.main.steps.a.confirm_prompt]: times is 0, so it is repeated without end and the call "
            "would never be connected; write 1 to 100, or a confirm_key",
        ),
    ],
)
def test_e7_what_stands_before_a_dial_or_a_recording_must_end(text: str, problem: str) -> None:
    assert problems_of(text) == (problem,)


# --- E8: one mistake, one sentence.


@pytest.mark.parametrize(
    "ring", ['["12"]', '["12", "12"]', '[{ number = "12" }]', '["sip:alice"]', "[7]", '["+14155550111", "4155550100"]']
)
def test_e8_a_bad_number_in_ring_is_one_sentence_for_each_entry(ring: str) -> None:
    problems = problems_of(f"[routes.main.steps.a]\nring = {ring}")

    assert all(problem.startswith("plan.toml [routes.main.steps.a]: ring entry ") for problem in problems)
    assert len(problems) == ring.count('"12"') or len(problems) == 1


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ('called = ["12"]', "called entry 1: "),
        ('blocked = { callers = ["12"] }', "callers entry 1: "),
        ('greeting = [" "]', "greeting entry 1: say is ' '"),
    ],
)
def test_e8_a_bad_entry_of_any_list_is_one_sentence(line: str, entry: str) -> None:
    [problem] = problems_of(f"[routes.main]\n{line}\n{STEP}")

    assert entry in problem
