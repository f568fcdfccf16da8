"""`flask doctor`: the Plivo account, at a real HTTP server."""

from datetime import UTC, datetime, timedelta

import pytest

from app.account.remote_checks import check_clock
from tests.account.conftest import Examine
from tests.account.plivo_api import PlivoApi

# Nothing answers there, and nothing of these tests leaves this machine.
NOWHERE = "http://127.0.0.1:1"


NUMBER = "14155550199"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Let PUBLIC_URL lead nowhere, until a test has something to lead it to."""
    return environ | {"PUBLIC_URL": NOWHERE}


def test_an_application_wired_by_hand_shows_what_is_wrong_with_it(plivo_api: PlivoApi, examine: Examine) -> None:
    plivo_api.add_application("900", "dialstatus", answer_method="GET", answer_url=f"{NOWHERE}/dialstatus")
    plivo_api.applications["900"]["hangup_url"] = f"{NOWHERE}/dialstatus"
    plivo_api.add_application("901", "another")
    plivo_api.add_number(NUMBER, "901")

    checks = examine("--number", f"+{NUMBER}")

    assert checks["application"]["ok"] is True
    assert "answer_method is GET, not POST" in checks["application URLs"]["said"]
    assert "Plivo posts hangups to the answer URL" in checks["hangup URL"]["said"]
    assert checks["numbers"]["said"] == f"+{NUMBER} not on dialstatus"


def test_an_application_that_is_not_there_is_reported_with_the_command_that_makes_it(examine: Examine) -> None:
    check = examine()["application"]

    assert check["ok"] is False
    assert "flask plivo setup" in check["advice"]


def test_an_application_without_numbers_is_reported(plivo_api: PlivoApi, examine: Examine) -> None:
    plivo_api.add_application("900", "dialstatus")

    assert examine()["numbers"]["said"] == "there is no number on dialstatus"


def test_a_plivo_that_is_down_is_one_failed_check(plivo_api: PlivoApi, examine: Examine) -> None:
    plivo_api.trouble(503, times=99, path="/v1/", headers={"Retry-After": "0"})

    assert "fault of its own" in examine()["token"]["said"]


@pytest.mark.parametrize(
    ("theirs", "ok", "said"),
    [
        (timedelta(), True, "agrees with Plivo's"),
        (timedelta(seconds=90), False, "90 seconds behind Plivo's"),
        (timedelta(seconds=-31), False, "31 seconds ahead of Plivo's"),
    ],
)
def test_a_clock_that_is_wrong_is_reported(theirs: timedelta, ok: bool, said: str) -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)

    check = check_clock(now + theirs, now)

    assert (check.ok, check.said) == (ok, said)


@pytest.mark.parametrize(
    ("account", "configured", "ok", "said"),
    [
        ("UTC", "UTC", True, "PLIVO_TIMEZONE is UTC"),
        ("Asia/Kolkata", "UTC", False, "PLIVO_TIMEZONE is UTC, but the account is in Asia/Kolkata"),
        ("UTC", "America/Los_Angeles", False, "PLIVO_TIMEZONE is America/Los_Angeles, but the account is in UTC"),
        ("Asia/Kolkata", "Asia/Calcutta", True, "PLIVO_TIMEZONE is Asia/Calcutta, and so is the account"),
        ("Europe/London", "UTC", False, "but the account is in Europe/London"),
        ("Europe/Paris", "Africa/Lagos", False, "but the account is in Europe/Paris"),
        ("Moon/Tranquility", "UTC", None, "'Moon/Tranquility', which this machine does not know"),
        ("../../etc/passwd", "UTC", None, "which this machine does not know"),
        (None, "UTC", None, "the account has none"),
    ],
)
def test_the_time_zone_of_the_account_is_compared(
    plivo_api: PlivoApi,
    examine: Examine,
    environ: dict[str, str],
    account: str | None,
    configured: str,
    ok: bool | None,
    said: str,
) -> None:
    plivo_api.timezone, environ["PLIVO_TIMEZONE"] = account, configured

    check = examine()["time zone"]

    assert (check["ok"], said in check["said"]) == (ok, True), check
    assert (f"Set PLIVO_TIMEZONE={account}" in check["advice"]) == (ok is False)


def test_an_account_whose_time_zone_cannot_be_read_leaves_the_other_checks(
    plivo_api: PlivoApi, examine: Examine
) -> None:
    plivo_api.add_application("900", "dialstatus")
    plivo_api.hides_account = True

    checks = examine()

    assert checks["time zone"]["ok"] is None
    assert checks["application"]["ok"] is True
