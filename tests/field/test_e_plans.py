"""Class E: plans that hurt. Each case is named by its id."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.plan.document import document, music_document
from app.plan.model import Plan
from app.plan.next import Ring, after, start
from app.plan.snapshot import Snapshot
from app.voice.outcome import Outcome
from app.voice.speech import MAN_LANGUAGES, POLLY_LANGUAGES, POLLY_VOICES, WOMAN_LANGUAGES
from tests.plan.support import (
    MONDAY_TEN,
    URLS,
    first,
    in_short,
    inbound,
    outbound,
    plan_of,
    problems_of,
    speaking,
)
from tests.server.calls import inbound as inbound_request
from tests.server.calls import new_uuid
from tests.support.server import Server

OURS, OTHER, CALLER = "+14155550100", "+14155550111", "+14155550123"
OUR_SPELLINGS = [OURS, "14155550100", "0014155550100", "+1 (415) 555-0100", "sip:+14155550100@carrier.example"]
STEP = '[routes.main.steps.a]\nring = ["+14155550111"]\n'


# --- E1: a plan that rings its own number.


@pytest.mark.parametrize("target", ['"+14155550100"', '"+1 415 555 0100"', '{ number = "+1-415-555-0100" }'])
def test_e1_a_target_that_its_own_route_serves_is_refused(target: str) -> None:
    assert problems_of(f"""
        [routes.main]
        called = ["+14155550100"]
        [routes.main.steps.a]
        ring = ["+14155550111", {target}]
        """) == (
        "plan.toml [routes.main.steps.a]: ring has +14155550100, a number of this route, so a call would ring itself "
        "without end; write another target",
    )


@pytest.mark.parametrize(
    "target", ["sip:front@PHONE.plivo.com;transport=tcp", "sip:Front@phone.plivo.com", "SIP:front@phone.plivo.com"]
)
def test_e1_a_sip_user_that_its_own_route_serves_is_refused(target: str) -> None:
    [problem] = problems_of(f"""
        [routes.main]
        called = ["sip:front@phone.plivo.com"]
        [routes.main.steps.a]
        ring = ["{target}"]
        """)

    assert "a number of this route" in problem


def test_e1_routes_that_ring_each_other_are_refused_once() -> None:
    assert problems_of("""
        [routes.a]
        called = ["+14155550100"]
        steps = { one = { ring = ["+14155550101"] } }
        [routes.b]
        called = ["+14155550101"]
        steps = { two = { ring = ["+14155550102"] } }
        [routes.c]
        called = ["+14155550102"]
        steps = { three = { ring = ["+14155550111", "+14155550100"] } }
        """) == (
        "plan.toml [routes.a.steps.one]: ring has +14155550101, a number of route b, which leads back here, so a call "
        "would go in circles; write another target",
    )


def test_e1_a_route_may_ring_a_number_of_another_route_and_a_pbx_user_named_after_its_own_number() -> None:
    plan = plan_of("""
        [routes.a]
        called = ["+14155550100"]
        steps = { one = { ring = ["+14155550101", "sip:+14155550100@pbx.example.com"] } }
        [routes.b]
        called = ["+14155550101"]
        steps = { two = { ring = ["+14155550111"] } }
        """)

    assert first(plan, inbound(OURS)) == "one: +14155550101 sip:+14155550100@pbx.example.com"


@pytest.mark.parametrize("called", OUR_SPELLINGS)
def test_e1_the_called_number_is_not_rung_in_any_spelling(called: str) -> None:
    plan = Plan.from_targets((OURS, OTHER), timeout=20, time_limit=60)

    assert first(plan, inbound(called)) == f"all: {OTHER}"


@pytest.mark.parametrize("called", OUR_SPELLINGS)
def test_e1_a_plan_that_rings_only_the_called_number_goes_on_as_if_it_were_unreachable(called: str) -> None:
    plan = plan_of("""
        routes.main.greeting = "Welcome."
        [routes.main.steps.a]
        ring = ["+14155550100"]
        after = { unreachable = "c", missed = "hangup" }
        [routes.main.steps.b]
        ring = ["+14155550112"]
        [routes.main.steps.c]
        ring = ["+14155550113"]
        """)

    decision = start(plan, inbound(called), Snapshot(now=MONDAY_TEN))

    assert in_short(decision) == "c: +14155550113"
    assert isinstance(decision, Ring)
    assert decision.round == 1
    assert decision.greeting is not None


def test_e1_a_plan_that_sends_a_call_round_in_circles_without_a_target_comes_to_its_ending() -> None:
    plan = plan_of("""
        routes.main.ending = "busy"
        [routes.main.steps.a]
        ring = ["+14155550100"]
        after = { unreachable = "b" }
        [routes.main.steps.b]
        ring = ["+14155550123"]
        after = { unreachable = "a" }
        """)

    assert first(plan, inbound(OURS, CALLER)) == "busy"


def test_e1_a_step_leads_to_its_ending_for_unreachable_where_nobody_can_ring() -> None:
    plan = plan_of("""
        [routes.main.steps.a]
        ring = ["+14155550100"]
        after = { unreachable = "rejected" }
        """)

    assert first(plan, inbound(OURS)) == "rejected"
    assert first(Plan.from_targets((OURS,), timeout=20, time_limit=60), inbound(OURS)) == "nobody"


def test_e1_a_phone_that_forwarded_the_call_to_us_is_not_rung() -> None:
    plan = Plan.from_targets((OTHER, "+14155550112"), timeout=20, time_limit=60)

    assert first(plan, inbound(OURS)._replace(forwarded_from="14155550112")) == f"all: {OTHER}"


def test_e1_a_server_whose_dial_to_is_the_called_number_says_that_nobody_can_answer(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(DIAL_TO="+14155550199")

    reply = server.plivo("POST", "/dialstatus/", inbound_request(new_uuid()))

    assert "<Dial" not in reply.body
    assert "nobody can take your call" in reply.body


# --- E2: the caller is one of the targets.


@pytest.mark.parametrize("caller", ["+14155550112", "14155550112", "0014155550112", "sip:14155550112@carrier.example"])
def test_e2_the_caller_is_not_rung(caller: str) -> None:
    plan = Plan.from_targets((OTHER, "+14155550112"), timeout=20, time_limit=60)

    assert first(plan, inbound(OURS, caller)) == f"all: {OTHER}"


def test_e2_a_sip_user_who_calls_is_not_rung() -> None:
    plan = Plan.from_targets((OTHER, "sip:web1@phone.plivo.com"), timeout=20, time_limit=60)

    assert first(plan, inbound(OURS, "sip:web1@Phone.Plivo.com;transport=tls")) == f"all: {OTHER}"


def test_e2_a_later_step_leaves_the_caller_out_too() -> None:
    plan = plan_of("""
        [routes.main.steps.a]
        ring = ["+14155550111"]
        [routes.main.steps.b]
        ring = ["+14155550123"]
        [routes.main.steps.c]
        ring = ["+14155550113", "+14155550123"]
        """)

    decision = after(
        plan,
        plan.routes["main"],
        "a",
        Outcome.MISSED,
        Snapshot(now=MONDAY_TEN),
        call=inbound(OURS, CALLER),
        elapsed_seconds=9,
        rounds=1,
    )

    assert in_short(decision) == "c: +14155550113"


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
