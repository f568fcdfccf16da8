"""A plan loads, or every one of its mistakes is a sentence with the file, the table and the key."""

from pathlib import Path

import pytest

from app.plan.load import PlanError, configured_plan, load_plan
from tests.plan.support import RECIPES, plan_of

STEP = "steps.a"
ONE_STEP = '[routes.main.steps.a]\nring = ["+14155550111"]\n'


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(PlanError) as refused:
        plan_of(text)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return refused.value.problems


def step_with(line: str) -> str:
    return f"{ONE_STEP}{line}\n"


def route_with(line: str) -> str:
    return f"[routes.main]\n{line}\n{ONE_STEP}"


def ending_with(lines: str) -> str:
    return f"{ONE_STEP}[endings.bye]\n{lines}\n"


MISTAKES = [
    # The whole file.
    ("", "plan.toml: routes is missing"),
    ("routes = {}", "plan.toml: routes is empty; write at least one"),
    ("routes = 5", "plan.toml: routes is no table; write routes = { … }"),
    (f"{ONE_STEP}[rutes.b]", "plan.toml: rutes is an unknown key; write routes if you meant that"),
    (f"{ONE_STEP}[zzzzzz]", "plan.toml: zzzzzz is an unknown key; remove it"),
    (
        '[routes."Front Desk"]\nending = "busy"',
        "plan.toml [routes]: 'Front Desk' is no name; write a to z, 0 to 9, - and _, a letter first, at most 40",
    ),
    # Routes.
    ("[routes.main]", "plan.toml [routes.main]: there are neither steps nor an ending; write one of them"),
    (route_with("caled = []"), "plan.toml [routes.main]: caled is an unknown key; write called if you meant that"),
    (
        route_with('ring = ["+14155550111"]'),
        "plan.toml [routes.main]: ring is an unknown key here; it belongs in a step",
    ),
    (
        step_with('send_digits = "1"'),
        f"plan.toml [routes.main.{STEP}]: send_digits is an unknown key here; it belongs in a target",
    ),
    (
        ending_with('say = "Bye"\ncaller_id = "+14155550199"'),
        "plan.toml [endings.bye]: caller_id is an unknown key here; it belongs in a route, a step or a target",
    ),
    (route_with('name = "x"'), "plan.toml [routes.main]: name is an unknown key; remove it"),
    (route_with("called = []"), "plan.toml [routes.main]: called is empty; write at least one"),
    (
        route_with('called = ["+14155550100", "12"]'),
        "plan.toml [routes.main]: called entry 2: the number is '12'; write a number with + and its country code "
        "such as +14155550100, or a SIP user such as sip:alice@phone.plivo.com",
    ),
    (
        route_with('called = ["+14155550100"]') + '[routes.b]\ncalled = ["+1 415 555 0100"]\nending = "busy"',
        "plan.toml [routes.b]: called has +14155550100, which route main serves; remove one of them",
    ),
    (
        f'{ONE_STEP}[routes.b]\nending = "busy"',
        "plan.toml [routes.b]: called has *, which route main serves; remove one of them",
    ),
    (
        route_with('ending = "gone"'),
        "plan.toml [routes.main]: ending is 'gone', which does not exist; write one of busy, hangup, nobody, rejected",
    ),
    (
        route_with("caller_id = 14155550199"),
        "plan.toml [routes.main]: caller_id is 14155550199; write a number such as +14155550100, or a SIP user",
    ),
    (route_with("max_rounds = 0"), "plan.toml [routes.main]: max_rounds is 0; write whole rounds from 1 to 100"),
    (
        route_with("max_ring_seconds = 3601"),
        "plan.toml [routes.main]: max_ring_seconds is 3601; write whole seconds from 1 to 3600",
    ),
    (
        route_with(f'caller_name = "{"x" * 51}"'),
        "plan.toml [routes.main]: caller_name has 51 characters; write at most 50",
    ),
    (
        route_with("greeting = 5"),
        "plan.toml [routes.main]: greeting: write a sentence in quotes, "
        'or a table such as { play = "https://example.com/a.mp3" }',
    ),
    (
        route_with("greeting = {}"),
        "plan.toml [routes.main.greeting]: there is not exactly one of say, ssml, play and pause; write one of them",
    ),
    (
        route_with('greeting = { play = "https://example.com/a.mp3", voice = "MAN" }'),
        "plan.toml [routes.main.greeting]: voice and language are for a sentence; "
        "remove them, or write say instead of play",
    ),
    (
        route_with('blocked = { callers = ["+1415*5"] }'),
        "plan.toml [routes.main.blocked]: callers entry 1: '+1415*5' is no caller; "
        "write +19005550100, +1900* or anonymous",
    ),
    (
        route_with("blocked = { callers = [] }"),
        "plan.toml [routes.main.blocked]: callers is empty; write at least one",
    ),
    # Hours.
    (
        route_with('hours = { time_zone = "UTC", otherwise = "busy", monday = [] }'),
        "plan.toml [routes.main.hours]: no day has hours, so it would never be open; write one such as "
        'monday = ["09:00-17:00"], or remove hours',
    ),
    (
        route_with('hours = { otherwise = "busy" }'),
        "plan.toml [routes.main.hours]: time_zone is missing",
    ),
    (
        route_with('hours = { time_zone = "Mars/Base", otherwise = "busy" }'),
        "plan.toml [routes.main.hours]: time_zone is 'Mars/Base'; write a name such as Europe/Berlin",
    ),
    (
        route_with('hours = { time_zone = "../../etc/passwd", otherwise = "busy" }'),
        "plan.toml [routes.main.hours]: time_zone is '../../etc/passwd'; write a name such as Europe/Berlin",
    ),
    (
        route_with('hours = { time_zone = "UTC", otherwise = "c" }'),
        "plan.toml [routes.main.hours]: otherwise is 'c', which does not exist; "
        "write one of a, busy, hangup, nobody, rejected",
    ),
    (
        route_with('hours = { time_zone = "UTC", otherwise = "busy", monday = ["09:00-17:00", "16:59-18:00"] }'),
        "plan.toml [routes.main.hours]: monday: 09:00-17:00 and 16:59-18:00 overlap; write one span instead",
    ),
    (
        route_with('hours = { time_zone = "UTC", otherwise = "busy", friday = ["9-17"] }'),
        "plan.toml [routes.main.hours]: friday entry 1: '9-17' is no span of hours; write them as 09:00-17:30",
    ),
    (
        route_with('hours = { time_zone = "UTC", otherwise = "busy", friday = ["22:00-02:00"] }'),
        "plan.toml [routes.main.hours]: friday entry 1: '22:00-02:00' does not end after it starts on the same day; "
        "end at 24:00 and let the next day begin at 00:00",
    ),
    (
        route_with('hours = { time_zone = "UTC", otherwise = "busy", friday = "09:00-17:00" }'),
        "plan.toml [routes.main.hours]: friday is no list; write it in square brackets",
    ),
    # Steps.
    ("[routes.main.steps.a]", "plan.toml [routes.main.steps.a]: ring is missing"),
    (
        "[routes.main.steps.a]\nring = []",
        "plan.toml [routes.main.steps.a]: ring is empty; write at least one",
    ),
    (
        '[routes.main.steps.a]\nring = ["4155550100"]',
        "plan.toml [routes.main.steps.a]: ring entry 1: number is '4155550100'; write a number with + and its "
        "country code such as +14155550100, or a SIP user such as sip:alice@phone.plivo.com",
    ),
    (
        '[routes.main.steps.a]\nring = ["+14155550111", 7]',
        'plan.toml [routes.main.steps.a]: ring entry 2: write "+14155550100", "sip:alice@phone.plivo.com", "dialled" '
        "or a table",
    ),
    (
        '[routes.main.steps.a]\nring = ["+14155550111", "+1 415 555 0111"]',
        "plan.toml [routes.main.steps.a]: ring has +14155550111 2 times; write it once",
    ),
    (
        "[routes.main.steps.a]\nring = [{}]",
        "plan.toml [routes.main.steps.a]: ring entry 1: there is not exactly one of number, user and rota; "
        "write one of them",
    ),
    (
        '[routes.main.steps.a]\nring = [{ number = "+14155550111", sip_auth_username = "a" }]',
        "plan.toml [routes.main.steps.a]: ring entry 1: sip_auth_username and sip_auth_password need each other; "
        "write both",
    ),
    (
        '[routes.main.steps.a]\nring = [{ number = "+14155550111", sip_auth_username = "a" }]',
        "plan.toml [routes.main.steps.a]: ring entry 1: sip_auth_username and sip_auth_password are for a SIP user; "
        "remove them",
    ),
    (
        '[routes.main.steps.a]\nring = [{ user = "sip:a@b", send_digits_mode = "rfc2833" }]',
        "plan.toml [routes.main.steps.a]: ring entry 1: send_digits_mode is for a number; remove it",
    ),
    (
        '[routes.main.steps.a]\nring = [{ user = "sip:a@b", sip_auth_username = "a", sip_auth_password = "short" }]',
        "plan.toml [routes.main.steps.a]: ring entry 1: sip_auth_password has the wrong length; "
        "write 8 to 128 characters",
    ),
    (step_with("timeout = 0"), f"plan.toml [routes.main.{STEP}]: timeout is 0; write whole seconds from 1 to 600"),
    (step_with("timeout = 601"), f"plan.toml [routes.main.{STEP}]: timeout is 601; write whole seconds from 1 to 600"),
    (
        step_with("time_limit = 1.5"),
        f"plan.toml [routes.main.{STEP}]: time_limit is 1.5; write whole seconds from 1 to 86400",
    ),
    (
        step_with('record = "false"'),
        f"plan.toml [routes.main.{STEP}]: record is 'false'; write true or false without quotes",
    ),
    (
        step_with('record_format = "wav"'),
        f"plan.toml [routes.main.{STEP}]: record_format needs a recording; write record = true",
    ),
    (
        step_with('confirm_key = "12"'),
        f"plan.toml [routes.main.{STEP}]: confirm_key is '12'; write one key: a digit, * or #",
    ),
    (
        step_with("confirm_timeout = 5"),
        f"plan.toml [routes.main.{STEP}]: confirm_timeout waits for a key that is not asked for; write confirm_key too",
    ),
    (
        step_with('confirm_prompt = "a"\nconfirm_sound = "https://example.com/"'),
        f"plan.toml [routes.main.{STEP}]: confirm_prompt and confirm_sound exclude each other; write one of them",
    ),
    (
        step_with('dial_music = "realMusic"'),
        f"plan.toml [routes.main.{STEP}]: dial_music is 'realMusic'; "
        "write real, or a complete URL such as https://example.com/music.xml",
    ),
    (
        step_with('sip_headers = { Plivo = "1", X-PH-A = "2" }'),
        f"plan.toml [routes.main.{STEP}]: sip_headers: Plivo is a name Plivo keeps for itself; choose another; "
        "X-PH-A=2 may hold letters A to Z and digits only; Plivo adds X-PH- to the name itself",
    ),
    (
        step_with("sip_headers = { A = 1 }"),
        f'plan.toml [routes.main.{STEP}]: sip_headers is no table of texts; write {{ Team = "Sales" }}',
    ),
    # After.
    (
        step_with('after = { mised = "busy" }'),
        f"plan.toml [routes.main.{STEP}.after]: 'mised' is no outcome; write answered, caller_gave_up, busy, "
        "rejected, missed, unreachable, failed, unknown",
    ),
    (
        step_with('after = { in_progress = "busy" }'),
        f"plan.toml [routes.main.{STEP}.after]: 'in_progress' is no outcome; write answered, caller_gave_up, busy, "
        "rejected, missed, unreachable, failed, unknown",
    ),
    (
        step_with('after = { missed = "b" }'),
        f"plan.toml [routes.main.{STEP}.after]: missed is 'b', which does not exist; "
        "write one of a, busy, hangup, nobody, rejected",
    ),
    (
        step_with(
            'after = { busy = "hangup", rejected = "hangup", missed = "hangup", unreachable = "hangup",'
            ' failed = "hangup", unknown = "hangup" }'
        )
        + '[routes.main.steps.b]\nring = ["+14155550112"]',
        "plan.toml [routes.main.steps.b]: no step leads here; name it in the after of another, or remove it",
    ),
    # Endings.
    (
        f'{ONE_STEP}[endings.a]\nsay = "Bye"',
        f"plan.toml [routes.main.{STEP}]: an ending is called a too; rename one of them",
    ),
    (
        ending_with('say = "Bye"\nhangup = "busy"'),
        "plan.toml [endings]: bye is no ending; write exactly one of say, ssml, play, prompt, hangup, voicemail, "
        "redirect in it",
    ),
    (
        ending_with(""),
        "plan.toml [endings]: bye is no ending; write exactly one of say, ssml, play, prompt, hangup, voicemail, "
        "redirect in it",
    ),
    (ending_with('say = " "'), "plan.toml [endings.bye]: say is ' '; write some text"),
    (
        ending_with('say = "Bye"\nvoice = "ROBOT"'),
        "plan.toml [endings.bye]: voice is 'ROBOT'; write WOMAN, MAN or a Polly voice such as Polly.Amy",
    ),
    (ending_with('hangup = "rude"'), "plan.toml [endings.bye]: hangup is 'rude'; write normal, busy or rejected"),
    (
        ending_with('redirect = "/menu"'),
        "plan.toml [endings.bye]: redirect is '/menu'; write a complete URL such as https://example.com/path",
    ),
    (
        ending_with('voicemail = { say = "a", play = "https://example.com/a.mp3" }'),
        "plan.toml [endings.bye.voicemail]: there is not exactly one of say, ssml, play and pause; write one of them",
    ),
    (
        ending_with('voicemail = "Speak"\nmax_length = 0'),
        "plan.toml [endings.bye]: max_length is 0; write whole seconds from 2 to 86400",
    ),
    # What only shows when the document is written.
    (
        ending_with(f'say = "{"x" * 100_000}"'),
        "plan.toml [endings.bye]: the document has 100045 bytes; Plivo takes at most 100000",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES, ids=[sentence[:70] for _, sentence in MISTAKES])
def test_a_mistake_is_one_sentence_with_file_table_and_key(text: str, sentence: str) -> None:
    assert sentence in problems_of(text)


def test_every_mistake_is_told_at_once() -> None:
    mistakes = problems_of("""
    rutes = 1
    [routes.main]
    ending = "gone"
    max_rounds = 0
    hours = { time_zone = "Mars", otherwise = "gone", monday = ["9-5", "10:00-12:00", "11:00-13:00"] }
    [routes.main.steps.a]
    ring = []
    timout = 5
    timeout = 0
    [routes.main.steps.a.after]
    mised = "a"
    busy = "gone"
    missed = "hangup"
    rejected = "hangup"
    failed = "hangup"
    unreachable = "hangup"
    unknown = "hangup"
    [routes.main.steps.b]
    ring = ["+14155550111"]
    [endings.c]
    say = ""
    voice = "ROBOT"
    """)

    assert len(mistakes) == 14
    assert len(set(mistakes)) == 14


def test_a_password_is_in_no_sentence() -> None:
    mistakes = problems_of("""
    [routes.main.steps.a]
    ring = [{ user = "sip:a@b", sip_auth_username = "a", sip_auth_password = "hush" }, { sip_auth_password = 12345 }]
    """)

    assert not any("hush" in mistake or "12345" in mistake for mistake in mistakes)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"plan\.toml cannot be read: .*No such file"):
        load_plan(tmp_path / "plan.toml")


def test_a_file_that_is_not_text_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(PlanError, match=r"plan\.toml cannot be read: 'utf-8' codec"):
        load_plan(tmp_path / "plan.toml")


def test_a_file_that_is_not_toml_says_the_line(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("[routes.main]\nending busy\n", "utf-8")

    with pytest.raises(PlanError, match=r"plan\.toml is not valid TOML: .*line 2"):
        load_plan(tmp_path / "plan.toml")


def test_the_settings_choose_between_a_file_and_the_targets() -> None:
    by_file = configured_plan(
        RECIPES / "one-number.toml", dial_to=("+14155550100",), timeout=9, time_limit=60, caller_id=None
    )
    by_targets = configured_plan(None, dial_to=("+14155550100",), timeout=9, time_limit=60, caller_id=None)

    assert by_file.routes["main"].steps["phone"].timeout == 25
    assert by_targets.routes["main"].steps["all"].timeout == 9


def test_numbers_are_read_as_people_write_them() -> None:
    plan = plan_of('[routes.main.steps.a]\nring = ["+1 (415) 555-0111", "sip:Bob@Example.COM"]')

    assert [target.address for target in plan.routes["main"].steps["a"].ring] == [
        "+14155550111",
        "sip:Bob@example.com",
    ]
