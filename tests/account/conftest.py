"""What the tests of this room share: a Plivo account on loopback, and the real commands pointed at it."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from app.cli.group import add_commands
from app.context import EXTENSION, Services
from app.records.store.migrate import upgrade
from config import Config
from tests.account.plivo_api import AUTH_ID, AUTH_TOKEN, PlivoApi, running

Cli = Callable[..., Result]

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
