"""`flask plivo setup` and `restore` over a real HTTP server."""

import json
from pathlib import Path

import pytest

from tests.account.conftest import PUBLIC_URL, Cli
from tests.account.plivo_api import PlivoApi

NUMBER = "14155550199"


SETUP = ("setup", "--number", "+1 (415) 555-0199")


CONTROL = "ct=2000&rt=3000&tt=15000&rc=2&rp=ct,rt,5xx"


NOTICE = "ct=5000&rt=10000&tt=55000&rc=5&rp=ct,rt,5xx"


def ours(public_url: str = PUBLIC_URL) -> dict[str, str]:
    return {
        "answer_url": f"{public_url}/dialstatus/#{CONTROL}",
        "answer_method": "POST",
        "hangup_url": f"{public_url}/dialstatus/hangup/#{NOTICE}",
        "hangup_method": "POST",
        "fallback_answer_url": f"{public_url}/dialstatus/fallback/#{CONTROL}",
        "fallback_method": "POST",
    }


def the_application(plivo_api: PlivoApi, name: str = "dialstatus") -> dict[str, object]:
    return next(app for app in plivo_api.applications.values() if app["app_name"] == name)


def application_of(plivo_api: PlivoApi, number: str = NUMBER) -> str | None:
    path = plivo_api.numbers[number]["application"]
    return str(path).split("/")[-2] if path else None


def test_setup_makes_the_application_and_puts_the_number_on_it(account: PlivoApi, run: Cli) -> None:
    result = run(*SETUP, "--yes")

    assert result.exit_code == 0, result.output
    made = the_application(account)
    assert made | ours() == made
    assert application_of(account) == made["app_id"]
    assert "answer_url: – → https://calls.example.com/dialstatus/#" in result.output
    assert "application: 107 → dialstatus" in result.output
    assert "flask plivo restore" in result.output


def test_setup_run_twice_changes_nothing_the_second_time(account: PlivoApi, run: Cli) -> None:
    run(*SETUP, "--yes")
    written = len(account.writes())

    result = run(*SETUP)

    assert result.exit_code == 0
    assert "Nothing to change: dialstatus answers +14155550199 at https://calls.example.com." in result.output
    assert len(account.writes()) == written


def test_setup_changes_only_what_differs_and_leaves_the_rest_alone(account: PlivoApi, run: Cli) -> None:
    account.add_application(
        "900",
        "dialstatus",
        **ours() | {"hangup_method": "GET"},
        default_app=True,
        log_incoming_messages=False,
    )
    account.add_number(NUMBER, "900")

    result = run(*SETUP, "--yes")

    assert "hangup_method: GET → POST" in result.output
    assert "answer_url" not in result.output
    assert [asked.body for asked in account.writes()] == [ours()]
    assert account.applications["900"]["default_app"] is True
    assert account.applications["900"]["log_incoming_messages"] is False


def test_setup_asks_first_and_a_no_changes_nothing(account: PlivoApi, run: Cli) -> None:
    result = run(*SETUP, answer="n\n")

    assert result.exit_code == 1
    assert "Change this at Plivo?" in result.output
    assert account.writes() == []


def test_a_dry_run_shows_the_plan_and_changes_nothing(account: PlivoApi, run: Cli) -> None:
    result = run(*SETUP, "--dry-run")

    assert result.exit_code == 0
    assert "application dialstatus (new)" in result.output
    assert account.writes() == []


def test_restore_puts_back_what_was_before_the_first_setup(
    account: PlivoApi, run: Cli, environ: dict[str, str]
) -> None:
    account.add_application("900", "dialstatus", answer_method="GET", hangup_url="")
    before = account.applications["900"].copy()
    run(*SETUP, "--yes")
    run(*SETUP, "--yes", "--url", "https://elsewhere.example.com")

    result = run("restore", "--yes")

    assert result.exit_code == 0, result.output
    assert account.applications["900"] == before
    assert application_of(account) == "107"
    assert not list(Path(environ["INSTANCE_DIR"]).glob("plivo_*"))
    assert "Nothing to restore" in run("restore").output


def test_restore_removes_the_application_that_setup_made(account: PlivoApi, run: Cli) -> None:
    run(*SETUP, "--yes")

    result = run("restore", answer="y\n")

    assert "which setup had made, is removed" in result.output
    assert len(account.applications) == 25
    assert account.writes()[-1].body["cascade"] is False


def test_restore_that_was_interrupted_can_be_run_again(account: PlivoApi, run: Cli) -> None:
    run(*SETUP, "--yes")
    account.trouble(500, method="DELETE")

    broken = run("restore", "--yes")
    assert (broken.exit_code, "run `flask plivo restore` once more" in broken.output) == (7, True)
    result = run("restore", "--yes")

    assert result.exit_code == 0
    assert len(account.applications) == 25


def test_restore_says_that_a_number_without_application_goes_to_the_default_one(account: PlivoApi, run: Cli) -> None:
    account.applications["103"]["default_app"] = True
    account.add_number(NUMBER, None)
    run(*SETUP, "--yes")

    result = run("restore", "--yes")

    assert "was on no application; it is on the account's default one now" in result.output
    assert application_of(account) == "103"


def test_what_was_before_is_kept_when_the_change_itself_fails(
    account: PlivoApi, run: Cli, environ: dict[str, str]
) -> None:
    account.trouble(500, method="POST", path="/Number/")

    result = run(*SETUP, "--yes")

    assert result.exit_code == 7
    kept = json.loads((Path(environ["INSTANCE_DIR"]) / "plivo_setup.json").read_text(encoding="utf-8"))
    assert kept["numbers"] == {NUMBER: "107"}
    assert list(kept["applications"].values()) == [None]


@pytest.mark.usefixtures("account")
def test_restore_refuses_what_was_kept_for_another_account(run: Cli, environ: dict[str, str]) -> None:
    run(*SETUP, "--yes")
    environ["PLIVO_AUTH_ID"] = "MAYYYYYYYYYYYYYYYYYY"

    result = run("restore", "--yes")

    assert result.exit_code == 1
    assert "holds how the account MAXXXXXXXXXXXXXXXXXX was set up" in result.output


def test_a_number_of_somebody_else_is_a_sentence(account: PlivoApi, run: Cli) -> None:
    result = run("setup", "--number", "+14155550111", "--yes")

    assert result.exit_code == 4
    assert "+14155550111 is not a number of this Plivo account" in result.output
    assert account.writes() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--number", "0199"), "--number is '0199'; write a number with +"),
        (("--number", "sip:alice@phone.plivo.com"), "write a telephone number of your Plivo account"),
        (("--number", "+14155550199", "--app-name", "dial status"), "--app-name is 'dial status'"),
        (("--number", "+14155550199", "--url", "calls.example.com"), "is no URL that Plivo can call"),
        (("--number", "+14155550199", "--watch", "--dry-run"), "leave --url and --dry-run out"),
        ((), "Missing option '--number'"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_changed(
    account: PlivoApi, run: Cli, words: tuple[str, ...], said: str
) -> None:
    result = run("setup", *words)

    assert result.exit_code == 2
    assert said in result.output
    assert account.writes() == []


@pytest.mark.parametrize("words", [("--yes",), ("--dry-run",)])
def test_setup_names_the_time_zone_to_write_where_it_is_not_the_accounts(
    account: PlivoApi, run: Cli, words: tuple[str, ...]
) -> None:
    account.timezone = "Asia/Kolkata"

    result = run(*SETUP, *words)

    assert "PLIVO_TIMEZONE is UTC, but the account is in Asia/Kolkata" in result.output
    assert "Set PLIVO_TIMEZONE=Asia/Kolkata and restart the server." in result.output


def test_setup_is_silent_about_a_time_zone_that_is_right(account: PlivoApi, run: Cli, environ: dict[str, str]) -> None:
    account.timezone = environ["PLIVO_TIMEZONE"] = "Asia/Kolkata"

    assert "PLIVO_TIMEZONE" not in run(*SETUP, "--yes").output


def test_two_applications_of_one_name_are_not_guessed_between(account: PlivoApi, run: Cli) -> None:
    account.add_application("900", "dialstatus")
    account.add_application("901", "dialstatus")

    result = run(*SETUP, "--yes")

    assert result.exit_code == 1
    assert "2 applications called dialstatus" in result.output


@pytest.mark.parametrize(
    ("status", "exit_code", "said"),
    [(401, 3, "PLIVO_AUTH_TOKEN"), (403, 5, "permissions"), (500, 7, "status.plivo.com")],
)
def test_a_refusal_of_plivo_ends_with_its_own_exit_code(
    account: PlivoApi, run: Cli, status: int, exit_code: int, said: str
) -> None:
    account.trouble(status, times=9, headers={"Retry-After": "0"})

    result = run(*SETUP, "--yes")

    assert result.exit_code == exit_code
    assert said in result.output
