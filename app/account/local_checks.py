"""What `flask doctor` checks on this machine, with or without a Plivo account."""

import http.client
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from app.context import Services
from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.reading.incomplete import count_orphans
from app.records.reading.read_session import read_session
from app.records.store.readiness import prove_write
from app.records.store.version import is_current
from app.records.writing.target_states import read_targets
from app.voice.numbers import mask
from config import VERSION, Config, SignatureMode

# Soon full below this: a gigabyte is about a million reports.
LEAST_FREE_BYTES = 500 * 1024 * 1024
_DAY = 24 * 60 * 60 * 1000  # milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must be true. `ok` is None if it could not be checked; `advice` is what to do, if anything."""

    name: str
    ok: bool | None
    said: str
    advice: str = ""

    def __str__(self) -> str:
        """Return one line for people, and one for the advice."""
        mark = {True: "✓", False: "✗", None: "–"}[self.ok]
        return f"{mark} {self.name}: {self.said}" + (f"\n    {self.advice}" if self.advice else "")


def passed(name: str, said: str) -> Check:
    """Return a check that passed."""
    return Check(name=name, ok=True, said=said)


def failed(name: str, said: str, advice: str = "") -> Check:
    """Return a check that failed, with what to do."""
    return Check(name=name, ok=False, said=said, advice=advice)


def skipped(name: str, said: str) -> Check:
    """Return a check that was not made, with the reason."""
    return Check(name=name, ok=None, said=said)


def local_checks(shared: Services) -> Iterator[Check]:
    """Yield every check of this machine."""
    checks: tuple[Callable[[Services], Check], ...] = (
        check_settings,
        check_plan,
        check_migrations,
        check_database,
        check_orphans,
        check_targets,
        check_spool,
        check_disk_space,
        check_reports_token,
        check_signatures,
    )
    for check in checks:
        yield check(shared)


def check_settings(shared: Services) -> Check:
    """Report settings that are valid and probably not meant; invalid ones end the program earlier."""
    warnings = shared.config.warnings
    if not warnings:
        return passed("settings", "valid")
    return failed("settings", ". ".join(warnings), "Settings are in .env or the environment.")


def check_plan(shared: Services) -> Check:
    """Name the dial plan; an invalid one ends the program earlier."""
    if shared.config.dial_plan is None:
        return passed("plan", f"DIAL_TO rings {', '.join(shared.config.dial_to)}")
    return passed("plan", f"{shared.config.dial_plan} has no mistakes")


def check_migrations(shared: Services) -> Check:
    """Check that the tables are those of this version."""
    try:
        with shared.store.engine.connect() as connection:
            current = is_current(connection)
    except StoreUnavailable as error:
        problem, _, advice = str(error).partition("; ")
        return failed("migrations", problem, f"{advice[:1].upper()}{advice[1:]}.")
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        return failed(
            "migrations", f"the database cannot be read: {reason}", "Check DATABASE_URL, then run `flask db check`."
        )
    if not current:
        return failed("migrations", "the tables are not those of this version", "Run `flask db upgrade`.")
    return passed("migrations", "the tables are those of this version")


def check_database(shared: Services) -> Check:
    """Check that the database commits a write."""
    if not check_migrations(shared).ok:
        return skipped("database", "no write is tried until the tables are right")
    try:
        prove_write(shared.store)
    except StoreUnavailable as error:
        return failed("database", str(error), "Check DATABASE_URL, the disk and the rights of this user.")
    return passed("database", f"{shared.store.url.get_backend_name()} committed a write")


def check_targets(shared: Services) -> Check:
    """Check that no phone is dead or taken out."""
    try:
        states = read_targets(shared.store)
    except (SQLAlchemyError, OSError, StoreUnavailable):
        return skipped("targets", "the database cannot be read")
    down = [mask(state.target) or "" for state in states if state.down_since is not None]
    out = [mask(state.target) or "" for state in states if state.out_at is not None]
    if not (down or out):
        return passed("targets", "all ring")
    said = [f"dead: {', '.join(down)}"] if down else []
    said += [f"taken out by hand: {', '.join(out)}"] if out else []
    return failed("targets", "; ".join(said), "`flask plan targets` says since when; `flask plan in` puts one back.")


def check_orphans(shared: Services) -> Check:
    """Check that every receipt of the last day names a call."""
    try:
        with read_session(shared.store) as connection:
            count = count_orphans(connection, since=now() - _DAY)
    except StoreUnavailable:
        return skipped("orphan receipts", "not counted: the database cannot be read")
    if not count:
        return passed("orphan receipts", "every receipt of the last day names a call")
    return failed(
        "orphan receipts",
        f"{count} of the last day name no call",
        "Run `flask receipts orphans`. Of a PHLO, map the call's uuid to DialALegUUID; else the sender is not Plivo.",
    )


def check_spool(shared: Services) -> Check:
    """Check that no receipts wait on local disk for the store."""
    try:
        waiting = shared.spool.size()
    except (sqlite3.Error, OSError) as error:
        return failed("spool", f"cannot be read ({type(error).__name__})", "Check the directory INSTANCE_DIR.")
    if waiting:
        return failed("spool", f"{waiting} receipts wait for the store", "Run `flask spool drain`.")
    return passed("spool", "empty")


def check_disk_space(shared: Services) -> Check:
    """Check that the disk has room."""
    free = shutil.disk_usage(shared.config.instance_dir).free
    said = f"{free / 1024**3:.1f} GiB free"
    if free < LEAST_FREE_BYTES:
        return failed("disk space", said, f"Free some of the disk of {shared.config.instance_dir}.")
    return passed("disk space", said)


def check_reports_token(shared: Services) -> Check:
    """Check that other users of this machine cannot read the reports token."""
    path = shared.config.instance_dir / "reports_token"
    if path.exists() and path.stat().st_mode & 0o077:
        return failed("reports token", f"other users can read {path}", f"Run `chmod 600 {path}`.")
    return passed("reports token", "set")


def check_signatures(shared: Services) -> Check:
    """Check that only Plivo may post reports."""
    mode = shared.config.verify_signatures
    if mode is SignatureMode.ENFORCE:
        return passed("signatures", "enforced")
    if not shared.config.plivo_auth_tokens:
        return skipped("signatures", "not checked: PLIVO_AUTH_TOKEN is not set, so anybody may post reports")
    return failed("signatures", f"VERIFY_SIGNATURES is {mode.value}", "Set VERIFY_SIGNATURES=enforce.")


def check_server(config: Config, timeout: float) -> Check:
    """Check that this version of the server answers on HOST and PORT; `timeout` is in seconds."""
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(config.host, config.host)  # noqa: S104 - Only compared.
    address = f"{host}:{config.port}"
    connection = http.client.HTTPConnection(host.strip("[]"), config.port, timeout=timeout)
    try:
        connection.request("GET", f"{config.path_prefix}/healthz")
        reply = connection.getresponse()
        found = json.loads(reply.read(1000)) if reply.status == 200 else None
    except ConnectionRefusedError:
        return failed("server", f"nothing answers on {address}, so no call is answered", "Start it: `make run`.")
    except (OSError, http.client.HTTPException, ValueError):
        found = None
    finally:
        connection.close()
    if not isinstance(found, dict) or "version" not in found:
        return failed(
            "server", f"something else answers on {address}", "Write another PORT, or end what listens there."
        )
    if found["version"] != VERSION:
        said = f"version {found['version']} answers on {address}; this checkout is {VERSION}"
        return failed("server", said, "Restart the server.")
    return passed("server", f"version {VERSION} answers on {address}")
