"""What the tests of this room share: a Plivo account on loopback, and the real commands pointed at it."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import Row, create_engine, text

from app import create_app
from app.cli.group import add_commands
from app.context import EXTENSION, Services
from app.records.store.migrate import upgrade
from config import Config
from tests.account.plivo_api import PlivoApi
from tests.account.plivo_objects import AUTH_ID, AUTH_TOKEN
from tests.account.plivo_server import running

Cli = Callable[..., Result]
Table = list[Row[Any]]
Examine = Callable[..., dict[str, dict[str, Any]]]

PUBLIC_URL = "https://calls.example.com"
BASIC = base64.b64encode(f"{AUTH_ID}:{AUTH_TOKEN}".encode()).decode()  # As the token goes over the wire.


@pytest.fixture
def plivo_api() -> Iterator[PlivoApi]:
    """Serve an empty Plivo account on loopback."""
    with running() as api:
        yield api


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the settings of the server under test; a test may change them before it makes the application."""
    return {
        "INSTANCE_DIR": str(tmp_path / "instance"),
        "PLIVO_AUTH_ID": AUTH_ID,
        "PLIVO_AUTH_TOKEN": AUTH_TOKEN,
        "PUBLIC_URL": PUBLIC_URL,
        "DIAL_TO": "+14155550123",
        "STORE_TIMEOUT": "5",
    }


@pytest.fixture
def make_app(environ: dict[str, str]) -> Iterator[Callable[[], Flask]]:
    """Make the application with the settings as they are now."""
    made: list[Services] = []

    def make() -> Flask:
        app = create_app(Config.load(environ))
        made.append(app.extensions[EXTENSION])
        upgrade(made[-1].store)
        return app

    yield make
    for services in made:
        services.journal.close()
        services.store.close()


@pytest.fixture
def run(make_app: Callable[[], Flask], plivo_api: PlivoApi) -> Cli:
    """Run `flask plivo …` against the account on loopback. No token may ever come out of it."""

    def invoke(*words: str, answer: str | None = None, timeout: str = "30", command: str = "plivo") -> Result:
        access = [f"--{name}-url={plivo_api.url}" for name in ("api", "phlo", "ngrok")]
        arguments = [command, *access, "--timeout", timeout, *words]
        result = add_commands(make_app()).test_cli_runner().invoke(args=arguments, input=answer)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert AUTH_TOKEN not in result.output
        assert BASIC not in result.output
        return result

    return invoke


@pytest.fixture
def examine(run: Cli) -> Examine:
    """Run the doctor and return its checks by name."""

    def invoke(*words: str, exit_code: int = 1) -> dict[str, dict[str, Any]]:
        result = run("--json", *words, command="doctor")
        assert result.exit_code == exit_code, result.output
        said = json.loads(result.stdout)
        assert said["ok"] is (exit_code == 0)
        return {check["name"]: check for check in said["checks"]}

    return invoke


def failing(checks: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, check in checks.items() if check["ok"] is False}


@pytest.fixture
def rows(environ: dict[str, str]) -> Callable[[str], Table]:
    """Read the database as it is on disk."""

    def read(sql: str) -> Table:
        engine = create_engine(Config.load(environ).database_url)
        with engine.connect() as connection:
            found = list(connection.execute(text(sql)))
        engine.dispose()
        return found

    return read


@pytest.fixture
def account(plivo_api: PlivoApi) -> PlivoApi:
    """Return an account with other people's applications, over two pages, and a number on one of them."""
    for index in range(25):
        plivo_api.add_application(str(100 + index), f"other-{index}", answer_method="GET")
    plivo_api.add_number("14155550199", "107")
    return plivo_api
