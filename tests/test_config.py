"""Every setting is read once, checked at start and refused with a sentence that says what to write."""

import base64
import multiprocessing
import os
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from app.voice.numbers import parse_target
from config import ROOT, Config, ConfigError, LogFormat, SignatureMode, env_example, settings_table
from config import _target as config_target

AUTH_TOKEN = "an-auth-token-of-plivo"
EVENTS_SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


def load(instance: Path, **environ: str) -> Config:
    return Config.load({"INSTANCE_DIR": str(instance)} | environ)


def problems(instance: Path, **environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        load(instance, **environ)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return refused.value.problems


def test_nothing_need_be_set(tmp_path: Path) -> None:
    config = load(tmp_path)

    assert (config.host, config.port, config.public_url) == ("127.0.0.1", 5000, None)
    assert config.database_url == f"sqlite:///{tmp_path}/dialstatus.db"
    assert config.verify_signatures is SignatureMode.OFF
    assert config.timezone == config.plivo_timezone == ZoneInfo("UTC")
    assert config.log_format is LogFormat.AUTO
    assert (config.workers, config.threads, config.store_timeout) == (2, 32, 0.8)
    assert (config.dial_plan, config.dial_caller_id, config.phlo_token, config.events_url) == (None,) * 4


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


def test_an_empty_value_counts_as_unset(tmp_path: Path) -> None:
    names = {line.split("`")[1] for line in settings_table().splitlines()[2:]} - {"INSTANCE_DIR", "DIAL_TO"}

    assert load(tmp_path, **dict.fromkeys(names, " ")) == load(tmp_path)


def test_every_setting_is_taken(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        PORT="8080",
        HOST="0.0.0.0",
        PUBLIC_URL="https://calls.example.com/voice/",
        TRUSTED_PROXIES="1",
        PLIVO_AUTH_ID="MA0123456789",
        PLIVO_AUTH_TOKEN="first, second,first",
        VERIFY_SIGNATURES="Observe",
        DIAL_TO="+1 (415) 555-0100, SIP:alice@Phone.plivo.com,+14155550100",
        DIAL_TIMEOUT="20",
        DIAL_TIME_LIMIT="60",
        DIAL_METHOD="get",
        DIAL_CALLER_ID="+14155550199",
        RETRY_CONTROL="ct=100&er=frankfurt",
        RETRY_NOTICE="rp=all",
        PHLO_TOKEN="a-long-token-for-phlo",
        REPORTS_TOKEN="a-long-token-for-reports",
        SECRET_KEY="a-long-key-for-sessions",
        TIMEZONE="Europe/Paris",
        PLIVO_TIMEZONE="America/Los_Angeles",
        RETENTION_DAYS="90",
        MASK_NUMBERS="yes",
        EVENTS_URL="https://crm.example.com/hooks?dials",
        EVENTS_SECRET=EVENTS_SECRET,
        WORKERS="4",
        THREADS="8",
        LOG_FORMAT="JSON",
        LOG_LEVEL="debug",
        STORE_TIMEOUT="0.5",
    )

    assert (config.port, config.host, config.trusted_proxies) == (8080, "0.0.0.0", 1)
    assert config.public_url == "https://calls.example.com/voice"
    assert config.plivo_auth_tokens == ("first", "second")
    assert config.verify_signatures is SignatureMode.OBSERVE
    assert config.dial_to == ("+14155550100", "sip:alice@phone.plivo.com")
    assert (config.dial_timeout, config.dial_time_limit, config.dial_method) == (20, 60, "GET")
    assert config.dial_caller_id == "+14155550199"
    assert (config.retry_control, config.retry_notice) == ("ct=100&er=frankfurt", "rp=all")
    assert (config.reports_token, config.secret_key) == (
        "a-long-token-for-reports",
        "a-long-key-for-sessions",
    )
    assert (config.timezone.key, config.plivo_timezone.key) == ("Europe/Paris", "America/Los_Angeles")
    assert (config.retention_days, config.mask_numbers, config.store_timeout) == (90, True, 0.5)
    assert (config.events_url, config.events_secret) == ("https://crm.example.com/hooks?dials", EVENTS_SECRET)
    assert (config.log_format, config.log_level) == (LogFormat.JSON, "DEBUG")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("PORT", "x", "PORT is 'x'; write a whole number from 1 to 65535"),
        ("PORT", "0", "PORT is '0'; write a whole number from 1 to 65535"),
        ("PORT", "65536", "PORT is '65536'; write a whole number from 1 to 65535"),
        ("HOST", "a b", "HOST is 'a b'; write an address of this machine"),
        ("TRUSTED_PROXIES", "-1", "TRUSTED_PROXIES is '-1'; write a whole number from 0 to 10"),
        ("DIAL_TIMEOUT", "0", "DIAL_TIMEOUT is '0'; write a whole number from 1 to 600"),
        ("DIAL_TIMEOUT", "601", "DIAL_TIMEOUT is '601'; write a whole number from 1 to 600"),
        ("DIAL_TIME_LIMIT", "1e3", "DIAL_TIME_LIMIT is '1e3'; write a whole number from 1 to 86400"),
        ("DIAL_METHOD", "PUT", "DIAL_METHOD is 'PUT'; write GET or POST"),
        ("STORE_TIMEOUT", "nan", "STORE_TIMEOUT is 'nan'; write seconds from 0.05 to 5"),
        ("STORE_TIMEOUT", "0.01", "STORE_TIMEOUT is '0.01'; write seconds from 0.05 to 5"),
        ("MASK_NUMBERS", "maybe", "MASK_NUMBERS is 'maybe'; write true or false"),
        ("VERIFY_SIGNATURES", "yes", "VERIFY_SIGNATURES is 'yes'; write enforce, observe or off"),
        (
            "TIMEZONE",
            "Europe",
            "TIMEZONE is 'Europe'; write the name of a time zone such as UTC or Europe/Paris",
        ),
        ("PLIVO_TIMEZONE", "../UTC", "PLIVO_TIMEZONE is '../UTC'; write the name of a time zone"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL is 'loud'; write DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("PUBLIC_URL", "calls.example.com", "PUBLIC_URL is 'calls.example.com'; write only what Plivo calls"),
        ("PUBLIC_URL", "https://:80", "PUBLIC_URL is 'https://:80'; write only what Plivo calls"),
        ("PUBLIC_URL", "https://[a", "PUBLIC_URL is 'https://[a'; write only what Plivo calls"),
        ("PUBLIC_URL", "/dialstatus/", "PUBLIC_URL is '/dialstatus/'; write only what Plivo calls"),
        ("PUBLIC_URL", "https://a.example/?x=1", "PUBLIC_URL is 'https://a.example/?x=1'; write only"),
        ("PUBLIC_URL", "https://a.example:99999", "PUBLIC_URL is 'https://a.example:99999'; write only"),
        ("PUBLIC_URL", "https://u:pass@a.example", "PUBLIC_URL is 'https://…@a.example'; write only"),
        ("DIAL_TO", "", "DIAL_TO is ''; an empty number cannot be called; write +14155550100"),
        ("DIAL_TO", "+14155550100,", "DIAL_TO is '+14155550100,'; an empty number cannot be called"),
        ("DIAL_TO", "4155550100", "DIAL_TO is '4155550100'; write +14155550100 (with country code)"),
        ("DIAL_TO", "+1999", "DIAL_TO is '+1999'; no telephone has this number; write +14155550100"),
        ("DIAL_CALLER_ID", "me", "DIAL_CALLER_ID is 'me'; write +14155550100 (with country code)"),
        (
            "DIAL_PLAN",
            "/no/plan.toml",
            "DIAL_PLAN is '/no/plan.toml'; No such file or directory; write the path",
        ),
        ("RETRY_CONTROL", "#rc=1", "RETRY_CONTROL is '#rc=1'; '#rc=1' is not one of ct=100–10000"),
        ("RETRY_CONTROL", "ct=99", "RETRY_CONTROL is 'ct=99'; 'ct=99' is not one of"),
        ("RETRY_CONTROL", "tt=55001", "RETRY_CONTROL is 'tt=55001'; 'tt=55001' is not one of"),
        ("RETRY_CONTROL", "rc=1&rc=2", "RETRY_CONTROL is 'rc=1&rc=2'; 'rc=2' is not one of"),
        ("RETRY_CONTROL", "rp=3xx", "RETRY_CONTROL is 'rp=3xx'; 'rp=3xx' is not one of"),
        ("RETRY_CONTROL", "er=moon", "RETRY_CONTROL is 'er=moon'; 'er=moon' is not one of"),
        (
            "RETRY_NOTICE",
            "rp=ct,rt",
            "RETRY_NOTICE is 'rp=ct,rt'; a report that was not kept must come again",
        ),
        ("RETRY_NOTICE", "rc=0&rp=5xx", "RETRY_NOTICE is 'rc=0&rp=5xx'; a report that was not kept must"),
    ],
)
def test_a_setting_is_refused_with_what_was_read_and_what_to_write(
    tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    (problem,) = problems(tmp_path, **{name: text})

    assert problem.startswith(sentence)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "what_to_write"),
    [
        ("PLIVO_AUTH_TOKEN", "hush hush", "write it without spaces and in plain ASCII"),
        ("PLIVO_AUTH_TOKEN", " , ,", "write at least one between the commas"),
        ("REPORTS_TOKEN", "hush", "write at least 16 characters"),
        ("SECRET_KEY", "hush", "write at least 16 characters"),
        ("PHLO_TOKEN", "hush", "write at least 16 characters"),
        ("DATABASE_URL", "mysql://hush@host/name", "write sqlite:////absolute/path.db or postgresql://"),
        (
            "DATABASE_URL",
            "postgresql://user:hu/sh@host/name",
            "write sqlite:////absolute/path.db or postgresql://",
        ),
        ("DATABASE_URL", "sqlite://", "write sqlite:////absolute/path.db or postgresql://"),
        ("DATABASE_URL", "sqlite:///:memory:", "write sqlite:////absolute/path.db or postgresql://"),
        ("EVENTS_URL", "ftp://hush.example", "write an absolute URL such as https://"),
        ("EVENTS_URL", "https://user:hush@crm.example.com/", "write it without a user: the signature says who sent it"),
        ("EVENTS_SECRET", "hush", "write whsec_ and 24 to 64 random bytes in base64"),
        ("EVENTS_SECRET", "whsec_hush!", "write whsec_ and 24 to 64 random bytes in base64"),
        ("EVENTS_SECRET", "whsec_hush", "write whsec_ and 24 to 64 random bytes in base64"),
    ],
)
def test_a_refused_secret_is_not_repeated(tmp_path: Path, name: str, text: str, what_to_write: str) -> None:
    (problem,) = problems(tmp_path, **{name: text})

    assert problem.startswith(f"{name} cannot be used; {what_to_write}")
    assert "hush" not in problem


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    assert [problem.split()[0] for problem in problems(tmp_path, DIAL_TO="", PORT="x", TIMEZONE="Mars")] == [
        "PORT",
        "DIAL_TO",
        "TIMEZONE",
    ]


@pytest.mark.parametrize(("text", "value"), [("ON", True), ("1", True), ("no", False), ("False", False)])
def test_yes_and_no_are_understood_as_people_write_them(tmp_path: Path, text: str, value: bool) -> None:
    assert load(tmp_path, MASK_NUMBERS=text).mask_numbers is value


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
        {"VERIFY_SIGNATURES": "observe", "PLIVO_AUTH_TOKEN": AUTH_TOKEN},
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


@pytest.mark.parametrize(
    ("written", "used"), [("::1", "[::1]"), ("[::1]", "[::1]"), ("::", "[::]"), ("192.0.2.1", "192.0.2.1")]
)
def test_an_ipv6_address_to_listen_on_stands_in_brackets(tmp_path: Path, written: str, used: str) -> None:
    assert load(tmp_path, HOST=written).host == used


def test_more_numbers_than_one_reply_holds_stop_the_server(tmp_path: Path) -> None:
    hundred = [f"+1415555{number:04}" for number in range(100, 200)]

    (problem,) = problems(tmp_path, DIAL_TO=",".join([*hundred, "+14155550999"]))

    assert problem == "DIAL_TO holds 101 numbers; write at most 100, since all of them ring together"
    assert len(load(tmp_path, DIAL_TO=",".join(hundred)).dial_to) == 100


@pytest.mark.parametrize("path", ["/dialstatus", "/dialstatus/", "/dialstatus/hangup/", "/prefix/dialstatus/"])
def test_the_answer_url_is_not_taken_for_the_public_url(tmp_path: Path, path: str) -> None:
    (problem,) = problems(tmp_path, PUBLIC_URL=f"https://calls.example.com{path}")

    assert problem.endswith("; leave out /dialstatus and what follows: the server adds it")


@pytest.mark.parametrize("text", ["127.0.0.1:8000", "http://127.0.0.1", "a/b"])
def test_an_address_to_listen_on_has_no_port_or_scheme(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, HOST=text)

    assert problem == f"HOST is {text!r}; write an address of this machine, such as 127.0.0.1, 0.0.0.0 or ::1"


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("sqlite:////var/lib/dials.db", "sqlite:////var/lib/dials.db"),
        ("postgres://u:p@h/db", "postgresql+psycopg://u:p@h/db"),
        (
            "postgresql://u:p%40@h:5433/db?sslmode=require",
            "postgresql+psycopg://u:p%40@h:5433/db?sslmode=require",
        ),
        ("postgresql+psycopg://h/db", "postgresql+psycopg://h/db"),
        ("postgresql:///db?host=/run/postgresql", "postgresql+psycopg:///db?host=/run/postgresql"),
        (
            "postgresql://u:p@/db?host=a:1&host=b:2&target_session_attrs=read-write",
            "postgresql+psycopg://u:p@/db?host=a:1&host=b:2&target_session_attrs=read-write",
        ),
        (
            "postgres://u:p@a:1,b:2/db?target_session_attrs=read-write",
            "postgresql+psycopg://u:p@/db?host=a:1&host=b:2&target_session_attrs=read-write",
        ),
        ("postgres://a,b/db", "postgresql+psycopg:///db?host=a&host=b"),
    ],
)
def test_a_database_url_is_what_sqlalchemy_takes(tmp_path: Path, written: str, used: str) -> None:
    config = load(tmp_path, DATABASE_URL=written)

    assert config.database_url == used
    assert make_url(used).get_dialect().driver in {"pysqlite", "psycopg"}


def test_several_hosts_reach_the_driver(tmp_path: Path) -> None:
    url = make_url(load(tmp_path, DATABASE_URL="postgres://u@a:1,b:2/db?target_session_attrs=any").database_url)

    _, arguments = url.get_dialect()().create_connect_args(url)

    assert (arguments["host"], arguments["port"]) == ("a,b", "1,2")
    assert arguments["target_session_attrs"] == "any"


def test_tokens_are_made_once_and_kept_for_their_owner_alone(tmp_path: Path) -> None:
    instance = tmp_path / "new" / "instance"

    first, second = load(instance), load(instance)

    assert (first.reports_token, first.secret_key) == (second.reports_token, second.secret_key)
    assert first.reports_token != first.secret_key
    assert (instance / "reports_token").read_text().strip() == first.reports_token
    assert [(instance / name).stat().st_mode & 0o777 for name in ("reports_token", "secret_key")] == [0o600] * 2


def kept_tokens(instance: Path) -> tuple[str, str]:
    config = load(instance)
    return config.reports_token, config.secret_key


def test_processes_that_start_at_once_agree_on_the_tokens(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as workers:
        tokens = set(workers.map(kept_tokens, [tmp_path] * 16))

    assert len(tokens) == 1


def test_a_token_file_left_empty_by_a_crash_is_filled(tmp_path: Path) -> None:
    (tmp_path / "reports_token").touch(0o600)

    assert len(load(tmp_path).reports_token) >= 16


def test_a_kept_token_that_is_too_short_is_refused_unsaid(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("hush")

    (problem,) = problems(tmp_path)

    assert problem.startswith("The file secret_key in INSTANCE_DIR cannot be used; write at least 16 characters")
    assert "hush" not in problem


def test_an_instance_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    (problem,) = problems(tmp_path / "file")

    assert problem.startswith(f"INSTANCE_DIR is '{tmp_path}/file'; File exists; write a directory")


def test_secrets_are_not_in_the_repr(tmp_path: Path) -> None:
    secret = {
        "PLIVO_AUTH_TOKEN": "hush-hush-hush-hush",
        "REPORTS_TOKEN": "hush-hush-hush-hush",
        "SECRET_KEY": "hush-hush-hush-hush",
        "PHLO_TOKEN": "hush-hush-hush-hush",
        "DATABASE_URL": "postgresql://u:hush@h/db",
        "EVENTS_URL": "https://crm.example.com/hush",
        "EVENTS_SECRET": EVENTS_SECRET,
    }

    shown = repr(load(tmp_path, **secret))

    assert "port=5000" in shown
    assert "hush" not in shown
    assert EVENTS_SECRET not in shown


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("PORT=6000\nWORKERS=3\nREPORTS_TOKEN='a-token-with-${PORT}-in-it'\nTHREADS\n")

    config = Config.load({"PORT": "7000", "INSTANCE_DIR": str(tmp_path)}, dotenv=dotenv)

    assert (config.port, config.workers, config.threads) == (7000, 3, 32)
    assert config.reports_token == "a-token-with-${PORT}-in-it"


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"PORT=\xff\n")

    with pytest.raises(ConfigError, match="cannot be read; make it a readable file in UTF-8"):
        Config.load({}, dotenv=dotenv)


def test_the_real_environment_is_read(tmp_path: Path) -> None:
    environ = os.environ | {"INSTANCE_DIR": str(tmp_path), "PORT": "6001"}
    code = "from config import Config; print(Config.load().port)"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("6001\n", "")


def test_reading_settings_loads_neither_the_application_nor_its_libraries() -> None:
    code = "import config, sys; print({'app', 'flask', 'sqlalchemy', 'plivo'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.stdout == "set()\n"


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


NUMBERS = st.text() | st.from_regex(r"\A\+?[0-9 ().\-/]{0,20}\Z") | st.from_regex(r"\Asip:[a-zA-Z0-9.@:]+\Z")


@given(NUMBERS.map(str.strip))
def test_settings_and_dial_plans_take_the_same_numbers(text: str) -> None:
    verdicts: list[str | None] = []
    for parse in (config_target, parse_target):
        try:
            verdicts.append(parse(text))
        except ValueError:
            verdicts.append(None)

    assert verdicts[0] == verdicts[1]


def test_the_table_has_every_setting_and_no_secret_default() -> None:
    table = settings_table()

    named = [line.split("`")[1] for line in table.splitlines()[2:]]
    assert {name.lower() for name in named} == (
        {field.name for field in fields(Config)} - {"warnings", "plivo_auth_tokens"} | {"plivo_auth_token"}
    )
    assert str(ROOT) not in table


def test_the_example_file_is_the_one_made_from_the_settings() -> None:
    assert (ROOT / ".env.example").read_text() == env_example()


def test_the_example_file_can_be_used_with_every_line_taken_in(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(re.sub(r"^# (?=[A-Z_]+=)", "", env_example(), flags=re.MULTILINE))

    config = Config.load({"INSTANCE_DIR": str(tmp_path)}, dotenv=dotenv)

    assert config.dial_to_is_example
