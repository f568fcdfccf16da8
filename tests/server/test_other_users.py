"""What another user of the machine can read or lock of a server whose directory is open to all."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.drills.test_assault import locked_store
from tests.server.calls import dial_report, new_uuid
from tests.support.server import Server

NOBODY = 65_534


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Yield a directory that every user may enter, as systemd's StateDirectory; no file mode is masked."""
    if os.geteuid() != 0:
        pytest.skip("only root can run a command as another user")
    before = os.umask(0)
    directory = Path(tempfile.mkdtemp(prefix="dialstatus-open-"))
    directory.chmod(0o755)
    yield directory
    os.umask(before)
    shutil.rmtree(directory)


def opened_by_nobody(directory: Path) -> set[str]:
    """Return the paths below a directory that the user nobody can read or write; a readable file can be locked too."""
    command = ["find", str(directory), "-mindepth", "1", "(", "-readable", "-o", "-writable", ")", "-printf", "%P\\n"]
    found = subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, check=False
    )
    return set(found.stdout.split())


def test_another_user_reads_and_locks_nothing(start_server: Callable[..., Server], open_directory: Path) -> None:
    server = start_server(INSTANCE_DIR=open_directory, REPORTS_TOKEN="", STORE_TIMEOUT="0.3")
    control = open_directory / "control"
    control.touch(mode=0o644)

    assert server.plivo("POST", "/dialstatus/action/", dial_report(new_uuid(), "busy")).status == 200
    with locked_store(server):
        assert server.plivo("POST", "/dialstatus/action/", dial_report(new_uuid(), "busy")).status == 200

    written = {path.name for path in open_directory.rglob("*")}
    assert written >= {"dialstatus.db", "dialstatus.db-wal", "spool.db", "secret_key", "reports_token", "control"}
    assert opened_by_nobody(open_directory) == {"control"}
