"""`flask plan simulate`: what a new plan would change, in recorded calls and in the simulator's mix."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Flask

from app.cli.group import add_commands
from tests.field.conftest import ALICE, BOB, App, Line
from tests.ops.calendar_server import calendar_of

TODAY = f"""
[routes.main.steps.first]
ring = ["{ALICE}"]
timeout = 20
"""
NEW = f"""
[routes.main]
ending = "box"
[routes.main.steps.first]
ring = ["{ALICE}"]
timeout = 20
[routes.main.steps.second]
ring = ["{BOB}"]
timeout = 20
[endings.box]
voicemail = "Speak."
"""


def rows(output: str) -> dict[str, list[str]]:
    """Return the figures of the table by outcome."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in output.splitlines()[1:]]
    return {line[0]: line[1:] for line in lines if len(line) >= 4}


def test_recorded_calls_show_what_a_new_plan_would_change(make_app: App, tmp_path: Path) -> None:
    both = TODAY + f'after = {{ busy = "second" }}\n[routes.main.steps.second]\nring = ["{BOB}"]'
    app = make_app(both)
    (tmp_path / "new.toml").write_text(NEW)
    answered = Line(app).answer()
    answered.wait(5).action("completed", DialBLegUUID="b")
    answered.hangup()
    missed = Line(app).answer()
    missed.wait(20).action("no-answer")
    missed.wait(30).action("no-answer")
    missed.hangup()
    second = Line(app).answer()
    second.wait(3).action("busy", "USER_BUSY")
    second.wait(6).leg("answer", "b", DialBLegTo=BOB).leg("connected", "b", DialBLegTo=BOB)
    second.leg_ends(4000, seconds=30, source="Callee")
    second.action("completed", DialBLegUUID=f"b-{second.call_uuid}")
    second.hangup()
    gone = Line(app).answer()
    gone.wait(10).action("cancel", "ORIGINATOR_CANCEL")
    gone.hangup()

    said = add_commands(app).test_cli_runner().invoke(args=["plan", "simulate", str(tmp_path / "new.toml")])

    assert said.exit_code == 0, said.output
    assert rows(said.output) == {
        "Answered": ["2", "2", "2"],
        "Caller gave up": ["1", "1", "1"],
        "Missed": ["1", "1", "1"],
    }
    assert "0 of 4 calls would end differently." in said.output
    assert "Callers offered voicemail: 0 today, 1 with new.toml." in said.output
    assert "Check: today's plan, played again, ends 4 of 4 calls as recorded." in said.output


def test_a_plan_that_answers_fewer_calls_is_seen_before_it_runs(make_app: App, tmp_path: Path) -> None:
    app = make_app(TODAY)
    (tmp_path / "worse.toml").write_text(TODAY.replace("timeout = 20", "timeout = 3"))
    for _ in range(3):
        line = Line(app).answer()
        line.wait(8).leg("answer", "b", DialBLegTo=ALICE).leg("connected", "b", DialBLegTo=ALICE)
        line.action("completed", DialBLegUUID=f"b-{line.call_uuid}")
        line.hangup()

    said = add_commands(app).test_cli_runner().invoke(args=["plan", "simulate", str(tmp_path / "worse.toml")])

    assert rows(said.output) == {"Answered": ["3", "3", "0", "-3"], "Missed": ["0", "0", "3", "+3"]}
    assert re.search(r"3 of 3 calls would end differently\.\n +3  Answered → Missed", said.output)


def answered(app: Flask, at: datetime) -> None:
    """Let somebody call who talks to Alice."""
    line = Line(app, at=at).answer()
    line.wait(5).action("completed", DialBLegUUID="b", DialBLegTo=ALICE)
    line.hangup()


def simulated(app: Flask, plan: Path) -> str:
    said = add_commands(app).test_cli_runner().invoke(args=["plan", "simulate", str(plan)], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    return said.output


def test_who_is_on_call_is_taken_from_the_moment_of_each_call(make_app: App, tmp_path: Path) -> None:
    app, now, new = make_app(TODAY), datetime.now(UTC), tmp_path / "new.toml"
    begin = now - timedelta(days=100, minutes=10)
    (tmp_path / "team.ics").write_bytes(calendar_of(f"Bob {BOB}", begin.strftime("%Y%m%dT%H%M%SZ"), "PT1H"))
    new.write_text(f'[routes.main.steps.a]\nring = [{{ rota = "team.ics", otherwise = "{ALICE}" }}]')
    for days in (100, 99, 1):
        answered(app, now - timedelta(days=days))

    said = simulated(app, new)

    assert rows(said) == {"Answered": ["3", "3", "2", "-1"], "Missed": ["0", "0", "1", "+1"]}
    assert "Left out: earlier versions of calendars.\n" in said


def test_a_route_closed_and_a_phone_taken_out_count_from_then_on(make_app: App, tmp_path: Path) -> None:
    app, new = make_app(TODAY), tmp_path / "new.toml"
    new.write_text(TODAY.replace("routes.main", "routes.other"))
    runner = add_commands(app).test_cli_runner()
    answered(app, datetime.now(UTC) - timedelta(minutes=5))
    with app.app_context():
        for command in (["close", "main", "--until", "2099-01-01 00:00"], ["out", ALICE]):
            runner.invoke(args=["plan", *command], catch_exceptions=False)
    answered(app, datetime.now(UTC) + timedelta(minutes=5))

    said = simulated(app, new)

    assert rows(said) == {
        "Answered": ["2", "1", "1"],
        "Closed": ["0", "1", "0", "-1"],
        "Unknown": ["0", "0", "1", "+1"],
    }
    assert "Left out" not in said


def test_dead_phones_die_and_revive_by_the_calls_that_are_played(make_app: App, tmp_path: Path) -> None:
    step = f'[routes.main.steps.a]\norder = "in_turn"\nring = ["{ALICE}", "{BOB}"]\n'
    app, new, now = make_app(step), tmp_path / "new.toml", datetime.now(UTC)
    new.write_text(f"{step}dead_phones = {{ failures = 2, rest = 5 }}\n")
    for minutes in (60, 59, 58, 57, 50):
        line = Line(app, at=now - timedelta(minutes=minutes)).answer()
        line.action("failed", "NETWORK_OUT_OF_ORDER", rang="false")
        line.wait(3).action("completed", DialBLegUUID="b")
        line.hangup()

    said = simulated(app, new)

    # Two calls find Alice's phone dead, two pass it by, and one tries it again.
    assert "Dials: 10 today, 8 with new.toml." in said
    assert "Check: today's plan, played again, ends 5 of 5 calls as recorded." in said


def test_what_cannot_be_known_of_the_past_is_said(make_app: App, tmp_path: Path) -> None:
    app, new = make_app(TODAY), tmp_path / "new.toml"
    new.write_text(f'{TODAY}order = "rotating"\nbusy_targets = "skip"\n')
    answered(app, datetime.now(UTC))

    assert "Left out: who was talking (busy_targets), whose turn it was (rotating).\n" in simulated(app, new)


def test_without_records_the_mix_is_played_the_same_every_time(make_app: App, tmp_path: Path) -> None:
    runner = add_commands(make_app(TODAY)).test_cli_runner()
    (tmp_path / "new.toml").write_text(NEW)
    command = ["plan", "simulate", str(tmp_path / "new.toml")]

    empty = runner.invoke(args=command)
    first, again = (runner.invoke(args=[*command, "--mix", "--calls", "300"]).output for _ in range(2))

    assert (empty.exit_code, empty.output) == (1, "Error: no call is recorded yet; --mix plays the simulator's mix\n")
    assert first == again
    answered = rows(first)["Answered"]
    assert int(answered[2]) > int(answered[1]) > 0
    assert "Check:" not in first


def test_a_plan_with_mistakes_is_not_played(make_app: App, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text("routes.main.steps.a.ring = []")

    said = add_commands(make_app()).test_cli_runner().invoke(args=["plan", "simulate", str(tmp_path / "new.toml")])

    assert said.exit_code == 1
    assert "ring is empty; write at least one" in said.output
