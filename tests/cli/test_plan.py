"""`flask plan` checks, shows and tries plans as the server would use them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app import create_app
from app.cli.plan_state import group as cli
from app.context import services
from app.records.store.migrate import upgrade
from app.records.writing.target_states import set_out
from config import Config

RECIPES = Path(__file__).parents[2] / "docs" / "plans"
AFTER_ANOTHER = RECIPES / "one-after-another.toml"


@pytest.fixture(autouse=True)
def within_an_application(tmp_path: Path) -> Iterator[None]:
    """Run each command as `flask` does: within an application, here of an instance directory of its own."""
    with create_app(Config.load({"INSTANCE_DIR": str(tmp_path)})).app_context():
        yield


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def run_with(settings: dict[str, str], tmp_path: Path, *arguments: str) -> Result:
    app = create_app(Config.load({"INSTANCE_DIR": str(tmp_path), **settings}))
    with app.app_context():
        return run(*arguments)


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_check_finds_every_recipe_valid(recipe: Path) -> None:
    result = run("check", recipe)

    assert result.exit_code == 0
    assert result.stdout.startswith(f"{recipe.name} is a valid plan: routes ")


def test_check_says_every_mistake_on_a_line_of_its_own_and_fails(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('[routes.main.steps.a]\nring = []\ntimeout = 0\nafter = { missed = "b" }\n', "utf-8")

    result = run("check", plan)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "plan.toml [routes.main.steps.a]: ring is empty; write at least one",
        "plan.toml [routes.main.steps.a]: timeout is 0; write whole seconds from 1 to 600",
        "plan.toml [routes.main.steps.a.after]: missed is 'b', which does not exist; "
        "write one of a, busy, hangup, nobody, rejected",
    ]


def test_check_says_that_a_file_is_not_there(tmp_path: Path) -> None:
    result = run("check", tmp_path / "plan.toml")

    assert result.exit_code == 1
    assert "plan.toml cannot be read" in result.stderr


def test_show_prints_every_route_or_that_of_a_number() -> None:
    whole = run("show", "--file", RECIPES / "office-hours.toml")
    one = run("show", "--file", RECIPES / "office-hours.toml", "--called", "14155550101")

    assert [line for line in whole.stdout.splitlines() if ": calls to " in line] == [
        "office: calls to +14155550100",
        "emergency: calls to +14155550101",
        "anything_else: calls to any other number",
    ]
    assert [line for line in one.stdout.splitlines() if ": calls to " in line] == ["emergency: calls to +14155550101"]


def test_show_prints_the_plan_of_the_settings(tmp_path: Path) -> None:
    by_targets = run_with({"DIAL_TO": "+14155550111", "DIAL_TIMEOUT": "12"}, tmp_path, "show")
    by_file = run_with({"DIAL_PLAN": str(AFTER_ANOTHER)}, tmp_path, "show")

    assert "all: +14155550111 for 12 s" in by_targets.stdout
    assert by_file.stdout == run("show", "--file", AFTER_ANOTHER).stdout


def test_try_follows_the_outcomes() -> None:
    result = run("try", "--file", AFTER_ANOTHER, "--called", "+14155550100", "missed", "busy")

    assert result.stdout.splitlines() == [
        "The caller rings desk: sip:desk@phone.plivo.com for 15 s.",
        "missed: the caller rings mobile: +14155550111 for 20 s.",
        "busy: the caller rings colleague: +14155550112 for 20 s.",
    ]


def test_try_names_the_outcomes_that_an_ended_call_does_not_use() -> None:
    result = run("try", "--file", AFTER_ANOTHER, "answered", "missed", "busy")

    assert result.stdout.splitlines()[1:] == [
        "answered: the caller gets nothing more: the call is over.",
        "Not used, since the call is over: missed busy.",
    ]


def test_try_knows_the_hour_and_the_caller() -> None:
    plan = RECIPES / "office-hours.toml"
    office = ("try", "--file", plan, "--called", "+14155550100")

    at_night = run(*office, "--at", "2026-11-23 08:00:00")
    blocked = run(*office, "--at", "2026-11-23 18:00:00", "--caller", "anonymous")

    assert at_night.stdout.startswith("The caller gets the ending message: ")
    assert blocked.stdout == "The caller gets the ending rejected: hang up as rejected (the caller is blocked).\n"


def test_try_knows_contacts_stir_and_phones_taken_out(tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text("number,vip,blocked\n+14155550123,yes,\n+14155550124,,yes\n")
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'contacts = "contacts.csv"\n'
        '[routes.vip]\ncallers = "vip"\nsteps.a = { ring = ["+14155550111"] }\n'
        '[routes.unsigned]\nstir = ["Not Verified", "C"]\nsteps.a = { ring = ["+14155550112"] }\n'
        '[routes.main]\nsteps.a = { ring = ["+14155550113", "+14155550114"] }\n'
    )
    upgrade(services().store)
    said = [run("try", "--file", plan, "--caller", caller).stdout for caller in ("+14155550123", "+14155550124")]
    said += [run("try", "--file", plan, "--caller", "+1", "--stir", word).stdout for word in ("Not Verified", "C", "A")]
    set_out(services().store, "+14155550113", is_out=True, actor="ann")
    said.append(run("try", "--file", plan, "--caller", "+1").stdout)

    assert said == [
        "The caller rings a: +14155550111 for 30 s.\n",
        "The caller gets the ending rejected: hang up as rejected (the caller is blocked).\n",
        "The caller rings a: +14155550112 for 30 s.\n",
        "The caller rings a: +14155550112 for 30 s.\n",
        "The caller rings a: +14155550113 and +14155550114 for 30 s.\n",
        "The caller rings a: +14155550114 for 30 s.\n",
    ]


def test_try_takes_an_hour_with_and_without_seconds() -> None:
    office = ("try", "--file", RECIPES / "office-hours.toml", "--called", "+14155550100", "--at")

    said = {
        run(*office, at).stdout
        for at in ("2026-11-23 18:00", "2026-11-23T18:00", "2026-11-23 18:00:00", "2026-11-23T18:00:00")
    }

    assert len(said) == 1
    assert said.pop().startswith("The caller rings ")


def test_try_refuses_an_outcome_that_does_not_exist() -> None:
    result = run("try", "--file", AFTER_ANOTHER, "mised")

    assert result.exit_code == 2
    assert "'mised' is not one of 'answered'" in result.stderr


def test_check_notes_what_works_and_deserves_a_second_look(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('routes.main.ending = "bye"\n[endings.bye]\nplay = "http://example.com/bye.mp3"\n', "utf-8")

    result = run("check", plan)

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "plan.toml is a valid plan: routes 1, steps 0, endings 1.",
        "Note: plan.toml [endings.bye]: play is 'http://example.com/bye.mp3', which Plivo fetches unencrypted; "
        "write https",
    ]


def test_try_takes_an_outgoing_call_by_its_from() -> None:
    office = ("try", "--file", RECIPES / "office-hours.toml", "--at", "2026-11-22 18:00")

    placed = run(*office, "--outgoing", "--caller", "0014155550100", "--called", "+442071838750")

    assert placed.stdout == "The caller rings front_desk: +14155550111 and +14155550112 for 20 s.\n"


HOLIDAYS = RECIPES / "holidays.toml"


def test_days_prints_a_month_with_the_rule_of_each_special_day() -> None:
    result = run("days", "main", "--month", "2026-12", "--file", HOLIDAYS)

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "main, December 2026, America/Los_Angeles"
    assert len(lines) == 32
    assert max(map(len, lines)) <= 80
    assert lines[1:4] == [
        "Tue 01  09:00-17:00",
        "Wed 02  09:00-12:00, 13:00-17:00  (calendar: Team lunch)",
        "Thu 03  09:00-17:00",
    ]
    assert lines[19] == "Sat 19  10:00-14:00  (2026-12-19 10:00-14:00)"
    assert lines[24:26] == ["Thu 24  09:00-12:00  (12-24 12:00-24:00)", "Fri 25  closed  (holiday: Christmas Day)"]


def test_days_of_a_change_of_clocks_have_the_hours_of_the_wall(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[routes.main]\nending = "busy"\n[routes.main.hours]\ntime_zone = "Europe/Berlin"\notherwise = "busy"\n'
        'sunday = ["00:00-24:00"]\n'
    )

    result = run("days", "main", "--month", "2026-10", "--file", plan)

    assert "Sun 25  00:00-24:00" in result.stdout.splitlines()


def test_try_names_the_rule_that_decided_the_hours() -> None:
    result = run("try", "--called", "+14155550100", "--at", "2026-12-25 20:00", "--file", HOLIDAYS)

    assert "The hours at that time are decided by: holiday: Christmas Day." in result.stdout


def test_oncall_prints_who_it_is_and_who_is_next() -> None:
    result = run("oncall", "--file", RECIPES / "on-call.toml")

    place, now, following = result.stdout.splitlines()
    assert place == "routes.emergency.steps.on_call:"
    assert {now.split()[-1], following.split()[1].rstrip(",")} == {"+14155550161", "+14155550162"}


def test_a_country_without_holidays_is_a_mistake_of_the_plan(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(HOLIDAYS.read_text().replace('"US-CA"', '"US-XX"'))

    result = run("check", plan)

    assert result.exit_code == 1
    assert "[routes.main.hours]: holidays is 'US-XX'; XX is no part of US whose holidays are known" in result.output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("close", "nowhere"), "the plan has no route 'nowhere'; its routes are main"),
        (("close", "main", "--until", "soon"), "'soon' is no time; write 15:00 or 2026-12-24 15:00"),
        (("close", "main", "--until", "2020-01-01 10:00"), "'2020-01-01 10:00' has passed; write a later time"),
        (("close", "main", "--until", "2026-02-30 10:00"), "'2026-02-30 10:00' is no time; write 15:00 or 2026-12"),
        (("close", "main", "--until", "9999-12-31 23:59"), "'9999-12-31 23:59' is more than 100 years away; write an "),
        (("close", "main", "--say", "\x07"), "say "),
    ],
)
def test_a_switch_that_cannot_be_is_refused(arguments: tuple[str, ...], problem: str) -> None:
    result = run(*arguments)

    assert result.exit_code == 1
    assert problem in result.output
