"""Logs: one line on stdout per event, JSON for machines or aligned text for a terminal.

The message is the event, a static snake_case word; values are passed as `extra`. No value can break out of its line,
fill the disk or reveal a secret.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

from flask import has_request_context, request

from config import Config, LogFormat

REDACTED = "[redacted]"

# The attributes that every record has; all others were passed as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_ENTRY = frozenset({"time", "level", "logger", "event"})  # The keys before the fields.
# A safety net below the rule that secrets are not logged: fields by name, and the settings' secrets by value.
_SECRET_NAME = re.compile(r"token|secret|password|authorization|cookie|signature[-_]|-signature", re.IGNORECASE)
_SHORTEST_SECRET = 8  # Replacing a shorter one would black out ordinary words.
_LONGEST_TEXT = 1000  # Characters of an event or a value; strangers choose some of them.
_ATOMIC_WRITE = 4096  # Bytes that Linux writes to a pipe in one piece (PIPE_BUF). JSON lines are ASCII.
_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}

_encode = json.JSONEncoder(default=str, separators=(",", ":")).encode


def configure_logging(config: Config, stream: TextIO | None = None) -> None:
    """Send all loggers' lines to `stream` (default: stdout). A second call replaces the first."""
    stream = stream or sys.stdout
    as_text = config.log_format is LogFormat.TEXT or (config.log_format is LogFormat.AUTO and stream.isatty())
    secrets = tuple(_secrets(config))
    handler = LineHandler(stream)
    handler.setFormatter(TextFormatter(secrets, colour=stream.isatty()) if as_text else JsonFormatter(secrets))
    handler.setLevel(config.log_level)
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, LineHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(config.log_level)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # It logs every look at the tables.
    # Metrics count warnings even if LOG_LEVEL hides them.
    logging.getLogger("app").setLevel(min(root.level, logging.WARNING))
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_death
    # No line shows these, and looking them up takes time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes each record as one line, with the id of the request it belongs to."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._held: list[str] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record in a single write, so that the lines of several workers do not mix."""
        if getattr(record, "request_id", None) is None and has_request_context():
            record.request_id = request.headers.get("X-Request-ID")
        if self._held is None:
            super().emit(record)
            return
        try:
            self._held.append(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)

    def hold_lines(self) -> None:
        """Hold lines back until `release_lines`."""
        with self.lock or nullcontext():
            self._held = []

    def release_lines(self) -> None:
        """Write the held lines in as few writes as a pipe takes in one piece."""
        with self.lock or nullcontext():
            held, self._held = self._held or [], None
            chunk = ""
            for line in held:
                if chunk and len(chunk) + len(line) > _ATOMIC_WRITE:
                    self._write(chunk)
                    chunk = ""
                chunk += line
            if chunk:
                self._write(chunk)

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.flush()
        except (OSError, ValueError):  # Logging reports a line that cannot be written and goes on.
            self.handleError(logging.makeLogRecord({"msg": "log_not_written"}))


@contextmanager
def lines_together() -> Iterator[None]:
    """Write the lines of a piece of work together at its end: each write takes longer than its line."""
    handlers = [one for one in logging.getLogger().handlers if isinstance(one, LineHandler)]
    for handler in handlers:
        handler.hold_lines()
    try:
        yield
    finally:
        for handler in handlers:
            handler.release_lines()


class _LineFormatter(logging.Formatter):
    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def _without_secrets(self, line: str) -> str:
        for secret in self._secrets:
            if secret in line:
                line = line.replace(secret, REDACTED)
        return line


class JsonFormatter(_LineFormatter):
    """One JSON object per line, in plain ASCII: time, level, logger, event, then the fields."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are replaced wherever they appear, as they look inside a JSON string."""
        super().__init__(json.dumps(secret)[1:-1] for secret in secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, without its end."""
        time, level = _time_and_level(record)
        entry: dict[str, Any] = {"time": time, "level": level, "logger": record.name, "event": _event(record)}
        fields = _fields(record)
        for name in _ENTRY & fields.keys():
            fields[f"{name}_"] = fields.pop(name)
        entry |= fields
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return self._without_secrets(_dumps(entry))


class TextFormatter(_LineFormatter):
    """One aligned line for people; an exception follows on indented lines."""

    def __init__(self, secrets: Iterable[str] = (), *, colour: bool = False) -> None:
        """`secrets` are replaced wherever they appear; in a quoted value they look as in a JSON string."""
        super().__init__(shape for secret in secrets for shape in {secret, json.dumps(secret)[1:-1]})
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, without its end."""
        time, _ = _time_and_level(record)
        level = f"{record.levelname:<8}"
        fields = " ".join(
            f"{_printable(name)}={_text_value(value)}" for name, value in _fields(record).items() if value is not None
        )
        lines = [f"{time[11:23]} {level} {_printable(_event(record)):<20} {fields}".rstrip()]
        if record.exc_info:
            lines += [f"    {_printable(line)}" for line in self.formatException(record.exc_info).splitlines()]
        text = self._without_secrets("\n".join(lines))
        if self._colour:
            text = text.replace(level, f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m", 1)
        return text


def _time_and_level(record: logging.LogRecord) -> tuple[str, str]:
    """Return the time as RFC 3339 in UTC with milliseconds, and the level in lower case."""
    second, milliseconds = divmod(int(record.created * 1000), 1000)
    return f"{_format_second(second)}.{milliseconds:03}Z", record.levelname.lower()


@lru_cache(maxsize=2)
def _format_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


def _event(record: logging.LogRecord) -> str:
    return _shorten(record.getMessage())


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: _safe(name, value) for name, value in vars(record).items() if name not in _STANDARD}


def _safe(name: str, value: Any) -> Any:
    if value is not None and _is_secret(name):
        return REDACTED
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else _shorten(value)
    if isinstance(value, dict):
        return {str(key): _safe(str(key), inner) for key, inner in value.items()}
    return value


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def _dumps(entry: dict[str, Any]) -> str:
    try:
        return _encode(entry)
    except (TypeError, ValueError):
        # A key that is not text, or a value that contains itself: an odd line is better than a lost one.
        return json.dumps({name: str(value) for name, value in entry.items()})


def _text_value(value: Any) -> str:
    text = _printable(str(value))
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & {" ", '"', "="} else text


def _printable(text: str) -> str:
    """Escape control characters, line ends and direction overrides, which a terminal or a reader would obey."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _secrets(config: Config) -> Iterator[str]:
    """Return every secret value of the settings."""
    password = urlsplit(config.database_url).password or ""
    tokens = (*config.plivo_auth_tokens, config.phlo_token, config.reports_token, *config.notify_urls)
    given = (*tokens, config.secret_key, config.events_secret, config.events_url, password, unquote(password))
    return (secret for secret in dict.fromkeys(given) if secret and len(secret) >= _SHORTEST_SECRET)


def _log_thread_death(dead: threading.ExceptHookArgs) -> None:
    if dead.exc_value is not None and not issubclass(dead.exc_type, SystemExit):
        logging.getLogger(__name__).critical(
            "thread_died",
            extra={"thread_name": dead.thread.name if dead.thread else None},
            exc_info=(dead.exc_type, dead.exc_value, dead.exc_traceback),
        )
