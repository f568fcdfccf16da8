"""A release: one version, locks with hashes, and an audit that says when it could not run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config import ROOT, VERSION
from tests.support.server import REPORTS_TOKEN, Server

LOCKS = ["requirements.txt", "requirements-dev.txt", "benchmarks/requirements.txt"]
# Stands in for pip-audit, whose database the tests must not depend on.
PIP_AUDIT = """
import os, sys
sys.stdout.write(os.environ["REPORT"])
sys.exit("the database cannot be reached" if not os.environ["REPORT"] else 0)
"""


def test_every_place_names_the_same_version(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server()
    flask = [sys.executable, "-m", "flask", "--app", "wsgi", "version"]
    environ = os.environ | {"INSTANCE_DIR": str(tmp_path)}

    printed = subprocess.run(flask, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
    bearer = {"Authorization": f"Bearer {REPORTS_TOKEN}"}
    metrics = server.request("GET", "/metrics", headers=bearer).body

    assert printed.startswith(f"dialstatus {VERSION} python 3.")
    assert server.request("GET", "/healthz").json()["version"] == VERSION
    assert f'dialstatus_build_info{{version="{VERSION}"' in metrics
    assert (
        re.findall(r"^## ([0-9.]+) – \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == VERSION
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_has_hashes_and_no_lock_names_an_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pins = re.findall(
        r"^[a-z0-9][^ #]*==[^ ]+(?: ; [^\\]+)? \\\n(?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", text, re.MULTILINE
    )
    requirements = re.findall(r"^[^ #\n].*", text, re.MULTILINE)

    assert len(pins) == len(requirements) > 30
    assert not re.search(r"://|^--|index-url", text, re.MULTILINE)


def test_tests_and_benchmarks_run_on_the_server_s_own_versions() -> None:
    server, *others = (
        {pin.split("==")[0]: pin for pin in re.findall(r"^\S+==\S+", (ROOT / lock).read_text(), re.M)} for lock in LOCKS
    )

    for lock in others:
        assert server.items() <= lock.items()


def audit(report: dict[str, object] | None, directory: Path) -> subprocess.CompletedProcess[str]:
    (directory / "pip_audit.py").write_text(PIP_AUDIT)
    environ = os.environ | {"PYTHONPATH": str(directory), "REPORT": json.dumps(report) if report else ""}
    return subprocess.run([sys.executable, ROOT / ".ci" / "audit"], env=environ, capture_output=True, text=True)


def test_an_audit_without_findings_passes(tmp_path: Path) -> None:
    done = audit({"dependencies": [{"name": "flask", "version": "3.1.3", "vulns": []}]}, tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{lock}: 0 known vulnerabilities" for lock in LOCKS]


def test_an_audit_with_findings_fails_and_lists_them(tmp_path: Path) -> None:
    flaw = {"id": "GHSA-1", "fix_versions": ["3.1.4"]}

    done = audit({"dependencies": [{"name": "flask", "version": "3.1.3", "vulns": [flaw]}]}, tmp_path)

    assert done.returncode == 1
    assert "  flask 3.1.3: GHSA-1, fixed in 3.1.4" in done.stdout


@pytest.mark.parametrize(
    "report", [None, {"dependencies": [{"name": "flask", "skip_reason": "not found"}]}, {"error": "timeout"}]
)
def test_an_audit_that_could_not_run_says_so_and_does_not_pass(
    report: dict[str, object] | None, tmp_path: Path
) -> None:
    done = audit(report, tmp_path)

    assert done.returncode == 75
    assert done.stderr.startswith("NOT AUDITED: requirements.txt; ")
