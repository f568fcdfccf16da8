"""The simulator plays against the real server, whose records must match what happened."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.simulate import simulate
from app.simulator.scenario import built_in
from tests.simulator.conftest import checkout
from tests.support.server import REPORTS_TOKEN, ROOT, TOKEN, Server, until

PLAN = Path(__file__).with_name("plan.toml")
PHLO_TOKEN = "a-made-up-phlo-token"
FAULTS = [
    "lost@0.2",
    "lost:action",
    "lost:hangup",
    "late@0.3",
    "late:action@0.5",
    "late:hangup",
    "duplicate",
    "reorder",
    "slow:5ms@0.2",
    "bad-signature@0.2",
    "unsigned@0.2",
    "disconnect@0.4",
]

StartServer = Callable[..., Server]


def run(server: Server, *arguments: str, token: str | None = TOKEN) -> Result:
    options = ["--url", f"{server.url}/dialstatus/", "--verify", "--reports-token", REPORTS_TOKEN, "--patience", "20"]
    options += ["--phlo-token", PHLO_TOKEN, *(["--token", token] if token else [])]
    return CliRunner().invoke(simulate, [*options, *arguments])


@pytest.fixture(autouse=True)
def _checkout(tmp_path: Path) -> Iterator[None]:
    with checkout(tmp_path / "checkout"):
        yield


def call_of(server: Server, call_uuid: str) -> Any:
    headers = {"Authorization": f"Bearer {REPORTS_TOKEN}"}
    return server.request("GET", f"/api/v1/calls/{call_uuid}", headers=headers).json()


def all_scenarios() -> list[str]:
    return [scenario.name for scenario in built_in()]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_every_scenario_is_recorded_as_it_happened(start_server: StartServer, database_url: str, method: str) -> None:
    server = start_server(DATABASE_URL=database_url, DIAL_PLAN=PLAN, PHLO_TOKEN=PHLO_TOKEN)

    result = run(server, *all_scenarios(), "--method", method)

    assert result.exit_code == 0, result.output
    assert f"the records of all {len(all_scenarios())} calls are right" in result.output


def with_change(plan: str, change: str) -> str:
    """Return a plan in which every route has a greeting, or every step an accept key or a recording."""
    added = {
        "greeting": (r"routes\.\w+", "greeting", 'greeting = "Welcome to the shop. One moment, please."'),
        "key": (r"routes\.\w+\.steps\.\w+", "confirm_key", 'confirm_key = "1"\nconfirm_prompt = "Press 1 to talk."'),
        "record": (r"routes\.\w+\.steps\.\w+", "record", "record = true"),
    }
    if change not in added:
        return plan
    table, key, lines = added[change]
    tables = re.split(r"(?m)^(?=\[)", plan)
    return "".join(
        re.sub(rf"^(\[{table}\])\n", rf"\1\n{lines}\n", text) if f"\n{key} " not in text else text for text in tables
    )


@pytest.mark.parametrize("change", ["as written", "greeting", "key", "record"])
@pytest.mark.parametrize("plan", sorted((ROOT / "docs" / "plans").glob("*.toml")), ids=lambda plan: plan.stem)
def test_every_recipe_serves_every_scenario(start_server: StartServer, tmp_path: Path, plan: Path, change: str) -> None:
    changed = tmp_path / "plan.toml"
    changed.write_text(with_change(plan.read_text(), change))
    server = start_server(DIAL_PLAN=changed, PHLO_TOKEN=PHLO_TOKEN, VERIFY_SIGNATURES="off", SIMULATED_TIME="true")
    routes = tomllib.loads(plan.read_text())["routes"].values()
    numbers = {number for route in routes for number in route.get("called", [])} | {"+14155550199"}

    for number in sorted(numbers):
        result = run(server, *all_scenarios(), "--to", number)

        assert result.exit_code == 0, result.output


def test_no_fault_of_the_wire_damages_the_records(
    start_server: StartServer, database_url: str, subtests: pytest.Subtests
) -> None:
    server = start_server(DATABASE_URL=database_url, DIAL_PLAN=PLAN, PHLO_TOKEN=PHLO_TOKEN)

    for seed, fault in enumerate(FAULTS):
        with subtests.test(fault=fault):
            result = run(server, *all_scenarios(), "--fault", fault, "--seed", str(seed), "--no-trace")

            assert result.exit_code == 0, result.output


@pytest.mark.parametrize("public_url", ["", "https://calls.example.com"])
def test_verify_needs_only_the_settings(start_server: StartServer, tmp_path: Path, public_url: str) -> None:
    shared = {"PLIVO_AUTH_TOKEN": TOKEN, "REPORTS_TOKEN": REPORTS_TOKEN, "PUBLIC_URL": public_url}
    server = start_server(DIAL_PLAN=PLAN, **shared)

    with checkout(tmp_path, PORT=str(server.port), **shared):
        result = CliRunner().invoke(simulate, ["answered", "busy", "--verify"])

    assert result.exit_code == 0, result.output
    assert "the records of all 2 calls are right" in result.output


def test_a_conversation_is_recorded_from_the_leg_alone(start_server: StartServer) -> None:
    server = start_server(DIAL_PLAN=PLAN)
    faults = ["--fault", "lost:action", "--fault", "lost:callback@0.5"]

    result = run(server, "answered", "answered-caller-hangs-up", "--calls", "60", "--seed", "5", *faults)

    assert result.exit_code == 0, result.output


def test_an_unsigned_request_cut_off_in_its_body_is_not_stored(start_server: StartServer) -> None:
    server = start_server(DIAL_PLAN=PLAN, VERIFY_SIGNATURES="off")

    result = run(server, "answered", "busy", "--calls", "30", "--seed", "5", "--fault", "disconnect", token=None)

    assert result.exit_code == 0, result.output


def test_a_forged_call_leaves_nothing_behind(start_server: StartServer) -> None:
    server = start_server(DIAL_PLAN=PLAN)

    said = json.loads(run(server, "answered", "--fault", "bad-signature", "--json").output)

    call = said["calls"][0]
    assert (said["right"], call["hangup_code"], call["remarks"]) == (True, 7011, [])
    headers = {"Authorization": f"Bearer {REPORTS_TOKEN}"}
    assert server.request("GET", f"/api/v1/calls/{call['call_uuid']}", headers=headers).status == 404


def test_ringing_times_are_recorded_on_the_simulated_clock(start_server: StartServer) -> None:
    server = start_server(DIAL_TO="+14155550123", VERIFY_SIGNATURES="off", SIMULATED_TIME="true")

    result = run(server, "answered", "--spread-days", "7", "--json", token=None)

    said = json.loads(result.output)
    kept = call_of(server, said["calls"][0]["call_uuid"])
    assert said["right"], said["differences"]
    assert (kept["dials"][0]["ring_seconds"], kept["dials"][0]["talk_seconds"]) == (8, 95)
    started_at, begun_at = kept["call"]["started_at"], said["calls"][0]["begun_at"]
    # Records are rounded to the millisecond.
    assert abs(datetime.fromisoformat(started_at) - datetime.fromisoformat(begun_at)) <= timedelta(milliseconds=1)


def test_three_dials_of_one_call_are_recorded_in_order(start_server: StartServer, database_url: str) -> None:
    server = start_server(DATABASE_URL=database_url, DIAL_PLAN=PLAN)

    said = json.loads(run(server, "second-dial-answers", "--json").output)

    # A slow store leaves a report on the spool for a moment.
    until(lambda: len(call_of(server, said["calls"][0]["call_uuid"])["dials"]) == 3)
    kept = call_of(server, said["calls"][0]["call_uuid"])
    assert [dial["outcome"] for dial in kept["dials"]] == ["missed", "busy", "answered"]
    assert said["right"], said["differences"]


def test_150_calls_over_a_bad_wire_are_recorded_right(start_server: StartServer, database_url: str) -> None:
    play_over_a_bad_wire(start_server(DATABASE_URL=database_url, DIAL_PLAN=PLAN), 150)


@pytest.mark.drill
def test_5000_calls_over_a_bad_wire_are_recorded_right(start_server: StartServer, database_url: str) -> None:
    play_over_a_bad_wire(start_server(DATABASE_URL=database_url, DIAL_PLAN=PLAN), 5000)


def play_over_a_bad_wire(server: Server, calls: int) -> None:
    faults = ["--fault", "lost@0.05", "--fault", "duplicate@0.1", "--fault", "reorder@0.3"]

    result = run(server, "--calls", str(calls), "--concurrency", "32", "--seed", "2026", *faults)

    assert result.exit_code == 0, result.output
    assert f"the records of all {calls} calls are right" in result.output
