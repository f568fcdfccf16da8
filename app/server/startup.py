"""What is printed at start: why the port cannot be opened, or everything a newcomer needs for the next step."""

import errno
import logging
import os
import shlex
import socket
import time
from collections.abc import Iterable
from pathlib import Path

from app.account.public_url import addresses_at
from app.dial.callback_urls import PREFIX
from app.plan.remarks import Remark
from config import Config, SignatureMode

log = logging.getLogger(__name__)

# Seconds for a server that is ending, or for workers whose master was killed, to free the port. Gunicorn waits as long.
_PATIENCE = 5.0
_PAUSE = 0.1
_LOCAL = frozenset({"127.0.0.1", "localhost", "0.0.0.0", "::1", "::", "[::]"})  # noqa: S104 - Only compared.

_SIGNATURES = {
    SignatureMode.ENFORCE: "checked; a request that Plivo did not sign is refused",
    SignatureMode.OBSERVE: "checked and recorded, but nothing is refused (VERIFY_SIGNATURES=observe)",
    SignatureMode.OFF: "NOT checked: anybody may post reports; set PLIVO_AUTH_TOKEN before you go public",
}


def port_problem(host: str, port: int) -> str | None:
    """Return in a sentence why the port cannot be opened and what to do, where gunicorn prints ten lines; else None."""
    deadline = time.monotonic() + _PATIENCE
    while error := _refusal(host, port):
        if error.errno != errno.EADDRINUSE:
            return f"HOST {host} and PORT {port} cannot be listened on: {error.strerror}; write others"
        if time.monotonic() > deadline:
            advice = "end what listens there, or write another"
            free = next(
                (other for other in range(port + 1, min(port + 100, 65_536)) if not _refusal(host, other)), None
            )
            return f"PORT {port} of {host} is taken; {advice}" + (f", such as PORT={free}" if free else "")
        if deadline - time.monotonic() > _PATIENCE - _PAUSE:
            log.warning("port_taken", extra={"host": host, "port": port, "waiting_seconds": _PATIENCE})
        time.sleep(_PAUSE)
    return None


def _refusal(host: str, port: int) -> OSError | None:
    """Return why the port cannot be used; None where it is free."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As gunicorn does.
            probe.bind((host, port))
    except OSError as error:
        return error
    # On macOS the port opens although AirPlay has it for all addresses; and who calls localhost may reach ::1.
    if host in _LOCAL and any(_answers(address, port) for address in ("127.0.0.1", "::1")):
        return OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    return None


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=_PAUSE):
            return True
    except OSError:
        return False


def welcome(config: Config, *, is_terminal: bool, remarks: Iterable[Remark] = ()) -> str:
    """Return the lines that are printed at start, with the remarks on the plan.

    On a terminal they hold the reports token if this server generated it; elsewhere, such as in a log, its file.
    """
    here = f"{'127.0.0.1' if config.host in {'0.0.0.0', '[::]'} else config.host}:{config.port}"  # noqa: S104
    local = f"http://{here}"
    urls = addresses_at(
        config.public_url or local, retry_control=config.retry_control, retry_notice=config.retry_notice
    )
    rings = f"the plan {config.dial_plan}" if config.dial_plan else ", ".join(config.dial_to)
    pages = config.public_url or f"{local}{config.path_prefix}"
    lines = [
        "",
        "Dialstatus is ready.",
        "",
        "  Give Plivo (an application's URLs with all that follows #, method POST):",
        f"    answer URL    {urls.answer}",
        f"    hangup URL    {urls.hangup}",
        f"    fallback URL  {urls.fallback}",
        f"  A call rings    {rings}",
        f"  Signatures      {_SIGNATURES[config.verify_signatures]}",
        *_token_lines(config, pages, is_terminal=is_terminal),
        "",
        "  Try it:",
        *_things_to_try(config, here),
        "",
    ]
    if config.public_url is None:
        lines[3:3] = [f"  Plivo cannot reach this address yet. For a tunnel: ngrok http {config.port}", ""]
    notes = [warning if warning.endswith("?") else f"{warning}." for warning in config.warnings]
    notes += [f"the plan, [{table}]: {sentence}." for table, sentence in remarks]
    return "\n".join([*lines, *(f"  Note: {note}" for note in notes)])


def _token_lines(config: Config, pages: str, *, is_terminal: bool) -> list[str]:
    file = config.instance_dir / "reports_token"
    link, token = f"{pages}/login", "$REPORTS_TOKEN"
    if _is_generated(config, file):
        link += f"?token={config.reports_token}" if is_terminal else f" (the token is in {file})"
        token = config.reports_token if is_terminal else f"$(cat {shlex.quote(str(file))})"
    return [
        f"  Dashboard       {link}",
        f'  API             curl -H "Authorization: Bearer {token}" {pages}/api/v1/calls',
    ]


def _is_generated(config: Config, file: Path) -> bool:
    try:
        return file.read_text().strip() == config.reports_token
    except OSError:
        return False


def _things_to_try(config: Config, here: str) -> list[str]:
    if config.verify_signatures is SignatureMode.ENFORCE:
        return ["    .venv/bin/flask --app wsgi simulate answered busy --verify"]
    call = "-d CallUUID=3f1c -d From=14155550100 -d To=14155550199"
    return [
        f"    curl http://{here}{PREFIX}/ {call}",
        f"    curl http://{here}{PREFIX}/action/ {call} -d DialALegUUID=3f1c -d DialStatus=busy",
    ]
