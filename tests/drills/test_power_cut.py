"""The power is cut at thousands of points of a server's life: nothing acknowledged is lost, no start needs a hand."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.drills.conftest import Tell
from tests.drills.power_cut.__main__ import cuts, wrong_after_cuts
from tests.drills.power_cut.recording import Recording, record
from tests.drills.power_cut.recovery import what_is_wrong
from tests.support.server import ROOT, Server, until

_PROCESSES = 2
_FULL = "PRAGMA synchronous = FULL"
_PROGRAM = ("app", "settings", "config.py", "wsgi.py", "gunicorn.conf.py", "pyproject.toml", "docs")


def wrong_at_points(path: Path, number: int) -> list[dict[str, Any]]:
    """Cut the power at points of a recording in two processes, and return those where something was wrong."""
    bounds = [number * part // _PROCESSES for part in range(_PROCESSES + 1)]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.drills.power_cut", str(path), *map(str, (number, first, end))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first, end in pairwise(bounds)
    ]
    printed = "".join(process.communicate()[0] for process in running)
    assert [process.returncode for process in running] == [0] * _PROCESSES
    return [json.loads(line) for line in printed.splitlines()]


def replay(path: Path, number: int) -> str:
    """Return how to run one point again."""
    return f"replay a point: .venv/bin/python -m tests.drills.power_cut {path} {number} POINT POINT+1"


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Return the recording of a short life."""
    return record(tmp_path_factory.mktemp("short"), calls=8, is_apart=True)


def test_the_power_is_cut_at_a_hundred_points(short: Recording, tmp_path: Path) -> None:
    wrong = list(wrong_after_cuts(short, 100, 0, 100))
    assert wrong == [], replay(short.write(tmp_path / "recording"), 100)


@pytest.mark.parametrize("name", ["dialstatus.db-wal", "spool.db-wal"])
def test_a_log_that_is_not_synced_is_found(short: Recording, name: str) -> None:
    wrong = wrong_after_cuts(short.without_syncs(name), 100, 0, 100)
    assert any("acknowledged receipts are missing" in str(found) for found in wrong)


@pytest.mark.drill
def test_the_power_is_cut_at_ten_thousand_points(tmp_path: Path, tell: Tell) -> None:
    lives, points, steps, acknowledged = 4, 2500, 0, 0
    for life in range(lives):
        recording = record(tmp_path / str(life), calls=100, is_apart=life % 2 == 0)
        path = recording.write(tmp_path / f"recording{life}")
        assert wrong_at_points(path, points) == [], replay(path, points)
        steps += len(recording.steps)
        acknowledged += sum(step.name == "reply" for step in recording.steps)
    tell(
        f"{lives * points} power cuts in {lives} lives of a server, {steps} writes, syncs and replies: 0 of up to "
        f"{acknowledged // lives} acknowledged receipts lost in any, 0 records that differ, 0 starts that needed a hand"
    )


@pytest.mark.drill
def test_a_server_starts_by_itself_after_a_cut(start_server: Callable[..., Server], tmp_path: Path, tell: Tell) -> None:
    points, recording = 30, record(tmp_path / "life", calls=30, is_apart=True)
    for _, directory, acknowledged in cuts(recording, points, 0, points):
        server = start_server(
            INSTANCE_DIR=directory / "instance",
            DATABASE_URL=f"sqlite:///{directory / recording.database}",
            LOG_LEVEL="ERROR",
        )
        until(lambda server=server: server.request("GET", "/readyz").status == 200)
        server.stop()
        assert not server.events("store_not_ready")
        assert what_is_wrong(directory / "instance", directory / recording.database, acknowledged) == []
    tell(f"{points} times a whole server started on what a power cut left: ready each time, nothing missing")


@pytest.mark.drill
@pytest.mark.parametrize("file", ["app/records/store/sqlite.py", "app/records/spool/spool.py"])
def test_a_program_that_does_not_sync_is_found(tmp_path: Path, tell: Tell, file: str) -> None:
    program = tmp_path / "program"
    program.mkdir()
    for name in _PROGRAM:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, program / name)
    text = (program / file).read_text()
    assert text.count(_FULL) == 1
    (program / file).write_text(text.replace(_FULL, "PRAGMA synchronous = OFF"))
    points = 500
    wrong = wrong_at_points(
        record(tmp_path, calls=30, is_apart=True, program=program).write(tmp_path / "recording"), points
    )
    assert "acknowledged receipts are missing" in str(wrong)
    tell(f"synchronous = OFF planted in {file}: something was wrong after {len(wrong)} of {points} power cuts")
