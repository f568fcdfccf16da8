"""`flask simulate`: its options, what it prints, and how it exits."""

import json
import socket
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import plivo.utils
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from app.cli.simulate import simulate
from app.cli.simulate_report import print_trace
from app.simulator.scenario import ScriptError, built_in, load_scenarios
from tests.simulator.conftest import TOKEN, Player, checkout
from tests.simulator.scripted_server import ScriptedReply, ScriptedServer

SCRIPT = """
[[scenario]]
name = "two-tries"
about = "the second picks up"
[[scenario.dial]]
[[scenario.dial.person]]
does = "busy"
after = 1
[[scenario.dial]]
[[scenario.dial.person]]
does = "answers"
talks = 12
"""


@pytest.fixture(autouse=True)
def _checkout(tmp_path: Path) -> Iterator[None]:
    with checkout(tmp_path):
        yield


def run(server: ScriptedServer, *arguments: str) -> Result:
    return CliRunner().invoke(simulate, ["--url", f"{server.url}/", "--token", TOKEN, *arguments])


def test_a_call_without_mistakes_is_shown_and_exits_0(server: ScriptedServer) -> None:
    result = run(server, "busy", "--seed", "4")

    assert result.exit_code == 0, result.output
    assert "DialStatus=busy" in result.output
    assert "4010 End Of XML Instructions" in result.output
    assert "--seed 4" in result.output


def test_callers_have_names_if_asked_for_and_keep_them(server: ScriptedServer) -> None:
    named = {}
    for caller in ("+14155550143", "+14155550142", "+14155550143"):
        run(server, "busy", "--from", caller, "--caller-names")
        named[caller] = server.received[-1].params["CallerName"]

    assert named == {"+14155550143": "GREEN PHARMACY", "+14155550142": "+14155550142"}


def test_a_wrong_server_exits_1_and_prints_the_remedy(server: ScriptedServer) -> None:
    server.replies["/action/"] = ScriptedReply(body="OK", content_type="text/html")

    result = run(server, "busy")

    assert result.exit_code == 1
    assert "8012 Invalid Action XML" in result.output
    assert "byte 0" in result.output
    assert result.output.count("to do: send Plivo XML") == 1


@pytest.mark.parametrize("path", ["/", "/hangup/"])
def test_a_refusal_points_to_the_token(server: ScriptedServer, path: str) -> None:
    server.replies[path] = ScriptedReply(status=403)

    result = run(server, "busy")

    assert result.exit_code == 1
    assert "to do: if the server checks signatures, set PLIVO_AUTH_TOKEN to its token" in result.output


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_trace_breaks_no_word_at_any_width(player: Player, width: int) -> None:
    call = player.play("answered")
    printed = StringIO()

    print_trace(Console(file=printed, width=width), call)

    lines = printed.getvalue().splitlines()
    shown = {"DialStatus=completed", f"DialBLegUUID={call.dials[0].b_leg_uuid}", "DialBLegHangupCauseCode=4000"}
    assert shown | {"HangupCauseCode=4010", call.call_uuid} <= set(printed.getvalue().split())
    assert all(len(line) <= width for line in lines)


def test_the_trace_names_whether_the_call_was_answered(server: ScriptedServer) -> None:
    assert "(Plivo), never answered" in run(server, "busy").output
    assert "95 s after being answered" in run(server, "answered").output


def test_a_repeated_verdict_is_printed_once_with_its_count(server: ScriptedServer) -> None:
    server.replies["/action/"] = ScriptedReply(body="OK", content_type="text/html")

    result = run(server, "busy", "--calls", "9")

    assert result.output.count("8012 Invalid Action XML: ") == 1
    assert "(9 times)" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["asleep"], "there is no scenario 'asleep'"),
        (["--fault", "gone"], "write one of lost"),
        (["--calls", "0"], "1<=x<=100000"),
        (["--url", "dialstatus"], "not absolute"),
        (["--url", "http://192.0.2.1/"], "--allow-remote"),
        (["--hangup-url", "https://example.com/"], "--allow-remote"),
        (["--to", "555"], "+14155550100"),
        (["--account-timezone", "Mars/Olympus"], "time zone"),
        (["--connect-to", "here"], "127.0.0.1:5000"),
        (["--repeat-uuids"], "--seed"),
        (["--surprise"], "No such option"),
    ],
)
def test_wrong_usage_exits_2_with_the_remedy(server: ScriptedServer, arguments: list[str], said: str) -> None:
    result = run(server, *arguments)

    assert result.exit_code == 2
    assert said in result.output
    assert server.received == []


def test_the_servers_address_and_tokens_are_the_settings_of_the_checkout(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.replies["/dialstatus/"] = server.replies["/"]
    port = str(urlsplit(server.url).port)

    with checkout(
        tmp_path, PORT=port, PLIVO_AUTH_TOKEN="a-token", REPORTS_TOKEN="reports-" * 3, PHLO_TOKEN="phlo-" * 4
    ):
        CliRunner().invoke(simulate, ["busy", "phlo", "--verify"])

    assert "X-Plivo-Signature-V3" in server.requests_to("/dialstatus/")[0].headers
    assert server.requests_to("/dialstatus/phlo/")[0].headers["Authorization"] == "Bearer " + "phlo-" * 4
    api = [received for received in server.received if received.path.startswith("/api/v1/calls/")]
    assert {received.headers["Authorization"] for received in api} == {"Bearer " + "reports-" * 3}


def test_a_public_url_is_signed_and_this_machine_called(server: ScriptedServer, tmp_path: Path) -> None:
    server.replies["/voice/dialstatus/"] = ScriptedReply()
    settings = {"PORT": str(urlsplit(server.url).port), "PUBLIC_URL": "https://calls.example.com/voice"}

    with checkout(tmp_path, PLIVO_AUTH_TOKEN="a-token", **settings):
        result = CliRunner().invoke(simulate, ["busy"])

    assert result.exit_code == 0, result.output
    [received] = server.requests_to("/voice/dialstatus/")
    assert received.headers["Host"] == "calls.example.com"
    assert plivo.utils.validate_v3_signature(
        "POST",
        "https://calls.example.com/voice/dialstatus/",
        received.headers["X-Plivo-Signature-V3-Nonce"],
        "a-token",
        received.headers["X-Plivo-Signature-V3"],
        received.params,
    )


def test_another_machine_never_learns_a_token_of_this_checkout() -> None:
    result = CliRunner().invoke(simulate, ["--url", "http://192.0.2.1/dialstatus/", "--allow-remote", "--verify"])

    assert result.exit_code == 2
    assert "pass its REPORTS_TOKEN as --reports-token" in result.output


def test_a_server_that_does_not_listen_exits_3() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/dialstatus/"

        result = CliRunner().invoke(simulate, ["--url", url])

    assert result.exit_code == 3
    assert "nothing listens" in result.output


def test_the_urls_of_a_number_are_below_the_answer_url(server: ScriptedServer) -> None:
    server.replies["/dialstatus/"] = server.replies["/"]

    CliRunner().invoke(simulate, ["--url", f"{server.url}/dialstatus/", "outbound"])

    assert {"/dialstatus/ring/", "/dialstatus/hangup/"} <= {received.path for received in server.received}


def test_json_holds_the_whole_result(server: ScriptedServer) -> None:
    result = run(server, "answered", "busy", "--json", "--seed", "9")

    said = json.loads(result.output)
    assert (said["seed"], said["right"], said["outcomes"]) == (9, True, {"answered": 1, "busy": 1})
    assert [call["scenario"] for call in said["calls"]] == ["answered", "busy"]
    assert said["calls"][1]["requests"][0]["params"]["Event"] == "StartApp"


def test_a_seed_repeats_a_mix_with_new_uuids(server: ScriptedServer) -> None:
    first, second = (
        json.loads(run(server, "--calls", "30", "--seed", "5", "--json").output)["calls"] for _ in range(2)
    )

    played = [[(call["scenario"], call["seconds"], call["hangup_code"]) for call in calls] for calls in (first, second)]
    assert played[0] == played[1]
    assert len({call["scenario"] for call in first}) > 3
    assert {call["call_uuid"] for call in first}.isdisjoint(call["call_uuid"] for call in second)
    nonces = [
        received.headers["X-Plivo-Signature-V3-Nonce"] for received in server.received if received.path == "/hangup/"
    ]
    assert len(nonces) == len(set(nonces))


def test_repeat_uuids_repeats_them(server: ScriptedServer) -> None:
    again = ["--calls", "5", "--seed", "5", "--repeat-uuids", "--json"]
    first, second = (json.loads(run(server, *again).output)["calls"] for _ in range(2))

    assert [call["call_uuid"] for call in first] == [call["call_uuid"] for call in second]


def test_calls_of_a_mix_vary_in_length_and_named_ones_do_not(server: ScriptedServer) -> None:
    mixed = json.loads(run(server, "--calls", "40", "--seed", "5", "--json").output)["calls"]
    named = json.loads(run(server, "answered", "--calls", "10", "--seed", "5", "--json").output)["calls"]

    talks = [call["dials"][0]["talk_seconds"] for call in mixed if call["scenario"] == "answered"]
    assert len(set(talks)) > len(talks) // 2
    assert min(talks) > 0
    assert {call["dials"][0]["talk_seconds"] for call in named} == {95}


def test_many_calls_get_a_summary_and_no_trace(server: ScriptedServer) -> None:
    result = run(server, "answered", "--calls", "20")

    assert "answered × 20" in result.output
    assert "DialStatus=" not in result.output


def test_calls_are_spread_over_the_last_days(server: ScriptedServer) -> None:
    said = json.loads(run(server, "--calls", "40", "--spread-days", "7", "--json", "--seed", "1").output)

    days = {call["begun_at"][:10] for call in said["calls"]}
    assert len(days) > 4
    assert [call["begun_at"] for call in said["calls"]] == sorted(call["begun_at"] for call in said["calls"])


def test_verifying_a_server_without_records_exits_1(server: ScriptedServer) -> None:
    seed = ["--seed", "4", "--repeat-uuids"]
    call = json.loads(run(server, "busy", *seed, "--json").output)["calls"][0]
    server.replies[f"/api/v1/calls/{call['call_uuid']}"] = ScriptedReply(status=404)

    result = run(server, "busy", *seed, "--verify", "--reports-token", "r")

    assert result.exit_code == 1
    assert "no record" in result.output


def test_a_script_adds_scenarios(server: ScriptedServer, tmp_path: Path) -> None:
    script = tmp_path / "mine.toml"
    script.write_text(SCRIPT)
    server.replies["/action/"] = [server.replies["/"], ScriptedReply()]  # type: ignore[list-item]

    said = json.loads(run(server, "--script", str(script), "--json").output)

    assert [dial["dial_status"] for dial in said["calls"][0]["dials"]] == ["busy", "completed"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[scenario]]\nname = 'x'", "scenario.1.dial"),
        (SCRIPT.replace("busy", "sleeps"), "scenario.1.dial.1.person.1.does"),
        (SCRIPT.replace("about", "abuot"), "scenario.1.abuot"),
        ("scenario = ", "not TOML"),
        (SCRIPT + SCRIPT, "two scenarios are named 'two-tries'"),
    ],
)
def test_a_wrong_script_names_the_file_and_the_key(tmp_path: Path, text: str, said: str) -> None:
    script = tmp_path / "mine.toml"
    script.write_text(text)

    with pytest.raises(ScriptError) as caught:
        load_scenarios(script)

    assert said in str(caught.value)
    assert str(script) in str(caught.value)


def test_a_wrong_script_exits_2(server: ScriptedServer, tmp_path: Path) -> None:
    script = tmp_path / "mine.toml"
    script.write_text("[[scenario]]\nname = 'x'")

    assert run(server, "--script", str(script)).exit_code == 2


def test_the_list_names_every_scenario(server: ScriptedServer) -> None:
    result = run(server, "--list")

    assert result.exit_code == 0
    assert all(scenario.name in result.output for scenario in built_in())
    assert server.received == []


def test_the_help_shows_examples_and_exit_codes() -> None:
    result = CliRunner().invoke(simulate, ["--help"])

    assert "flask simulate busy answered" in result.output
    assert "Exit codes: 0" in result.output
