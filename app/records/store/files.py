"""Files that no other user can read, and locks that no other user can hold."""

import fcntl
import os
import stat
import time
from pathlib import Path
from typing import BinaryIO

_POLL = 0.005  # Seconds between two attempts to get a lock.


def make_private(path: Path) -> None:
    """Take the rights of group and others away from a file or directory that belongs to this user."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    if found.st_uid == os.geteuid() and found.st_mode & 0o077:
        path.chmod(stat.S_IMODE(found.st_mode) & 0o700)


def make_database_private(path: Path) -> None:
    """Make a SQLite file private, with the files that SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        make_private(path.with_name(path.name + suffix))


def make_private_directory(path: Path, *, parents: bool = False) -> None:
    """Create a directory for this user alone, or make it so. Raises OSError."""
    path.mkdir(mode=0o700, parents=parents, exist_ok=True)
    make_private(path)


def sync(path: Path) -> None:
    """Write a file to disk, or the names in a directory. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> BinaryIO:
    """Open a lock file in a directory of its own, which only this user can enter. Raises OSError."""
    make_private_directory(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    make_private(path)
    return os.fdopen(descriptor, "r+b")


def lock_within(file: BinaryIO, seconds: float, *, shared: bool = False) -> bool:
    """Lock a file; return False when others hold it for `seconds`."""
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL)
        else:
            return True
