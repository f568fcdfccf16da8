"""Class C: one thing, several spellings. Each case is named by its id."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from app.voice.numbers import is_anonymous, normalise
from config import ROOT, Config, ConfigError
from tests.field.conftest import ALICE, BOB, App, Line, read
from tests.plan.support import first, inbound, plan_of
from tests.server.calls import inbound as requested
from tests.server.calls import new_uuid
from tests.settings import load, problems
from tests.support.server import REPORTS_TOKEN, TOKEN, Server

RECORDING: dict[str, Any] = {
    "api_id": "b1a0c5de-0000-4000-8000-000000000001",
    "record_url": "https://media.example.com/b.mp3",
    "recording_id": "693e61fd-8150-4091-a0f8-561d4a434288",
    "recording_duration": 22,
    "recording_duration_ms": 22480,
    "recording_start_ms": 1730000000000,
    "recording_end_ms": 1730000022480,
}


def as_fields(values: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


@pytest.mark.parametrize("in_one_field", [False, True])
@pytest.mark.parametrize("only_seconds", [False, True])
def test_c1_a_recording_of_the_record_api_joins_its_call(line: Line, in_one_field: bool, only_seconds: bool) -> None:
    values = RECORDING | {"call_uuid": line.answer().call_uuid}
    if only_seconds:
        del values["recording_duration_ms"]
    line.post("/dialstatus/recording/", **({"response": json.dumps(values)} if in_one_field else as_fields(values)))

    [recording] = line.record["recordings"]
    assert (recording["recording_id"], recording["url"]) == (RECORDING["recording_id"], RECORDING["record_url"])
    assert recording["milliseconds"] == (22_000 if only_seconds else 22_480)


@pytest.mark.parametrize("in_one_field", [False, True])
def test_c1_a_transcription_joins_its_call_and_its_recording(line: Line, in_one_field: bool) -> None:
    values = RECORDING | {"call_uuid": line.answer().call_uuid}
    line.post("/dialstatus/recording/", **as_fields(values))
    said = {"transcription": "Hello", "transcription_charge": "0.05", "duration": "22", "error": ""}
    said |= {"call_uuid": line.call_uuid, "recording_id": RECORDING["recording_id"]}
    line.post("/dialstatus/recording/", **({"response": json.dumps(said)} if in_one_field else said))

    record = line.record
    assert [receipt["kind"] for receipt in record["receipts"]] == ["answer", "recording", "recording"]
    [recording] = record["recordings"]
    assert (recording["url"], recording["milliseconds"]) == (RECORDING["record_url"], 22_480)


@pytest.mark.parametrize(
    ("length", "milliseconds"),
    [
        ({"recording_duration_ms": "22480.00000"}, 22_480),
        ({"recording_duration_ms": 22480.0}, 22_480),
        ({"recording_duration_ms": "", "recording_duration": "22.48"}, 22_480),
        ({"recording_duration_ms": -1, "recording_duration": 22}, 22_000),
        ({"recording_duration_ms": "unknown", "recording_duration": ""}, None),
    ],
)
def test_c1_a_length_may_be_a_decimal(line: Line, length: dict[str, Any], milliseconds: int | None) -> None:
    values = RECORDING | {"call_uuid": line.answer().call_uuid} | length
    line.post("/dialstatus/recording/", recording_id="", response=json.dumps(values))

    [recording] = line.record["recordings"]
    assert (recording["recording_id"], recording["milliseconds"]) == (RECORDING["recording_id"], milliseconds)


@pytest.mark.parametrize("broken", ["", "{", "[]", "null", '"text"', "[" * 900])
def test_c1_a_response_that_is_no_object_loses_nothing_else(line: Line, broken: str) -> None:
    values = as_fields(RECORDING) | {"call_uuid": line.answer().call_uuid, "response": broken}
    line.post("/dialstatus/recording/", **values)

    assert len(line.record["recordings"]) == 1


END = {"Duration": "0", "BillDuration": "0", "HangupCauseName": "Busy Line", "HangupCauseCode": "3010"}


@pytest.mark.parametrize(
    "end",
    [
        END | {"HangupSource": "Carrier"},
        {"HangupCauseName": "Normal Hangup"},
        {"HangupSource": "Caller"},
        {"Duration": "0"},
        {"BillDuration": "60"},
        {"Event": ""} | END,
        {"Event": "hangup"},
        {"CallStatus": "Completed", "Duration": "0"},
        {"CallStatus": "rejected", "Duration": "0"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/dialstatus/", "/dialstatus", "/dialstatus/fallback/"])
def test_c2_a_hangup_notice_without_event_ends_the_call(line: Line, end: dict[str, str], path: str) -> None:
    line.answer()
    reply = line.post(path, **{**line.standard("completed"), **end})

    assert reply == "<Response/>"
    assert line.record["call"]["ended_at"] is not None
    assert len(line.dials) == 1
    assert line.outcome != "in_progress"


@pytest.mark.parametrize("status", ["ringing", "in-progress", "Ringing", "completed", ""])
@pytest.mark.parametrize("path", ["/dialstatus/", "/dialstatus/fallback/"])
def test_c2_a_request_without_any_sign_of_an_end_is_answered(line: Line, status: str, path: str) -> None:
    assert ALICE in line.post(path, **line.standard(status))


@pytest.mark.parametrize(
    "to", ["00919200000199", "919200000199", "+919200000199", "+91 92000-00199", "0091 92000 00199"]
)
def test_c3_any_spelling_of_a_called_number_finds_its_route(make_app: App, to: str) -> None:
    plan = f"""
    [routes.main]
    steps.first = {{ ring = ["{ALICE}"] }}
    [routes.india]
    called = ["+919200000199"]
    steps.first = {{ ring = ["{BOB}"] }}
    """
    app = make_app(plan=plan)
    line = Line(app)
    reply = line.post("/dialstatus/", **(line.standard("ringing") | {"To": to}))

    assert BOB in reply
    [dial] = read(app, "/api/v1/dials?to=00919200000199")["dials"]
    assert dial["to"] == "+919200000199"


@pytest.mark.parametrize("caller", ["0049301234567", "49301234567", "+49 30 1234567"])
def test_c3_any_spelling_of_a_blocked_caller_is_blocked(make_app: App, caller: str) -> None:
    plan = f"""
    [routes.main]
    blocked = {{ callers = ["+49301234567"] }}
    steps.first = {{ ring = ["{ALICE}"] }}
    """
    line = Line(make_app(plan=plan))

    assert ALICE not in line.post("/dialstatus/", **(line.standard("ringing") | {"From": caller}))


@pytest.mark.parametrize("called", ["+919200000199", "919200000199", "00919200000199", "00 91 9200-000199"])
def test_c3_a_called_number_finds_its_route_in_every_spelling(called: str) -> None:
    plan = plan_of('[routes.india]\ncalled = ["+919200000199"]\nending = "busy"')

    assert first(plan, inbound(called)) == "busy"


@pytest.mark.parametrize(
    "caller", ["+49301234567", "49301234567", "0049301234567", "sip:0049301234567@carrier.example"]
)
def test_c3_a_blocked_caller_is_known_in_every_spelling(caller: str) -> None:
    plan = plan_of("""
        [routes.main]
        blocked = { callers = ["+49301234567"] }
        steps = { a = { ring = ["+14155550111"] } }
        """)

    assert first(plan, inbound("+14155550100", caller)) == "rejected"


@pytest.mark.parametrize("digits", ["7378742833", "266696687", "86282452253", "8656696", "7748283", "2562533"])
def test_c4_a_caller_hidden_behind_keypad_letters_is_anonymous(line: Line, digits: str) -> None:
    line.post("/dialstatus/", **(line.standard("ringing") | {"From": digits}))

    assert line.record["call"]["from"] == "anonymous"
    assert is_anonymous(digits)
    assert normalise(f"+{digits}") == "anonymous"


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("sqlite:///data.db", ROOT / "data.db"),
        ("sqlite:///./data.db", ROOT / "data.db"),
        ("sqlite:///docs/../data.db", ROOT / "data.db"),
        ("sqlite:////var/lib/data.db", Path("/var/lib/data.db")),
    ],
)
def test_c5_a_relative_database_lies_beside_the_settings(tmp_path: Path, written: str, path: Path) -> None:
    assert make_url(load(tmp_path, DATABASE_URL=written).database_url).database == str(path)


@pytest.mark.parametrize(
    "written", ["sqlite://data.db", "sqlite:data.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "data.db"]
)
def test_c5_other_forms_are_refused_with_a_sentence(tmp_path: Path, written: str) -> None:
    [problem] = problems(tmp_path, DATABASE_URL=written)

    assert "; write sqlite:////absolute/path.db or " in problem


@pytest.mark.parametrize("form", ['"{}"', "'{}'", "`{}`", "'\"{}\"'", ' "{}" '])
def test_c6_quotation_marks_around_the_token_do_not_count(start_server: Callable[..., Server], form: str) -> None:
    server = start_server(PLIVO_AUTH_TOKEN=form.format(TOKEN), REPORTS_TOKEN=form.format(REPORTS_TOKEN), WORKERS=1)

    assert server.plivo("POST", "/dialstatus/", requested(call_uuid := new_uuid())).status == 200
    assert server.plivo("POST", "/dialstatus/", requested(new_uuid()), token="another-made-up-token").status == 403
    assert server.api(f"/calls/{call_uuid}").json()["receipts"][0]["signature"] == "valid"


@pytest.mark.parametrize(
    "line",
    [
        "{}={}",
        '{}="{}"',
        "export {}='{}'",
        "{} = `{}`",
        '{}="{}" # of the console',
        "{}='\"{}\"'",
        "\ufeff{}={}",
        "PORT=5001\r\n{}={}\r\n",
    ],
)
@pytest.mark.parametrize("name", ["PLIVO_AUTH_TOKEN", "REPORTS_TOKEN", "SECRET_KEY", "PHLO_TOKEN"])
def test_c6_a_secret_of_an_env_file_is_read_however_it_is_quoted(tmp_path: Path, line: str, name: str) -> None:
    (tmp_path / ".env").write_bytes(line.format(name, secret := "a-made-up-secret").encode())

    config = Config.load({"INSTANCE_DIR": str(tmp_path)}, dotenv=tmp_path / ".env")

    field = "plivo_auth_tokens" if name == "PLIVO_AUTH_TOKEN" else name.lower()
    assert getattr(config, field) in (secret, (secret,))


@pytest.mark.parametrize("line", ['{}="{}', '{}="{}",', '{}="{}";', '{}=""{}""', "{}: {}", "set {}={}"])
def test_c6_a_line_that_cannot_be_read_does_not_open_the_server(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"PORT=5001\n{line.format('PLIVO_AUTH_TOKEN', 'hush-hush')}\n")

    with pytest.raises(ConfigError, match=r"\.env line 2 cannot be read; write NAME=value") as refused:
        Config.load({"INSTANCE_DIR": str(tmp_path)}, dotenv=tmp_path / ".env")

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("form", ["<{}>", "[{}]", "${}", "${{{}}}", "{};", "{}#console", "“{}”", '"{}', "hush hush{}"])
def test_c6_a_token_that_plivo_cannot_have_is_refused(tmp_path: Path, form: str) -> None:
    [problem] = problems(tmp_path, PLIVO_AUTH_TOKEN=form.format("hush"))

    assert problem.startswith("PLIVO_AUTH_TOKEN cannot be used; write it ")
    assert "hush" not in problem


def test_c7_reports_with_unrendered_templates_are_not_one_call(make_app: App) -> None:
    app = make_app(PHLO_TOKEN="a-made-up-phlo-token")
    client = app.test_client()
    headers = {"Authorization": "Bearer a-made-up-phlo-token"}
    template = {"DialALegUUID": "{{Start.call.uuid}}", "DialBLegUUID": "{{ CallForward_1.uuid }}"}
    for status in ("busy", "no-answer"):
        answer = client.post("/dialstatus/phlo/", json=template | {"DialStatus": status}, headers=headers)
        assert answer.status_code == 200

    dials = read(app, "/api/v1/dials")["dials"]
    assert len({dial["call_uuid"] for dial in dials}) == 2
    assert {(dial["a_leg_uuid"], dial["b_leg_uuid"]) for dial in dials} == {(None, None)}


def test_c7_a_code_in_the_place_of_the_cause_explains(line: Line) -> None:
    line.answer().action("failed", "3090")

    assert line.dials[0]["explanation"].endswith("The phone company's network was full.")
    assert line.dials[0]["dial_hangup_cause"] == "3090"


@pytest.mark.parametrize(("code", "outcome"), [("3010", "busy"), ("3020", "rejected"), ("2020", "unreachable")])
def test_c7_a_code_in_the_place_of_the_cause_decides(line: Line, code: str, outcome: str) -> None:
    line.answer().action("no-answer", code)

    assert line.outcome == outcome
