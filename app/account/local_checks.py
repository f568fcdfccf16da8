"""What must be true on this machine, with or without a Plivo account."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from app.account.check import Check, failed, passed, skipped
from app.context import Services
from app.records.model.receipt import StoreUnavailable
from app.records.store.readiness import prove_write
from app.records.store.version import is_current
from config import SignatureMode

# Less than this is soon full: a gigabyte is about a million reports.
LEAST_FREE_BYTES = 500 * 1024 * 1024


def local_checks(held: Services) -> Iterator[Check]:
    """Look at everything on this machine."""
    checks: tuple[Callable[[Services], Check], ...] = (
        settings,
        plan,
        migrations,
        database,
        spool,
        disk_space,
        reports_token,
        signatures,
    )
    for check in checks:
        yield check(held)


def settings(held: Services) -> Check:
    """The settings could be read, or nothing of this would run; they may still be unwise."""
    warnings = held.config.warnings
    if not warnings:
        return passed("settings", "read, nothing to remark")
    return failed("settings", "; ".join(warnings), "Change them in .env or the environment.")


def plan(held: Services) -> Check:
    """The dial plan was read and checked, or nothing of this would run."""
    if held.config.dial_plan is None:
        return passed("plan", f"DIAL_TO rings {', '.join(held.config.dial_to)}")
    return passed("plan", f"{held.config.dial_plan} has no mistakes")


def migrations(held: Services) -> Check:
    """The tables are those of this version."""
    try:
        with held.store.engine.connect() as connection:
            current = is_current(connection)
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        return failed(
            "migrations", f"the database cannot be read: {reason}", "Check DATABASE_URL, then run `flask db check`."
        )
    if not current:
        return failed("migrations", "the tables are not those of this version", "Run `flask db upgrade`.")
    return passed("migrations", "the tables are those of this version")


def database(held: Services) -> Check:
    """The database takes a write and commits it."""
    if not migrations(held).ok:
        return skipped("database", "no write is tried before the tables are right")
    try:
        prove_write(held.store)
    except StoreUnavailable as error:
        return failed("database", str(error), "Check DATABASE_URL, the disk and the rights of this user.")
    return passed("database", f"{held.store.url.get_backend_name()} took a write")


def spool(held: Services) -> Check:
    """Nothing waits on local disk to be brought into the store."""
    try:
        waiting = held.spool.size()
    except (sqlite3.Error, OSError) as error:
        return failed("spool", f"cannot be read ({type(error).__name__})", "Check the directory INSTANCE_DIR.")
    if waiting:
        return failed("spool", f"{waiting} receipts wait for the store", "Run `flask spool drain`.")
    return passed("spool", "empty")


def disk_space(held: Services) -> Check:
    """There is room for what is to come."""
    free = shutil.disk_usage(held.config.instance_dir).free
    said = f"{free / 1024**3:.1f} GiB free"
    if free < LEAST_FREE_BYTES:
        return failed("disk space", said, f"Make room on the disk of {held.config.instance_dir}.")
    return passed("disk space", said)


def reports_token(held: Services) -> Check:
    """The dashboard and the API are behind a token that others on this machine cannot read."""
    kept: Path = held.config.instance_dir / "reports_token"
    if kept.exists() and kept.stat().st_mode & 0o077:
        return failed("reports token", f"{kept} can be read by others", f"Run `chmod 600 {kept}`.")
    return passed("reports token", "set")


def signatures(held: Services) -> Check:
    """Nobody but Plivo may post reports."""
    mode = held.config.verify_signatures
    if mode is SignatureMode.ENFORCE:
        return passed("signatures", "enforced")
    if not held.config.plivo_auth_tokens:
        return skipped("signatures", "not checked: PLIVO_AUTH_TOKEN is not set, so anybody may post reports")
    return failed("signatures", f"VERIFY_SIGNATURES is {mode.value}", "Set VERIFY_SIGNATURES=enforce.")
