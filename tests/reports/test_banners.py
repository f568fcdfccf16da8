"""The dashboard warns of what is wrong, and stays quiet while all is well."""

import re
from pathlib import Path

import pytest

from app.records.model.ids import now
from app.records.model.receipt import Receipt
from app.records.model.state import Placement
from app.records.reading.anomalies import Anomalies
from app.reports.pages.banners import find_banners
from app.voice.events import Kind
from config import Config
from tests.reports.conftest import REPORTS_TOKEN, Caller
from tests.reports.history import make_receipt

HOUR = 3_600_000
HEALTHY = Anomalies(unreported=0, open_too_long=0)


def banners(caller: Caller) -> list[str]:
    """Return the titles of the banners on the page, without the one about signatures."""
    caller.client.get(f"/login?token={REPORTS_TOKEN}")
    titles = re.findall(r'<div class="alert[^>]*><strong>(.*?)\.</strong>', caller.client.get("/?range=today").text)
    return [title for title in titles if title != "Signatures are not enforced"]


def answered(number: int, hours_ago: float) -> Receipt:
    """Return the receipt of a call that was answered with a dial some hours ago."""
    call = {"CallUUID": f"call-{number}", "From": "+14155550199", "To": "+14155550100"}
    placement = Placement(dial_id=f"dial{number}", targets=("+14155550123",), route="main")
    return make_receipt(Kind.ANSWER, now() - round(hours_ago * HOUR), call, placement=placement)


def test_unchecked_signatures_are_a_warning_until_they_are_enforced(lite_caller: Caller) -> None:
    unchecked = find_banners(lite_caller.services.config, HEALTHY, spooled=0)
    checked = find_banners(
        Config.load({"PLIVO_AUTH_TOKEN": "a-made-up-token", "DIAL_TO": "+14155550123"}), HEALTHY, spooled=0
    )

    assert [banner.title for banner in unchecked] == ["Signatures are not enforced"]
    assert checked == []


def test_a_demonstration_that_this_machine_alone_reaches_is_no_warning(tmp_path: Path) -> None:
    demo = Config.load({"INSTANCE_DIR": str(tmp_path), "DIAL_TO": "+14155550123", "SIMULATED_TIME": "true"})

    assert find_banners(demo, HEALTHY, spooled=0) == []


def test_calls_without_any_report_are_a_warning_until_one_arrives(caller: Caller) -> None:
    caller.services.journal.append_all([answered(number, hours_ago=2) for number in range(3)])
    assert banners(caller) == ["Calls arrive, but no reports"]

    caller.end("call-1", "dial1", "busy")

    assert banners(caller) == []


def test_calls_that_have_just_begun_are_no_warning(caller: Caller) -> None:
    caller.services.journal.append_all([answered(number, hours_ago=0.05) for number in range(5)])

    assert banners(caller) == []


def test_the_first_call_without_a_report_is_a_warning_after_minutes(caller: Caller) -> None:
    caller.services.journal.append(answered(0, hours_ago=0.1))

    assert banners(caller) == ["Calls arrive, but no reports"]
    assert "The last dial was not reported." in caller.client.get("/?range=today").text


@pytest.mark.parametrize("hours_ago", [0.5, 3], ids=["lately", "within the day"])
@pytest.mark.parametrize(
    ("kind", "news"),
    [
        (Kind.ACTION, {"DialStatus": "busy"}),
        (Kind.HANGUP, {"CallStatus": "completed", "HangupCauseName": "Normal Hangup"}),
        (Kind.CALLBACK, {"DialAction": "answer", "DialBLegUUID": "b-leg", "DialBLegTo": "14155550123"}),
    ],
    ids=["a report", "a hangup", "who answered"],
)
def test_any_report_within_a_day_prevents_a_warning_about_long_calls(
    caller: Caller, kind: Kind, news: dict[str, str], hours_ago: float
) -> None:
    at = now() - round(hours_ago * HOUR)
    caller.services.journal.append_all(
        [
            answered(0, hours_ago=hours_ago),
            make_receipt(kind, at + 5000, {"CallUUID": "call-0", **news}, dial_id="dial0"),
            answered(1, hours_ago=0.4),
        ]
    )

    assert banners(caller) == []


def test_reports_of_the_day_before_do_not_hide_that_none_arrive_now(caller: Caller) -> None:
    report = make_receipt(Kind.ACTION, now() - 25 * HOUR, {"CallUUID": "call-0", "DialStatus": "busy"}, dial_id="dial0")
    caller.services.journal.append_all([answered(0, hours_ago=26), report, answered(1, hours_ago=0.2)])

    assert banners(caller) == ["Calls arrive, but no reports"]


@pytest.mark.parametrize(("dials", "title"), [(1, "1 dial never ended"), (2, "2 dials never ended")])
def test_dials_that_are_open_for_too_long_are_a_warning(caller: Caller, dials: int, title: str) -> None:
    caller.services.journal.append_all([answered(number, hours_ago=30) for number in range(dials)])

    assert banners(caller) == [title]


@pytest.mark.parametrize(
    ("waiting", "title"), [(1, "1 report waits on disk"), (1200, "1,200 reports wait on disk")], ids=["one", "many"]
)
def test_a_spool_that_is_not_empty_is_the_first_warning(lite_caller: Caller, waiting: int, title: str) -> None:
    signs = Anomalies(unreported=9, open_too_long=100)

    titles = [banner.title for banner in find_banners(lite_caller.services.config, signs, spooled=waiting)]

    assert titles == [
        title,
        "Calls arrive, but no reports",
        "100 or more dials never ended",
        "Signatures are not enforced",
    ]
