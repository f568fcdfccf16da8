"""Parts that a drill may break, and the figures it measured."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.records.store import migrate
from app.records.store.store import Store
from tests.support.postgresql import Postgresql
from tests.support.server import COVERAGE_VARIABLES

Tell = Callable[[str], None]


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start servers without measuring coverage, which takes half of their time; other tests measure it."""
    for name in COVERAGE_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tell(record_property: Callable[[str, object], None], request: pytest.FixtureRequest) -> Tell:
    """Return a function that records a figure for the summary."""
    return lambda text: record_property("figure", f"{request.node.name}: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that the drills measured."""
    told = [
        value
        for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
        for name, value in report.user_properties
        if name == "figure"
    ]
    if told:
        terminalreporter.section("figures")
        for line in told:
            terminalreporter.line(str(line))


@pytest.fixture
def own_postgresql(postgresql: str) -> Iterator[Postgresql]:
    """Yield a PostgreSQL server with the tables, for one drill alone."""
    assert postgresql  # It created the user that PostgreSQL runs under.
    server = Postgresql().make().start()
    store = Store(server.url, timeout=5)
    migrate.upgrade(store)
    store.close()
    yield server
    server.remove()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of 48 MB, mounted for the test."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount the small file system that the drill fills")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
