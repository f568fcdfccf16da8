"""Logs: one line on stdout for each event, JSON for machines or aligned text for a terminal.

The message is the event, a static word; what varies goes into `extra`. No value can break out of its line, and no
secret can get into one.
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
from itertools import islice
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

from flask import has_request_context, request
from pydantic_core import to_json

from config import Config, LogFormat

REDACTED = "[redacted]"

# What every record has of its own; whatever else a record holds came in by `extra`.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_FIRST_OWN = len(vars(logging.makeLogRecord({})))
_ENTRY = ("time", "level", "logger", "event")  # What a line has before its fields.
# A net beneath the rule that nobody logs a secret: fields by their names, and the secrets of the settings by value.
_SECRET_NAME = re.compile(r"token|secret|password|authorization|cookie|signature[-_]|-signature", re.IGNORECASE)
_IN_ONE_PIECE = 4096  # Bytes that a pipe takes without parting them (POSIX, PIPE_BUF; Linux's). JSON lines are ASCII.
_SHORTEST_SECRET = 8  # A shorter one would black out ordinary words, and is guessed anyway.

_PLAIN = frozenset({str, int, float, bool, type(None)})  # Of these no part can be a secret.
_encode = json.JSONEncoder(default=str, separators=(",", ":")).encode
_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


def configure_logging(config: Config, stream: TextIO | None = None) -> None:
    """Send every logger's lines to `stream` (stdout) as the settings say. Calling it again replaces what it did."""
    stream = stream or sys.stdout
    as_text = config.log_format is LogFormat.TEXT or (config.log_format is LogFormat.AUTO and stream.isatty())
    secrets = tuple(_secrets(config))
    handler = LineHandler(stream)
    handler.setFormatter(TextFormatter(secrets, colour=stream.isatty()) if as_text else JsonFormatter(secrets))
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, LineHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(config.log_level)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # It tells of its own workings at every look.
    # Warnings are counted even where they are not written.
    handler.setLevel(config.log_level)
    logging.getLogger("app").setLevel(min(root.level, logging.WARNING))
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_death
    # Nothing below is ever shown, and finding it out costs more than writing the line.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes each record as one line, with the id of the request in which it arose."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._held: list[str] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record in a single write, so that lines of several workers do not mix."""
        if getattr(record, "request_id", None) is None and has_request_context():
            record.request_id = request.headers.get("X-Request-ID")
        try:
            line = f"{self.format(record)}\n"
            if self._held is None:
                self.stream.write(line)
                self.flush()
            else:
                self._held.append(line)
        except Exception:
            self.handleError(record)

    def hold(self) -> None:
        """Write nothing until `let_go`."""
        with self.lock or nullcontext():
            self._held = []

    def let_go(self) -> None:
        """Write what was held, as few times as whole lines go into a pipe in one piece."""
        with self.lock or nullcontext():
            held, self._held = self._held or [], None
            together = ""
            for line in held:
                if together and len(together) + len(line) > _IN_ONE_PIECE:
                    self._write(together)
                    together = ""
                together += line
            if together:
                self._write(together)

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.flush()
        except (OSError, ValueError):  # As logging does: who cannot write a line says so and goes on.
            self.handleError(logging.makeLogRecord({"msg": "log_not_written"}))


@contextmanager
def lines_together() -> Iterator[None]:
    """Write the lines of a piece of work at its end: a write for each takes longer than the line."""
    handlers = [one for one in logging.getLogger().handlers if isinstance(one, LineHandler)]
    for handler in handlers:
        handler.hold()
    try:
        yield
    finally:
        for handler in handlers:
            handler.let_go()


class _Formatter(logging.Formatter):
    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def _fields(self, record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
        # What a record has of its own comes first, and a few things more that formatters note on it.
        for name, value in islice(vars(record).items(), _FIRST_OWN, None):
            if name not in _OWN:
                yield name, value if type(value) is str and not _is_secret(name) else _redacted(name, value)

    def _without_secrets(self, line: str) -> str:
        for secret in self._secrets:
            if secret in line:
                line = line.replace(secret, REDACTED)
        return line


class JsonFormatter(_Formatter):
    """One JSON object a line, in plain ASCII: time, level, logger, event, then the fields."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take the secrets as they look inside a JSON string."""
        super().__init__(json.dumps(secret)[1:-1] for secret in secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        entry: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        fields = dict(islice(vars(record).items(), _FIRST_OWN, None))
        is_plain = _are_plain(tuple(fields)) and _PLAIN.issuperset(map(type, fields.values()))
        if not is_plain:
            fields = {f"{name}_" if name in entry else name: value for name, value in self._fields(record)}
        entry.update(fields)
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return self._without_secrets((is_plain and _dumps_plain(entry)) or _dumps(entry))


class TextFormatter(_Formatter):
    """One aligned line to be read by people; an exception follows on indented lines."""

    def __init__(self, secrets: Iterable[str] = (), *, colour: bool = False) -> None:
        """Take the secrets as they are; a value in quotes has them as in a JSON string."""
        super().__init__(shape for secret in secrets for shape in {secret, json.dumps(secret)[1:-1]})
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        level = f"{record.levelname:<8}"
        fields = " ".join(
            f"{_printable(name)}={_shown(value)}" for name, value in self._fields(record) if value is not None
        )
        event = _printable(record.getMessage())
        lines = [f"{_time(record)[11:23]} {level} {event:<20} {fields}".rstrip()]
        if record.exc_info:
            lines += [f"    {_printable(line)}" for line in self.formatException(record.exc_info).splitlines()]
        text = self._without_secrets("\n".join(lines))
        if self._colour:
            text = text.replace(level, f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m", 1)
        return text


def _time(record: logging.LogRecord) -> str:
    """Give the time as RFC 3339 in UTC, with milliseconds."""
    second, milliseconds = divmod(int(record.created * 1000), 1000)
    return f"{_second(second)}.{milliseconds:03}Z"


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


def _dumps_plain(entry: dict[str, Any]) -> str:
    """Write as `_dumps` does, in half of the time; nothing where a text is none that UTF-8 can hold."""
    try:
        return to_json(entry, ensure_ascii=True).decode("ascii").replace("\x7f", "\\u007f")
    except ValueError:
        return ""


def _dumps(entry: dict[str, Any]) -> str:
    try:
        return _encode(entry)
    except (TypeError, ValueError):
        # A key that is no text, or a value that holds itself: better an odd line than none.
        return json.dumps({name: str(value) for name, value in entry.items()})


@lru_cache(maxsize=256)
def _are_plain(names: tuple[str, ...]) -> bool:
    """Tell whether fields of these names can be written as they are, but for dictionaries among their values."""
    return not any(name in _OWN or name in _ENTRY or _is_secret(name) for name in names)


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _redacted(name: str, value: Any) -> Any:
    if value is not None and _is_secret(name):
        return REDACTED
    if isinstance(value, dict):
        return {str(key): _redacted(str(key), inner) for key, inner in value.items()}
    return value


def _shown(value: Any) -> str:
    text = _printable(str(value))
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & {" ", '"', "="} else text


def _printable(text: str) -> str:
    """Escape what a terminal would act on or a reader could not see: control characters, line ends, overrides."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _secrets(config: Config) -> Iterator[str]:
    """Give every secret value of the settings."""
    password = urlsplit(config.database_url).password or ""
    given = (
        *config.plivo_auth_tokens,
        config.phlo_token,
        config.reports_token,
        config.secret_key,
        config.events_secret,
        config.events_url,
        password,
        unquote(password),
    )
    return (secret for secret in dict.fromkeys(given) if secret and len(secret) >= _SHORTEST_SECRET)


def _log_thread_death(dead: threading.ExceptHookArgs) -> None:
    if dead.exc_value is not None and not issubclass(dead.exc_type, SystemExit):
        logging.getLogger(__name__).critical(
            "thread_died",
            extra={"thread_name": dead.thread.name if dead.thread else None},
            exc_info=(dead.exc_type, dead.exc_value, dead.exc_traceback),
        )
