"""Plans nobody thought of: they load or are refused in sentences, and no call gets lost in them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.plan.describe import describe_plan
from app.plan.document import confirm_document, document, music_document, voicemail_taken_document
from app.plan.load import PlanError, plan_from_tables
from app.plan.model import Plan
from app.plan.next import Decision, End, Nothing, Ring, after, start
from app.plan.snapshot import Snapshot
from app.plan.values import OUTCOME_WORDS
from app.voice.outcome import Outcome
from tests.plan.plivo_rules import broken_rules
from tests.plan.support import URLS, inbound

NAMES = ["a", "b", "c", "d"]
ENDINGS = ["e1", "e2", "nobody", "hangup", "busy", "rejected"]
numbers = st.integers(0, 999).map(lambda last: f"+1415555{last:04}")
sip_users = st.text("abc.-_1", min_size=1, max_size=8).map(lambda user: f"sip:{user}@phone.plivo.com")
texts = st.text(min_size=1, max_size=30).map(lambda anything: f"Say {anything}")
urls = st.text("abc/?&=<>\"'%é#", max_size=20).map(lambda rest: f"https://example.com/{rest}")
flags = st.booleans()
keys = st.sampled_from("0123456789*#")
headers = st.dictionaries(st.text("ABc9", min_size=1), st.text("xY7", min_size=1), max_size=3)
voices = st.sampled_from(["WOMAN", "MAN", "Polly.Amy", "Polly.*", "Polly.Céline"])


def table(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


said = table({"say": texts}, {"voice": voices, "language": st.just("en-GB"), "times": st.integers(1, 100)})
played = table({"play": urls}, {"times": st.integers(1, 100)})
marked = table(
    {
        "ssml": st.just('Hi <break time="1s"/> you &amp; <emphasis level="strong">me</emphasis>.'),
        "voice": st.just("Polly.*"),
    },
    {},
)
paused = table({"pause": st.integers(1, 60)}, {})
phrases = texts | said | played | marked | paused
prompts = phrases | st.lists(phrases, min_size=1, max_size=3)
common = {"caller_id": numbers | sip_users, "send_digits": st.text("01#*wW", min_size=1), "sip_headers": headers}
targets = (
    numbers
    | sip_users
    | table({"number": numbers}, {**common, "send_digits_mode": st.just("rfc2833"), "send_on_preanswer": flags})
    | table({"user": sip_users}, common)
    | table(
        {
            "user": sip_users,
            "sip_auth_username": st.text("alice", min_size=1),
            "sip_auth_password": st.text("pw", min_size=8),
        },
        {},
    )
)
endings = (
    said
    | played
    | marked
    | table({"prompt": prompts}, {})
    | table({"hangup": st.sampled_from(["normal", "busy", "rejected"])}, {})
    | table({"redirect": urls}, {"method": st.sampled_from(["GET", "POST"])})
    | table(
        {"voicemail": prompts},
        {
            "max_length": st.integers(2, 86_400),
            "silence": st.integers(1, 60),
            "beep": flags,
            "finish_on_key": st.text("0123456789*#", min_size=1, max_size=12) | st.just("none"),
            "format": st.sampled_from(["mp3", "wav"]),
            "thanks": prompts,
        },
    )
)


def address_of(target: str | dict[str, str]) -> str:
    return target if isinstance(target, str) else target.get("number", target.get("user", ""))


def steps(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    step = table(
        {"ring": st.lists(targets, min_size=1, max_size=4, unique_by=address_of)},
        {
            "timeout": st.integers(1, 600),
            "time_limit": st.integers(2, 86_400),
            "confirm_key": keys,
            "confirm_prompt": prompts,
            "dial_music": urls | st.just("real") | prompts.filter(lambda music: not isinstance(music, str)),
            "hangup_on_star": flags,
            "digits_match": st.lists(st.text("1*#", min_size=1), max_size=3),
            "sip_headers": headers,
            "record": flags,
            "after": st.dictionaries(st.sampled_from(OUTCOME_WORDS).map(str), st.sampled_from(names + ENDINGS)),
        },
    )
    return st.fixed_dictionaries(dict.fromkeys(names, step))


def routes(count: int) -> st.SearchStrategy[dict[str, Any]]:
    names = NAMES[:count]
    hours = table(
        {
            "time_zone": st.sampled_from(["UTC", "Asia/Kolkata"]),
            "otherwise": st.sampled_from(names + ENDINGS),
            "monday": st.just(["00:00-12:00"]),
        },
        {"sunday": st.just(["09:00-10:00", "10:00-24:00"])},
    )
    return table(
        {"steps": steps(names)},
        {
            "ending": st.sampled_from(ENDINGS),
            "caller_id": numbers,
            "caller_name": st.text("a&<é", min_size=1, max_size=50),
            "greeting": prompts,
            "blocked": table({"callers": st.just(["+1415*", "anonymous"])}, {"ending": st.sampled_from(ENDINGS)}),
            "hours": hours,
            "max_rounds": st.integers(1, 12),
            "max_ring_seconds": st.integers(1, 900),
        },
    )


plans = st.fixed_dictionaries(
    {
        "routes": st.fixed_dictionaries({"main": st.integers(1, 4).flatmap(routes)}),
        "endings": st.fixed_dictionaries({"e1": endings, "e2": endings}),
    }
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis takes naive bounds.
callers = st.none() | st.just("anonymous") | numbers | sip_users


def loaded(tables: dict[str, Any]) -> Plan | None:
    """Load a generated plan; one with a step that nothing leads to is rightly refused."""
    try:
        return plan_from_tables(tables, source="plan.toml")
    except PlanError as error:
        refusal = error
    assert all("no step leads here" in problem for problem in refusal.problems), refusal
    return None


@settings(max_examples=150)
@given(tables=plans, caller=callers, now=moments, outcomes=st.lists(st.sampled_from(Outcome), max_size=15))
def test_any_call_through_any_plan_ends_within_its_caps_and_hears_sound_documents(
    tables: dict[str, Any], caller: str | None, now: datetime, outcomes: list[Outcome]
) -> None:
    plan = loaded(tables)
    if plan is None:
        return
    route = plan.routes["main"]
    call = inbound(caller=caller)
    decision: Decision = start(plan, call, Snapshot(now=now))
    rang = 0
    for outcome in outcomes:
        assert broken_rules(document(decision, URLS)) == []
        if not isinstance(decision, Ring):
            break
        rang += decision.timeout
        assert decision.round <= route.max_rounds
        assert rang <= route.max_ring_seconds or decision.round == 1
        assert broken_rules(confirm_document(decision.step), is_prompt=True) == []
        assert broken_rules(music_document(decision.step), is_prompt=True) == []
        decision = after(
            plan,
            route,
            decision.step.name,
            outcome,
            Snapshot(now=now),
            call=call,
            elapsed_seconds=rang,
            rounds=decision.round,
        )
    assert isinstance(decision, Ring | End | Nothing)
    assert describe_plan(plan)


@settings(max_examples=100)
@given(tables=plans)
def test_every_ending_of_any_plan_is_a_sound_document(tables: dict[str, Any]) -> None:
    plan = loaded(tables)
    if plan is not None:
        for name in ENDINGS:
            ending = plan.ending_named(name)
            assert broken_rules(voicemail_taken_document(ending)) == []


KEYS = [
    *("a", "b", "routes", "main", "steps", "ring", "number", "user", "after", "missed", "hours", "monday", "blocked"),
    *("callers", "called", "greeting", "say", "play", "endings", "e1", "voicemail", "ending"),
]
junk = st.recursive(
    st.none() | flags | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(NAMES + ENDINGS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


def _with_junk(tables: dict[str, Any], path: list[int], value: object) -> dict[str, Any]:
    """Put a value somewhere into the tables: each number of the path picks a key."""
    if not path or not tables:
        return tables
    key = list(tables)[path[0] % len(tables)]
    inner = tables[key]
    replaced = _with_junk(inner, path[1:], value) if isinstance(inner, dict) and len(path) > 1 else value
    return {**tables, key: replaced}


def _refused_in_sentences(load: Callable[[], Plan]) -> None:
    problems: tuple[str, ...] = ("plan.toml is loaded",)
    try:
        load()
    except PlanError as error:
        problems = error.problems
    assert problems
    assert all(problem.startswith("plan.toml") for problem in problems)


@settings(max_examples=150)
@given(tables=plans, path=st.lists(st.integers(0, 20), min_size=1, max_size=6), value=junk)
def test_a_plan_with_junk_in_it_loads_or_is_refused_in_sentences(
    tables: dict[str, Any], path: list[int], value: object
) -> None:
    _refused_in_sentences(lambda: plan_from_tables(_with_junk(tables, path, value), source="plan.toml"))


@settings(max_examples=150)
@given(tables=st.dictionaries(st.sampled_from(["routes", "endings", "main"]), junk))
def test_pure_junk_is_refused_in_sentences(tables: dict[str, Any]) -> None:
    _refused_in_sentences(lambda: plan_from_tables(tables, source="plan.toml"))
