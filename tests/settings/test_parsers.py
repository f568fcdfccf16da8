"""Every setting takes what its help says, and is refused with a sentence that says what to write."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.voice.numbers import parse_target
from config import ROOT, Config, LogFormat, SignatureMode, settings_table
from settings.parsers import target
from tests.settings import load, problems

EVENTS_SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


def test_an_empty_value_counts_as_unset(tmp_path: Path) -> None:
    names = {line.split("`")[1] for line in settings_table().splitlines()[2:]} - {"INSTANCE_DIR", "DIAL_TO"}

    assert load(tmp_path, **dict.fromkeys(names, " ")) == load(tmp_path)


def test_every_setting_is_accepted(tmp_path: Path) -> None:
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
        ("PUBLIC_URL", "https://https://a.example", "PUBLIC_URL is 'https://https://a.example'; write only"),
        ("PUBLIC_URL", "https://a.example:", "PUBLIC_URL is 'https://a.example:'; write only"),
        ("PUBLIC_URL", "https://a..example", "PUBLIC_URL is 'https://a..example'; write only"),
        ("PUBLIC_URL", "https://<your-host>", "PUBLIC_URL is 'https://<your-host>'; write only"),
        ("PUBLIC_URL", "https://{host}", "PUBLIC_URL is 'https://{host}'; write only"),
        ("PUBLIC_URL", "https://a.example,b.example", "PUBLIC_URL is 'https://a.example,b.example'; write only"),
        ("PUBLIC_URL", "http://0.0.0.0:5000", "PUBLIC_URL is 'http://0.0.0.0:5000'; every address of this machine"),
        ("PUBLIC_URL", "http://[::]:5000", "PUBLIC_URL is 'http://[::]:5000'; every address of this machine"),
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


@pytest.mark.parametrize(("text", "value"), [("ON", True), ("1", True), ("no", False), ("False", False)])
def test_booleans_are_accepted_as_people_write_them(tmp_path: Path, text: str, value: bool) -> None:
    assert load(tmp_path, MASK_NUMBERS=text).mask_numbers is value


@pytest.mark.parametrize(
    ("written", "used"), [("::1", "[::1]"), ("[::1]", "[::1]"), ("::", "[::]"), ("192.0.2.1", "192.0.2.1")]
)
def test_an_ipv6_address_to_listen_on_stands_in_brackets(tmp_path: Path, written: str, used: str) -> None:
    assert load(tmp_path, HOST=written).host == used


@pytest.mark.parametrize("path", ["/dialstatus", "/dialstatus/", "/dialstatus/hangup/", "/prefix/dialstatus/"])
def test_the_answer_url_is_not_taken_for_the_public_url(tmp_path: Path, path: str) -> None:
    (problem,) = problems(tmp_path, PUBLIC_URL=f"https://calls.example.com{path}")

    assert problem.endswith("; leave out /dialstatus and what follows: the server adds it")


@pytest.mark.parametrize("text", ["127.0.0.1:8000", "http://127.0.0.1", "a/b"])
def test_an_address_to_listen_on_has_no_port_or_scheme(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, HOST=text)

    assert problem == f"HOST is {text!r}; write an address of this machine, such as 127.0.0.1, 0.0.0.0 or ::1"


NUMBERS = st.text() | st.from_regex(r"\A\+?[0-9 ().\-/]{0,20}\Z") | st.from_regex(r"\Asip:[a-zA-Z0-9.@:]+\Z")


@given(NUMBERS.map(str.strip))
def test_settings_and_dial_plans_take_the_same_numbers(text: str) -> None:
    results: list[str | None] = []
    for parse in (target, parse_target):
        try:
            results.append(parse(text))
        except ValueError:
            results.append(None)

    assert results[0] == results[1]


@pytest.mark.parametrize("name", ["DIAL_PLAN", "INSTANCE_DIR"])
def test_a_relative_path_is_the_same_in_every_directory(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    plan, instance = os.path.relpath(tmp_path / "plan.toml", ROOT), os.path.relpath(tmp_path / "instance", ROOT)
    (tmp_path / "plan.toml").touch()
    monkeypatch.chdir("/")

    config = Config.load({"DIAL_PLAN": plan, "INSTANCE_DIR": instance})

    assert getattr(config, name.lower()).resolve() == tmp_path / {"DIAL_PLAN": "plan.toml"}.get(name, "instance")
