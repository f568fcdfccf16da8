"""Files that other users of the machine can neither read nor lock."""

import os
import stat
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest

from app import create_app
from app.records.spool.spool import Spool
from app.records.store import migrate
from app.records.store.store import Store
from app.records.writing.journal import Journal
from config import Config
from tests.records.test_journal import busy_report


@pytest.fixture
def open_umask() -> object:
    """Let new files be readable for everybody, as most systems do."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def readable_by_others(directory: Path) -> list[str]:
    """Return the files and directories below a directory that group or others have rights to."""
    return sorted(
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if stat.S_IMODE(path.lstat().st_mode) & 0o077 and not path.is_symlink()
    )


@pytest.mark.usefixtures("open_umask")
def test_all_that_is_written_is_private(open_store: Callable[..., Store], tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'dialstatus.db'}")
    migrate.upgrade(store)
    journal = Journal(store)
    journal.append(busy_report(1))
    spool = Spool(tmp_path / "spool", zone=UTC)
    spool.put(busy_report(2))

    assert readable_by_others(tmp_path) == []
    assert {path.name for path in tmp_path.rglob("*")} >= {"dialstatus.db", "dialstatus.db-wal", "spool.db", "turn"}
    spool.close()
    journal.close()


@pytest.mark.usefixtures("open_umask")
def test_an_application_writes_for_its_own_user_only(tmp_path: Path) -> None:
    create_app(Config.load({"INSTANCE_DIR": str(tmp_path / "instance")}))

    (tmp_path / "written-later").touch()

    assert readable_by_others(tmp_path) == []


@pytest.mark.usefixtures("open_umask")
def test_files_of_an_earlier_version_become_private(open_store: Callable[..., Store], tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'dialstatus.db'}")
    migrate.upgrade(store)
    first = Spool(tmp_path / "spool", zone=UTC)
    first.put(busy_report(1))
    first.close()
    for path in tmp_path.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)

    journal, spool = Journal(store), Spool(tmp_path / "spool", zone=UTC)
    journal.append(busy_report(1))
    spool.put(busy_report(2))

    assert readable_by_others(tmp_path) == []
    spool.close()
    journal.close()
