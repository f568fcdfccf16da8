"""`flask plan simulate`: what a new plan would change, in recorded calls and in the simulator's mix."""

import re
from pathlib import Path

from app.cli.group import add_commands
from tests.field.conftest import ALICE, BOB, App, Line

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
