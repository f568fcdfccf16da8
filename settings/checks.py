"""Checks of the settings together: what contradicts, what is made at the first start, what deserves a warning."""

import difflib
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from settings.declaration import unquote
from settings.notify import HOW_TO_SIGN
from settings.parsers import token
from settings.urls import is_loopback, is_private

EXAMPLE_NUMBER = "+15551234567"  # The number in Plivo's guide: nobody answers it.
_MAX_TARGETS = 100  # Plivo takes replies of 100 KB, and refuses to ring so many at once long before that.


def contradictions(values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each pair of settings that exclude each other."""
    problems = []
    if (count := len(values["dial_to"])) > _MAX_TARGETS:
        problems.append(f"DIAL_TO holds {count} numbers; write at most {_MAX_TARGETS}, since all of them ring together")
    if values["verify_signatures"] == "enforce" and not values["plivo_auth_tokens"]:
        problems.append("VERIFY_SIGNATURES is 'enforce' without PLIVO_AUTH_TOKEN; write the account's auth token")
    if values["simulated_time"] and not _is_closed(values):
        problems.append(
            "SIMULATED_TIME is on; write false, or set VERIFY_SIGNATURES to off, leave PUBLIC_URL and TRUSTED_PROXIES "
            "out and listen on 127.0.0.1"
        )
    if values["events_url"] and not values["events_secret"]:
        problems.append(f"EVENTS_URL is set without EVENTS_SECRET; {HOW_TO_SIGN}")
    return problems


def _is_closed(values: Mapping[str, Any]) -> bool:
    """Return whether only programs on this machine can reach the server, and it checks no signature."""
    return (
        values["verify_signatures"] == "off"
        and values["trusted_proxies"] == 0
        and is_loopback(values["public_url"])
        and is_loopback(f"http://{values['host']}")
    )


def complete(values: dict[str, Any]) -> list[str]:
    """Fill in what the first start makes or what follows from other settings; return the problems met."""
    instance: Path = values["instance_dir"]
    try:
        _make_directory(instance)
        for name in ("reports_token", "secret_key"):
            values[name] = values[name] or token(unquote(_stored_secret(instance / name)))
    except OSError as error:
        return [f"INSTANCE_DIR is {str(instance)!r}; {error.strerror}; write a directory this user may write to"]
    except ValueError as error:
        return [f"The file {name} in INSTANCE_DIR cannot be used; {error}, or remove it"]
    values["database_url"] = values["database_url"] or f"sqlite:///{quote(str(instance / 'dialstatus.db'))}"
    return []


def _make_directory(path: Path) -> None:
    """Make a directory and those above it that are missing, which a power cut then leaves there."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in reversed(missing):
        above = os.open(made.parent, os.O_RDONLY | os.O_CLOEXEC)
        with suppress(OSError):  # Not every file system syncs names.
            os.fsync(above)
        os.close(above)


def _stored_secret(path: Path) -> str:
    """Return the secret stored in a file, made if there is none; two processes at once get the same."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", errors="replace") as file:
        # The lock ends with the file. A crash before the secret was synced leaves nothing, or zeros.
        fcntl.flock(file, fcntl.LOCK_EX)
        secret = file.read().strip("\0").strip()
        if not secret:
            secret = secrets.token_urlsafe(32)
            file.seek(0)
            file.write(f"{secret}\n")
            file.flush()
            os.fsync(file.fileno())
        return secret


def warnings(values: Mapping[str, Any], given: Set[str], known: Set[str], dotenv: Path | None) -> Iterator[str]:
    """Yield a sentence, "problem; advice", for each setting that works and is probably not meant."""
    url = values["public_url"]
    if not values["dial_plan"] and EXAMPLE_NUMBER in values["dial_to"]:
        yield f"DIAL_TO is {EXAMPLE_NUMBER}, the guide's example that nobody answers; write your own number"
    if values["verify_signatures"] != "enforce" and not is_loopback(url):
        yield "Anybody may post reports to PUBLIC_URL; set PLIVO_AUTH_TOKEN and VERIFY_SIGNATURES=enforce"
    if url and is_private(url) and values["plivo_auth_tokens"]:
        yield f"PUBLIC_URL is {url}, which Plivo cannot reach; write the URL that the internet knows this server by"
    if dotenv and _is_open_to_others(dotenv):
        yield f"{dotenv} can be read by every user of this machine; run chmod 600 {dotenv}"
    if _is_open_to_others(values["instance_dir"]):
        yield (
            f"{values['instance_dir']} (INSTANCE_DIR) can be read by every user of this machine; "
            f"run chmod 700 {values['instance_dir']}"
        )
    for name in sorted(given - known):
        if similar := difflib.get_close_matches(name, sorted(known), n=2, cutoff=0.8) or sorted({name.upper()} & known):
            yield f"{name} is not a setting and changes nothing; did you mean {' or '.join(similar)}?"


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o007)
    except OSError:
        return False
