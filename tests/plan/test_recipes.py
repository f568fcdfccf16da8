"""Each recipe of the documentation loads, and a call walks through it as the recipe promises."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.ops.feeds import Feeds
from app.plan.document import document
from app.plan.load import load_plan
from app.plan.next import Decision, End, Ring, after, start
from app.plan.snapshot import LiveState, Snapshot
from app.voice.outcome import Outcome
from tests.plan.plivo_rules import broken_rules
from tests.plan.support import MONDAY_TEN, RECIPES, URLS, inbound

OFFICE, EMERGENCY, OTHER = "14155550100", "+1 415 555 0101", "+14155550102"
IN_OFFICE_HOURS = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)  # Monday, 10:00 in Los Angeles.
AT_NIGHT = IN_OFFICE_HOURS + timedelta(hours=12)
ON_SATURDAY = IN_OFFICE_HOURS + timedelta(days=5)
CALLER = "+14155550123"


def walk(
    recipe: str,
    outcomes: str,
    *,
    called: str = OTHER,
    caller: str | None = CALLER,
    now: datetime = MONDAY_TEN,
    stir: tuple[str | None, str | None] = (None, None),
) -> list[str]:
    """Go through a recipe with these outcomes; return what the caller gets, in short."""
    plan = load_plan(RECIPES / f"{recipe}.toml")
    call = inbound(called, caller)._replace(verification=stir[0], attestation=stir[1])
    decision: Decision = start(plan, call, Snapshot(now=now))
    taken, elapsed = [in_short(decision)], 0
    for outcome in outcomes.split():
        assert isinstance(decision, Ring)
        elapsed += decision.timeout
        decision = after(
            plan,
            decision.route,
            decision.step.name,
            Outcome(outcome),
            Snapshot(now=now),
            call=call,
            elapsed_seconds=elapsed,
            rounds=decision.round,
            memory=decision.memory.after_dial(Outcome(outcome), {}),
        )
        taken.append(in_short(decision))
    assert broken_rules(document(decision, URLS)) == []
    return taken


def first_at(recipe: str, moment: str, directory: Path) -> str:
    """Return what a caller gets first at a moment in Los Angeles, by the calendars beside the recipe."""
    plan = load_plan(RECIPES / f"{recipe}.toml")
    now = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("America/Los_Angeles")).astimezone(UTC)
    live, feeds = LiveState(), Feeds(plan, directory, allow_private=False)
    feeds.refresh()
    feeds.publish(live, now)
    called = "+14155550101" if recipe == "on-call" else OFFICE
    decision = start(plan, inbound(called, CALLER), live.at(now))
    assert broken_rules(document(decision, URLS)) == []
    if isinstance(decision, Ring) and recipe == "on-call":
        return " ".join(target.address for target in decision.targets)
    return in_short(decision)


def in_short(decision: Decision) -> str:
    if isinstance(decision, Ring):
        return f"{decision.step.name} {decision.timeout}"
    return decision.name if isinstance(decision, End) else "over"


def test_the_documentation_names_every_recipe() -> None:
    page = (RECIPES.parent / "dial-plan.md").read_text("utf-8")

    assert all(f"plans/{path.name}" in page for path in RECIPES.glob("*.toml"))
    assert {path.stem for path in RECIPES.glob("*.toml")} == {
        "one-number",
        "ring-all",
        "one-after-another",
        "office-hours",
        "accept-key",
        "sip-phones",
        "fair-team",
        "written-message",
        "unverified-callers",
        "holidays",
        "on-call",
    }


@pytest.mark.parametrize(
    ("outcomes", "taken"),
    [("missed", ["phone 25", "nobody"]), ("answered", ["phone 25", "over"]), ("caller_gave_up", ["phone 25", "over"])],
)
def test_one_number(outcomes: str, taken: list[str]) -> None:
    assert walk("one-number", outcomes) == taken


def test_ring_all() -> None:
    assert walk("ring-all", "busy") == ["everybody 30", "sorry"]


@pytest.mark.parametrize(
    ("outcomes", "taken"),
    [
        ("missed missed missed", ["desk 15", "mobile 20", "colleague 20", "message"]),
        ("missed busy answered", ["desk 15", "mobile 20", "colleague 20", "over"]),
        ("busy unreachable", ["desk 15", "colleague 20", "message"]),
        ("rejected", ["desk 15", "message"]),
    ],
)
def test_one_after_another(outcomes: str, taken: list[str]) -> None:
    assert walk("one-after-another", outcomes) == taken


@pytest.mark.parametrize(
    ("called", "now", "caller", "taken"),
    [
        (OFFICE, IN_OFFICE_HOURS, CALLER, "front_desk 20"),
        (OFFICE, AT_NIGHT, CALLER, "message"),
        (OFFICE, IN_OFFICE_HOURS, "19005550100", "rejected"),
        (OFFICE, IN_OFFICE_HOURS, "+14155550166", "rejected"),
        (OFFICE, IN_OFFICE_HOURS, "anonymous", "rejected"),
        (EMERGENCY, IN_OFFICE_HOURS, "anonymous", "day_shift 30"),
        (EMERGENCY, ON_SATURDAY, CALLER, "weekend 60"),
        (OTHER, AT_NIGHT, CALLER, "elsewhere"),
        (None, AT_NIGHT, CALLER, "elsewhere"),
    ],
)
def test_office_hours(called: str, now: datetime, caller: str, taken: str) -> None:
    assert walk("office-hours", "", called=called, now=now, caller=caller) == [taken]


def test_the_emergency_number_tries_the_day_shift_last() -> None:
    assert walk("office-hours", "missed failed", called=EMERGENCY, now=ON_SATURDAY) == [
        "weekend 60",
        "day_shift 30",
        "nobody",
    ]


def test_accept_key() -> None:
    assert walk("accept-key", "rejected rejected missed missed") == [
        "desk 20",
        "mobile 20",
        "desk 20",
        "mobile 20",
        "goodbye",
    ]
    assert walk("accept-key", "rejected busy") == ["desk 20", "mobile 20", "goodbye"]


@pytest.mark.parametrize(
    ("called", "caller", "outcomes", "taken"),
    [
        (OFFICE, CALLER, "missed", ["phones 25", "goodbye"]),
        ("442071838750", "sip:front@phone.plivo.com", "busy", ["out 60", "busy"]),
        ("4930123456", "sip:front@phone.plivo.com", "", ["cannot_be_dialled"]),
        ("442071838750", "sip:stranger@phone.plivo.com", "", ["nobody"]),
    ],
)
def test_sip_phones(called: str, caller: str, outcomes: str, taken: list[str]) -> None:
    assert walk("sip-phones", outcomes, called=called, caller=caller) == taken


def test_fair_team() -> None:
    assert walk("fair-team", "missed rejected missed missed") == [
        "one_of_us 15",
        "one_of_us 15",
        "one_of_us 15",
        "all_of_us 25",
        "message",
    ]


@pytest.mark.parametrize(
    ("outcomes", "taken"),
    [
        ("missed missed", ["desk 20", "desk 30", "message"]),
        ("missed busy", ["desk 20", "desk 30", "engaged"]),
        ("busy answered", ["desk 20", "desk 30", "over"]),
    ],
)
def test_written_message(outcomes: str, taken: list[str]) -> None:
    assert walk("written-message", outcomes) == taken


@pytest.mark.parametrize(
    ("verification", "attestation", "outcomes", "taken"),
    [
        ("Verified", "A", "missed", ["desk 25", "message"]),
        ("Not Applicable", "Not Applicable", "", ["desk 25"]),
        ("Not Verified", "B", "missed rejected", ["careful 20", "careful 20", "message"]),
        ("Not Verified", "C", "", ["message"]),
        (None, None, "", ["careful 20"]),
    ],
)
def test_unverified_callers(verification: str | None, attestation: str | None, outcomes: str, taken: list[str]) -> None:
    assert walk("unverified-callers", outcomes, stir=(verification, attestation)) == taken


@pytest.mark.parametrize(
    ("moment", "got"),
    [
        ("2026-12-16 11:59", "desk 25"),
        ("2026-12-16 12:30", "message"),  # The team's lunch.
        ("2026-12-19 11:00", "desk 25"),  # The Saturday that is open.
        ("2026-12-24 11:00", "desk 25"),
        ("2026-12-24 12:00", "message"),
        ("2026-12-25 11:00", "message"),  # A holiday.
        ("2026-12-28 11:00", "message"),
        ("2027-01-04 11:00", "desk 25"),
    ],
)
def test_holidays(moment: str, got: str, tmp_path: Path) -> None:
    assert first_at("holidays", moment, tmp_path) == got


@pytest.mark.parametrize(
    ("moment", "got"),
    [
        ("2026-01-04 12:00", "+14155550163"),  # Nobody yet.
        ("2026-11-22 23:59", "+14155550162"),
        ("2026-11-23 00:00", "+14155550161"),
        ("2026-11-30 00:00", "+14155550162"),
    ],
)
def test_on_call(moment: str, got: str, tmp_path: Path) -> None:
    assert first_at("on-call", moment, tmp_path) == got
