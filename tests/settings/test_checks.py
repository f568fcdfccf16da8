"""Settings that contradict each other are refused; those that are probably not meant are warned about."""

from pathlib import Path

import pytest

from config import Config, SignatureMode
from tests.settings import load, problems

AUTH_TOKEN = "an-auth-token-of-plivo"


def test_the_guides_number_is_called_by_default_with_a_warning(tmp_path: Path) -> None:
    config = load(tmp_path)

    assert config.dial_to == ("+15551234567",)
    assert config.dial_to_is_example
    assert [warning for warning in config.warnings if "DIAL_TO is +15551234567" in warning]


def test_a_plan_makes_the_guides_number_no_matter(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text("")

    config = load(tmp_path, DIAL_PLAN=str(plan))

    assert config.dial_plan == plan
    assert not config.dial_to_is_example
    assert config.warnings == ()


def test_signatures_are_enforced_as_soon_as_there_is_a_token(tmp_path: Path) -> None:
    assert load(tmp_path, PLIVO_AUTH_TOKEN=AUTH_TOKEN).verify_signatures is SignatureMode.ENFORCE


def test_enforcing_without_a_token_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, VERIFY_SIGNATURES="enforce")

    assert problem.startswith("VERIFY_SIGNATURES is 'enforce' without PLIVO_AUTH_TOKEN; write")


@pytest.mark.parametrize(
    "others",
    [
        {"PLIVO_AUTH_TOKEN": AUTH_TOKEN},
        {"PLIVO_AUTH_TOKEN": AUTH_TOKEN, "VERIFY_SIGNATURES": "enforce"},
        {"PUBLIC_URL": "https://calls.example.com"},
        {"PUBLIC_URL": "http://192.0.2.1"},
        {"VERIFY_SIGNATURES": "observe"},
        {"PLIVO_AUTH_TOKEN": AUTH_TOKEN, "VERIFY_SIGNATURES": "observe"},
        {"HOST": "0.0.0.0"},
        {"HOST": "::"},
        {"HOST": "192.0.2.1"},
        {"TRUSTED_PROXIES": "1"},
    ],
)
def test_simulated_time_is_refused_where_real_calls_come(tmp_path: Path, others: dict[str, str]) -> None:
    (problem,) = problems(tmp_path, SIMULATED_TIME="true", **others)

    assert problem.startswith("SIMULATED_TIME is on; write false")


@pytest.mark.parametrize("url", ["", "http://localhost:5000", "http://127.0.0.1:5000", "http://[::1]:5000"])
def test_simulated_time_is_for_this_machine(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, SIMULATED_TIME="true", PUBLIC_URL=url).simulated_time


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_simulated_time_needs_a_server_that_listens_to_this_machine_only(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, SIMULATED_TIME="true", HOST=host).simulated_time


def test_v2_signatures_are_accepted_only_on_request(tmp_path: Path) -> None:
    assert not load(tmp_path).accept_v2
    assert load(tmp_path, ACCEPT_V2="true").accept_v2


def test_events_are_not_sent_unsigned(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, EVENTS_URL="https://crm.example.com/")

    assert problem.startswith("EVENTS_URL is set without EVENTS_SECRET; write whsec_ and 24 to 64 random bytes")


def test_more_numbers_than_one_reply_holds_stop_the_server(tmp_path: Path) -> None:
    hundred = [f"+1415555{number:04}" for number in range(100, 200)]

    (problem,) = problems(tmp_path, DIAL_TO=",".join([*hundred, "+14155550999"]))

    assert problem == "DIAL_TO holds 101 numbers; write at most 100, since all of them ring together"
    assert len(load(tmp_path, DIAL_TO=",".join(hundred)).dial_to) == 100


@pytest.mark.parametrize(("name", "meant"), [("DIAL_TOO", "DIAL_TO"), ("PLIVO_TOKEN", "PLIVO_AUTH_TOKEN")])
def test_a_name_that_resembles_a_setting_is_pointed_out(tmp_path: Path, name: str, meant: str) -> None:
    config = load(tmp_path, DIAL_TO="+14155550100", **{name: "hush"})

    (warning,) = config.warnings
    assert warning.startswith(f"{name} is not a setting and changes nothing; did you mean ")
    assert meant in warning
    assert "hush" not in warning


def test_other_programs_settings_are_not_remarked_on(tmp_path: Path) -> None:
    others = dict.fromkeys(["PATH", "HOME", "HOSTNAME", "TZ", "LOGNAME", "SHELL", "VIRTUAL_ENV", "DYNO"], "x")

    assert load(tmp_path, DIAL_TO="+14155550100", **others).warnings == ()


def test_an_unguarded_public_server_is_warned_about(tmp_path: Path) -> None:
    config = load(tmp_path, DIAL_TO="+14155550100", PUBLIC_URL="https://calls.example.com")

    (warning,) = config.warnings
    assert warning.startswith("Anybody may post reports to PUBLIC_URL; set PLIVO_AUTH_TOKEN")


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:5000",
        "http://127.0.0.1:5000",
        "http://[::1]:5000",
        "https://10.0.0.5",
        "https://192.168.1.20:5000",
        "https://calls",
        "https://calls.local",
        "https://calls.internal",
    ],
)
def test_a_public_url_that_plivo_cannot_reach_is_warned_about(tmp_path: Path, url: str) -> None:
    (warning,) = load(tmp_path, DIAL_TO="+14155550100", PUBLIC_URL=url, PLIVO_AUTH_TOKEN=AUTH_TOKEN).warnings

    assert warning == (
        f"PUBLIC_URL is {url}, which Plivo cannot reach; write the URL that the internet knows this server by"
    )


@pytest.mark.parametrize("url", ["https://calls.example.com", "http://8.8.8.8:5000", "https://37347786acf6.ngrok.io"])
def test_a_public_url_on_the_internet_is_not_warned_about(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, DIAL_TO="+14155550100", PUBLIC_URL=url, PLIVO_AUTH_TOKEN=AUTH_TOKEN).warnings == ()


def test_a_settings_file_that_others_can_read_is_warned_about(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("DIAL_TO=+14155550100\n")
    dotenv.chmod(0o644)

    (warning,) = Config.load({"INSTANCE_DIR": str(tmp_path)}, dotenv=dotenv).warnings
    assert warning == f"{dotenv} can be read by every user of this machine; run chmod 600 {dotenv}"

    dotenv.chmod(0o640)
    assert Config.load({"INSTANCE_DIR": str(tmp_path)}, dotenv=dotenv).warnings == ()


def test_an_instance_directory_that_others_can_read_is_warned_about(tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir(mode=0o755)
    (tmp_path / "instance").chmod(0o755)

    (warning,) = load(tmp_path / "instance", DIAL_TO="+14155550100").warnings

    assert warning.endswith(f"can be read by every user of this machine; run chmod 700 {tmp_path}/instance")
