"""Dates, calendars, holidays, switches and rotas change what a caller gets, each by one rule."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.plan.dates import parse_until
from app.plan.document import document
from app.plan.hours import WEEKDAYS, Hours
from app.plan.model import Plan
from app.plan.next import End, after, start
from app.plan.snapshot import Snapshot, Source, Switch, Timeline
from app.voice.outcome import Outcome
from tests.plan.plivo_rules import broken_rules
from tests.plan.support import MONDAY_TEN, URLS, in_short, inbound, plan_of, problems_of

BERLIN = ZoneInfo("Europe/Berlin")
TEAM, STATE = Source("team.ics", "Europe/Berlin"), Source("DE-BY", "Europe/Berlin")
OPENING = {"url": "team.ics", "events": "open"}
HOURS = '[routes.main]\nending = "hangup"\n[routes.main.hours]\ntime_zone = "UTC"\notherwise = "busy"\n'


def local(text: str) -> datetime:
    """Return a moment by the clock of Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def during(start: str, end: str, *values: str) -> Timeline:
    """Return the timeline of one event by the clock of Berlin."""
    return Timeline.of([(int(local(start).timestamp()), int(local(end).timestamp()), values)])


def hours_of(**keys: object) -> Hours:
    """Return hours that are open on weekdays from nine to five, with these keys."""
    weekdays = {day: ["09:00-17:00"] for day in WEEKDAYS[:5]}
    return Hours.model_validate({"time_zone": "Europe/Berlin", "otherwise": "hangup", **weekdays, **keys})


@pytest.mark.parametrize(
    ("closed", "moment", "is_open"),
    [
        ("2026-12-25", "2026-12-25 10:00", False),
        ("2026-12-25", "2026-12-24 10:00", True),
        ("2026-12-25", "2028-12-25 10:00", True),
        ("12-25", "2028-12-25 10:00", False),
        ("12-24 12:00-24:00", "2026-12-24 11:59", True),
        ("12-24 12:00-24:00", "2026-12-24 12:00", False),
        ("2026-12-21 to 2026-12-23", "2026-12-22 10:00", False),
        ("2026-12-21 to 2026-12-23", "2026-12-24 10:00", True),
        ("2026-12-21 to 2026-12-23 15:00-17:00", "2026-12-22 10:00", True),
        ("2026-12-21 to 2026-12-23 15:00-17:00", "2026-12-23 16:00", False),
        ("12-28 to 01-02", "2026-12-29 10:00", False),
        ("12-28 to 01-02", "2027-01-01 10:00", False),
        ("12-28 to 01-02", "2027-01-04 10:00", True),
        ("02-29", "2028-02-29 10:00", False),
    ],
)
def test_a_closed_date_closes_its_days_and_hours(closed: str, moment: str, is_open: bool) -> None:
    assert hours_of(closed=[closed]).is_open(local(moment)) is is_open


@pytest.mark.parametrize(
    ("keys", "moment", "state"),
    [
        ({}, "2026-12-25 10:00", (True, "")),
        ({"open": ["12-26 10:00-12:00"]}, "2026-12-26 11:00", (True, "12-26 10:00-12:00")),
        ({"open": ["12-26 10:00-12:00"]}, "2026-12-26 13:00", (False, "")),
        ({"open": ["12-25"], "closed": ["12-25"]}, "2026-12-25 23:00", (True, "12-25")),
        ({"closed": ["12-25"], "calendar": "team.ics"}, "2026-12-25 10:00", (False, "12-25")),
        ({"calendar": "team.ics"}, "2026-12-25 10:00", (False, "calendar: Party")),
        ({"calendar": "team.ics"}, "2026-12-25 12:00", (True, "")),
        ({"calendar": OPENING}, "2026-12-25 11:59", (True, "calendar: Party")),
        ({"calendar": OPENING, "holidays": "DE-BY"}, "2026-12-25 10:00", (True, "calendar: Party")),
        ({"holidays": "DE-BY"}, "2026-12-25 10:00", (False, "holiday: Christmas Day")),
        ({"holidays": "DE-BY"}, "2026-12-28 10:00", (True, "")),
        ({"holidays": "DE-BY", "open": ["12-25 09:00-11:00"]}, "2026-12-25 10:00", (True, "12-25 09:00-11:00")),
        ({"holidays": "US-CA"}, "2026-12-25 10:00", (True, "")),  # Not known yet: the weekday decides.
    ],
)  # fmt: skip
def test_the_first_rule_that_holds_decides(keys: dict[str, object], moment: str, state: tuple[bool, str]) -> None:
    days = {
        TEAM: during("2026-12-25 08:00", "2026-12-25 12:00", "Party"),
        STATE: during("2026-12-25", "2026-12-26", "Christmas Day"),
    }

    assert hours_of(**keys).state(local(moment), days) == state


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('closed = ["25.12."]', "closed entry 1: '25.12.' is no date; write 2026-12-25"),
        ('closed = ["2026-02-30"]', "closed entry 1: '2026-02-30' names a day that no calendar has"),
        ('closed = ["2026-12-24 to 2026-12-20"]', "'2026-12-24 to 2026-12-20' does not end after it begins"),
        ('closed = ["2026-12-24 to 12-26"]', "'2026-12-24 to 12-26' does not end after it begins"),
        ('closed = ["12-24 18:00-08:00"]', "'18:00-08:00' does not end after it starts on the same day"),
        ('holidays = "Bavaria"', "holidays is 'Bavaria'; write a country, or a part of one, such as DE or US-CA"),
        ('calendar = "ftp://example.com/a.ics"', "'ftp://example.com/a.ics' is no calendar; write the URL of one"),
        ('calendar = { url = "a.ics", events = "shut" }', "events is 'shut'; write close or open"),
        ('calendar = { address = "a.ics" }', "address is an unknown key"),
        ("calendar = 5", "url: 5 is no calendar; write the URL of one, or the path of an .ics file"),
        ("closed = [2026-12-25]", 'closed entry 1: 2026-12-25 stands without quotes; write "2026-12-25"'),
    ],
)
def test_a_wrong_day_is_one_sentence(line: str, problem: str) -> None:
    problems = problems_of(f'{HOURS}monday = ["09:00-17:00"]\n{line}')

    assert any(problem in sentence for sentence in problems), problems


@pytest.mark.parametrize("address", ["webcal://a.example/b.ics", "HTTPS://a.example/b.ics"])
def test_the_scheme_of_a_calendar_may_be_written_as_people_do(address: str) -> None:
    calendar = plan_of(f'{HOURS}calendar = "{address}"').routes["main"].hours

    assert calendar is not None
    assert calendar.calendar is not None
    assert calendar.calendar.url == "https://a.example/b.ics"


@pytest.mark.parametrize("keys", ['open = ["12-24"]', 'calendar = { url = "a.ics", events = "open" }'])
def test_hours_need_no_weekday_where_something_else_opens(keys: str) -> None:
    assert plan_of(HOURS + keys)


SHOP = plan_of("""
    [routes.shop]
    ending = "busy"
    [routes.shop.hours]
    time_zone = "UTC"
    monday = ["09:00-17:00"]
    otherwise = "message"
    [routes.shop.steps.desk]
    ring = ["+14155550111"]
    [routes.always]
    called = ["+14155550177"]
    ending = "rejected"
    blocked = { callers = ["+19005550100"], ending = "hangup" }
    steps = { desk = { ring = ["+14155550111"] } }
    [endings.message]
    voicemail = "Speak."
    """)
EVENING = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("switch", "called", "now", "got"),
    [
        (Switch(is_open=False), "+14155550100", MONDAY_TEN, "message"),
        (Switch(is_open=False), "+14155550177", MONDAY_TEN, "rejected"),
        (Switch(is_open=False, until=EVENING), "+14155550100", MONDAY_TEN, "message"),
        (Switch(is_open=False, until=MONDAY_TEN), "+14155550100", MONDAY_TEN, "desk: +14155550111"),
        (Switch(is_open=True), "+14155550100", EVENING, "desk: +14155550111"),
        (Switch(is_open=True, until=EVENING), "+14155550100", EVENING, "message"),
        (Switch(is_open=False, say="Back at three."), "+14155550100", MONDAY_TEN, "closed by hand"),
    ],
)
def test_a_switch_outranks_the_hours_while_it_holds(switch: Switch, called: str, now: datetime, got: str) -> None:
    snapshot = Snapshot(now=now, switches={"shop": switch, "always": switch})

    decision = start(SHOP, inbound(called), snapshot)

    assert in_short(decision) == got
    assert broken_rules(document(decision, URLS)) == []


def test_the_sentence_of_a_switch_is_said_and_counts_as_closed() -> None:
    snapshot = Snapshot(now=MONDAY_TEN, switches={"shop": Switch(is_open=False, say="Back at three <soon> & then.")})

    decision = start(SHOP, inbound(), snapshot)

    assert isinstance(decision, End)
    assert decision.why == "closed"
    assert "Back at three &lt;soon&gt; &amp; then." in document(decision, URLS)


def test_a_switch_is_for_its_route_and_not_for_blocked_callers() -> None:
    switches = {"always": Switch(is_open=False, say="Closed.")}
    snapshot = Snapshot(now=MONDAY_TEN, switches=switches)

    assert in_short(start(SHOP, inbound(), snapshot)) == "desk: +14155550111"
    assert in_short(start(SHOP, inbound("+14155550177", "+19005550100"), snapshot)) == "hangup"


def rota(otherwise: str = ', otherwise = "+14155550113"', beside: str = "") -> Plan:
    """Return a plan whose first step rings a rota."""
    return plan_of(f"""
        [routes.main]
        called = ["*", "+14155550100"]
        [routes.main.steps.oncall]
        ring = [{{ rota = "https://calendar.example.com/secret.ics"{otherwise} }}{beside}]
        [routes.main.steps.office]
        ring = ["+14155550112"]
        """)


ROTA = Source("https://calendar.example.com/secret.ics", "UTC")
HOUR = 3600
MANY = tuple(f"+1415555{number}" for number in range(1000, 1100))


def on_call(*numbers: str) -> Snapshot:
    """Return a snapshot in which these numbers are on call for an hour."""
    at = int(MONDAY_TEN.timestamp())
    return Snapshot(now=MONDAY_TEN, oncall={ROTA: Timeline.of([(at, at + HOUR, (one,)) for one in numbers])})


@pytest.mark.parametrize(
    ("plan", "snapshot", "got"),
    [
        (rota(), on_call("+14155550161"), "oncall: +14155550161"),
        (rota(), on_call("+14155550161", "+14155550162"), "oncall: +14155550161 +14155550162"),
        (rota(), on_call(*MANY), f"oncall: {' '.join(MANY[:20])}"),
        (rota(), on_call(), "oncall: +14155550113"),
        (rota(), Snapshot(now=MONDAY_TEN), "oncall: +14155550113"),
        (rota(otherwise=""), on_call(), "office: +14155550112"),
        (rota(otherwise=""), on_call("+14155550100"), "office: +14155550112"),  # A number of ours.
        (rota(), on_call("+14155550123"), "office: +14155550112"),  # The caller.
        (rota(beside=', "+14155550161"'), on_call("+14155550161"), "oncall: +14155550161"),
        (rota(otherwise=', otherwise = "sip:ann@phone.plivo.com"'), on_call(), "oncall: sip:ann@phone.plivo.com"),
    ],
)
def test_a_rota_rings_who_is_on_call(plan: Plan, snapshot: Snapshot, got: str) -> None:
    decision = start(plan, inbound(), snapshot)

    assert in_short(decision) == got
    assert broken_rules(document(decision, URLS)) == []


def test_a_later_step_asks_who_is_on_call_then() -> None:
    plan = plan_of("""
        [routes.main.steps.office]
        ring = ["+14155550112"]
        [routes.main.steps.oncall]
        ring = [{ rota = "https://calendar.example.com/secret.ics" }]
        """)

    decision = after(
        plan,
        plan.routes["main"],
        "office",
        Outcome.MISSED,
        on_call("+14155550161"),
        call=inbound(),
        elapsed_seconds=30,
        rounds=1,
    )

    assert in_short(decision) == "oncall: +14155550161"


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ('{ number = "+14155550111", otherwise = "+14155550112" }', "otherwise and time_zone are for a rota"),
        ('{ rota = "a.ics", send_digits = "1" }', "a rota takes otherwise, time_zone and timeout alone"),
        ('{ rota = "a.ics", number = "+14155550111" }', "there is not exactly one of number, user and rota"),
        ('{ rota = "https://example.com/a.ics", otherwise = "reception" }', "otherwise is 'reception'"),
        ('{ rota = "oncall" }', "'oncall' is no calendar"),
        ('"+14155550111", { rota = "a.ics", otherwise = "+14155550111" }', "ring has +14155550111 2 times"),
    ],
)
def test_a_wrong_rota_is_one_sentence(target: str, problem: str) -> None:
    problems = problems_of(f"[routes.main.steps.a]\nring = [{target}]")

    assert any(problem in sentence for sentence in problems), problems


@pytest.mark.parametrize(
    ("text", "now", "until"),
    [
        ("15:00", "2026-11-28T12:00Z", "2026-11-28T14:00Z"),
        ("15:00", "2026-11-28T14:00Z", "2026-11-29T14:00Z"),
        ("24:00", "2026-11-28T14:00Z", "2026-11-28T23:00Z"),
        ("2026-12-31 24:00", "2026-11-28T14:00Z", "2026-12-31T23:00Z"),
        ("2028-02-29T09:05", "2026-11-28T14:00Z", "2028-02-29T08:05Z"),
        ("02:30", "2026-10-24T23:00Z", "2026-10-25T00:30Z"),  # Clocks are set back from 03:00 to 02:00.
        ("02:30", "2026-10-25T00:40Z", "2026-10-25T01:30Z"),
        ("02:30", "2026-10-25T01:40Z", "2026-10-26T01:30Z"),
        ("02:30", "2026-03-29T00:10Z", "2026-03-29T01:30Z"),  # Clocks are set forward from 02:00 to 03:00.
    ],
)
def test_a_switch_holds_until_the_clock_of_the_place_says_so(text: str, now: str, until: str) -> None:
    found = parse_until(text, ZoneInfo("Europe/Berlin"), datetime.fromisoformat(now))

    assert found.astimezone(UTC) == datetime.fromisoformat(until)


@pytest.mark.parametrize(
    ("second", "values"),
    [(-1, ()), (0, ("a",)), (5, ("a", "b")), (9, ("a", "b")), (10, ("b",)), (15, ()), (20, ("c", "a")), (30, ())],
)
def test_a_timeline_knows_what_holds_at_each_moment(second: int, values: tuple[str, ...]) -> None:
    timeline = Timeline.of([(20, 30, ("c", "a")), (5, 15, ("b",)), (0, 10, ("a",)), (22, 24, ("c",))])

    assert timeline.at(datetime.fromtimestamp(second, UTC)) == values
