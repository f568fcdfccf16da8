"""What must hold for a figure to count: a real disk, every acknowledged request stored, every forgery refused."""

import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg

from benchmarks import webhooks
from benchmarks.client import send_all

_SPOOLED = 30.0  # Seconds for the spool to drain.
_MEMORY_FILESYSTEMS = frozenset({"tmpfs", "ramfs", "devtmpfs"})


class Unfit(Exception):
    """The figures would mislead; the message says why, and what to do."""


def filesystem_of(directory: Path) -> str:
    """Return the kind of filesystem a directory is on."""
    found = subprocess.run(
        ["/usr/bin/stat", "-f", "-c", "%T", str(directory)], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def require_disk(directory: Path) -> str:
    """Return the kind of filesystem. Raises `Unfit` for one in memory, where a sync costs nothing."""
    kind = filesystem_of(directory)
    if kind in _MEMORY_FILESYSTEMS:
        raise Unfit(f"{directory} is on {kind}, where a commit costs nothing; pass --scratch a directory on a disk")
    return kind


def require_synced_postgresql(url: str) -> None:
    """Raise `Unfit` for a PostgreSQL that confirms a commit before it is on disk."""
    with psycopg.connect(url) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            row = connection.execute(f"SHOW {setting}").fetchone()
            if row is None or row[0] != "on":
                raise Unfit(f"{setting} of this PostgreSQL is not on")


def stored_receipts(database_url: str, *, at_least: int = 0) -> int:
    """Return how many receipts are stored, on a separate connection, after waiting for the spool to drain."""
    deadline = time.monotonic() + _SPOOLED
    while (stored := _stored_receipts(database_url)) < at_least and time.monotonic() < deadline:
        time.sleep(0.2)
    return stored


def _stored_receipts(database_url: str) -> int:
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=30)) as connection:
            return int(connection.execute("SELECT count(*) FROM receipts").fetchone()[0])
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM receipts").fetchone()
        return int(row[0]) if row else 0


def stored_calls(database_path: Path) -> set[str]:
    """Return the UUIDs of the calls that have a receipt and a dial with a status."""
    sql = (
        "SELECT call_uuid FROM calls JOIN receipts USING (call_key) JOIN dials USING (call_key) "
        "WHERE dial_status IS NOT NULL"
    )
    with closing(sqlite3.connect(database_path, timeout=30)) as connection:
        return {uuid for (uuid,) in connection.execute(sql)}


def prove(port: int, database_path: Path, *, count: int) -> str:
    """Send genuine, forged and altered reports in one stream, and look for each in the database."""
    makers = [webhooks.action] * 8 + [webhooks.forged, webhooks.altered]
    sent = [makers[number % len(makers)](number) for number in range(count)]
    honest = [makers[number % len(makers)] is webhooks.action for number in range(count)]
    answers = send_all(port, [one.raw for one in sent], connections=32)
    stored = stored_calls(database_path)
    for one, is_honest, status in zip(sent, honest, answers.statuses, strict=True):
        if is_honest and (status != 200 or one.call_uuid not in stored):
            raise Unfit(
                f"a genuine report was answered {status} and is {'' if one.call_uuid in stored else 'not '}stored"
            )
        if not is_honest and (status != 403 or one.call_uuid in stored):
            raise Unfit(f"a forged or altered report was answered {status}")
    acknowledged = sum(honest)
    return (
        f"{acknowledged:,} reports sent one by one: each answered 200 and found in the database with its dial; "
        f"{count - acknowledged:,} forged or altered among them: each answered 403, none stored."
    )


def bytes_on_disk(database_path: Path) -> int:
    """Return the size of a SQLite database after its log is checkpointed."""
    with closing(sqlite3.connect(database_path, timeout=30)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database_path.stat().st_size
