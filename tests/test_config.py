"""Settings are read once from the environment and `.env`, checked, and completed at the first start."""

import ast
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

from config import ROOT, Config, ConfigError, LogFormat, SignatureMode, env_example, settings_table
from tests.settings import load, problems

EVENTS_SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


def test_nothing_need_be_set(tmp_path: Path) -> None:
    config = load(tmp_path)

    assert (config.host, config.port, config.public_url) == ("127.0.0.1", 5000, None)
    assert config.database_url == f"sqlite:///{tmp_path}/dialstatus.db"
    assert config.verify_signatures is SignatureMode.OFF
    assert config.timezone == config.plivo_timezone == ZoneInfo("UTC")
    assert config.log_format is LogFormat.AUTO
    assert (config.workers, config.threads, config.store_timeout) == (2, 32, 0.8)
    assert (config.dial_plan, config.dial_caller_id, config.phlo_token, config.events_url) == (None,) * 4


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    assert [problem.split()[0] for problem in problems(tmp_path, DIAL_TO="", PORT="x", TIMEZONE="Mars")] == [
        "PORT",
        "DIAL_TO",
        "TIMEZONE",
    ]


def test_tokens_are_generated_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    instance = tmp_path / "new" / "instance"

    first, second = load(instance), load(instance)

    assert (first.reports_token, first.secret_key) == (second.reports_token, second.secret_key)
    assert first.reports_token != first.secret_key
    assert (instance / "reports_token").read_text().strip() == first.reports_token
    assert [(instance / name).stat().st_mode & 0o777 for name in ("reports_token", "secret_key")] == [0o600] * 2


def test_a_token_that_a_power_cut_left_as_zeros_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_bytes(bytes(44))

    config = load(tmp_path)

    assert (tmp_path / "secret_key").read_text() == f"{config.secret_key}\n"


def stored_tokens(instance: Path) -> tuple[str, str]:
    config = load(instance)
    return config.reports_token, config.secret_key


def test_processes_that_start_at_once_agree_on_the_tokens(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as workers:
        tokens = set(workers.map(stored_tokens, [tmp_path] * 16))

    assert len(tokens) == 1


def test_a_token_file_left_empty_by_a_crash_is_filled(tmp_path: Path) -> None:
    (tmp_path / "reports_token").touch(0o600)

    assert len(load(tmp_path).reports_token) >= 16


def test_a_stored_token_that_is_too_short_is_refused_without_repeating_it(tmp_path: Path) -> None:
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


def test_the_environment_takes_precedence_over_the_file(tmp_path: Path) -> None:
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


def test_the_table_has_every_setting_and_no_secret_default() -> None:
    table = settings_table()

    named = [line.split("`")[1] for line in table.splitlines()[2:]]
    assert {name.lower() for name in named} == (
        {field.name for field in fields(Config)} - {"environment", "warnings", "plivo_auth_tokens"}
        | {"plivo_auth_token"}
    )
    assert str(ROOT) not in table


def test_the_example_file_is_the_one_made_from_the_settings() -> None:
    assert (ROOT / ".env.example").read_text() == env_example()


def test_the_example_file_can_be_used_with_every_line_uncommented(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(re.sub(r"^# (?=[A-Z_]+=)", "", env_example(), flags=re.MULTILINE))

    config = Config.load({"INSTANCE_DIR": str(tmp_path)}, dotenv=dotenv)

    assert config.dial_to_is_example


def test_the_parts_of_the_settings_import_nothing_of_the_application_and_read_no_environment() -> None:
    sources = sorted((ROOT / "settings").glob("*.py"))
    for path in sources:
        text = path.read_text()
        imported = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
        }
        assert not imported & {"app", "config", "flask", "sqlalchemy", "plivo"}, path
        assert not re.search(r"environ\b|getenv", text), path
    assert len(sources) > 5
