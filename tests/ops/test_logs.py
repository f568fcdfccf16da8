"""Log lines: what they look like, and what can never get into them."""

import json
import logging
import os
import pty
import subprocess
import sys
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ops.logs import REDACTED, JsonFormatter, TextFormatter
from tests.support.server import ROOT

HOSTILE = 'x\n2026-01-01T00:00:00Z CRITICAL forged\r\x1b[2J\x00\x9b31m\u2028\u202e" y=1'


def record(event: str = "it_happened", *, failed: BaseException | None = None, **fields: Any) -> logging.LogRecord:
    """Return a record as a logger makes it."""
    made = logging.LogRecord("app.room", logging.INFO, "", 0, event, None, None)
    made.created, made.msecs = 1_700_000_000.25, 250
    vars(made).update(fields)
    if failed:
        made.exc_info = (type(failed), failed, failed.__traceback__)
    return made


def fail() -> None:
    """Raise an error with hostile text."""
    raise ValueError(HOSTILE)


def as_json(made: logging.LogRecord, *secrets: str) -> dict[str, Any]:
    """Return the JSON line of a record, parsed."""
    line = JsonFormatter(secrets).format(made)
    assert line.isascii()
    assert line.isprintable()
    entry: dict[str, Any] = json.loads(line)
    return entry


def logged(code: str, tmp_path: Path, **settings: str) -> list[str]:
    """Run code in a process of its own with logging configured; return the lines of its stdout."""
    start = (
        "import logging, warnings, threading\nfrom config import Config\nfrom app.ops.logs import configure_logging\n"
        f"config = Config.load({{'INSTANCE_DIR': {str(tmp_path)!r}, **{settings!r}}})\nconfigure_logging(config)\n"
    )
    done = subprocess.run([sys.executable, "-c", start + code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_json_line_holds_time_level_logger_event_and_fields() -> None:
    assert as_json(record(outcome="busy", deliveries=2, missing=None)) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "logger": "app.room",
        "event": "it_happened",
        "outcome": "busy",
        "deliveries": 2,
        "missing": None,
    }


def test_a_field_with_a_reserved_name_replaces_nothing() -> None:
    entry = as_json(record(event="it_happened", time="noon", level="high", logger="mine"))
    assert (entry["time"], entry["time_"]) == ("2023-11-14T22:13:20.250Z", "noon")
    assert (entry["level_"], entry["logger_"]) == ("high", "mine")


def test_an_exception_is_one_field_of_the_same_line() -> None:
    with pytest.raises(ValueError, match="forged") as caught:
        fail()
    entry = as_json(record(failed=caught.value))
    assert entry["exception"].startswith("Traceback (most recent call last):\n")
    assert HOSTILE in entry["exception"]


def test_a_value_that_json_cannot_hold_becomes_text() -> None:
    circle: dict[str, Any] = {}
    circle["self"] = [circle]
    assert as_json(record(path=Path("/tmp/x")))["path"] == "/tmp/x"
    assert "circle" in as_json(record(circle=[circle["self"]]))


@given(value=st.text(), name=st.text(min_size=1))
def test_no_text_leaves_its_line(value: str, name: str) -> None:
    fields: dict[str, Any] = {f"f_{name}": value}
    made = record(event=value, **fields)
    assert as_json(made)["event"] == value
    assert TextFormatter().format(made).isprintable()


@given(value=st.text() | st.text(st.sampled_from('"\\/\b\f\n\r\t\0\x1f\x7f\x80\u2028\ud800\udfff\U0001f600')))
def test_every_character_is_written_as_the_secrets_are(value: str) -> None:
    assert json.dumps({"value": value, "count": 1}, separators=(",", ":"))[1:] in JsonFormatter().format(
        record(value=value, count=1)
    )


def test_a_hostile_exception_cannot_forge_a_line_of_text() -> None:
    made = record(failed=ValueError(HOSTILE), caller=HOSTILE)
    first, *rest = TextFormatter().format(made).split("\n")
    assert first.startswith("22:13:20.250 INFO     it_happened          caller=")
    assert rest
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_text_quotes_a_value_that_looks_like_another_field() -> None:
    assert TextFormatter().format(record(name_given="a b=c", empty="")).endswith('name_given="a b=c" empty=""')


@pytest.mark.parametrize(
    "name",
    ["token", "auth_token", "PHLO_TOKEN", "secret_key", "Authorization", "password", "signature_header",
     "X-Plivo-Signature-V3", "Set-Cookie"],
)  # fmt: skip
def test_a_field_named_like_a_secret_is_never_written(name: str) -> None:
    fields: dict[str, Any] = {name: "abc-123"}
    made = record(**fields, headers={name: "abc-123", "Accept": "*/*"})
    assert as_json(made)[name] == REDACTED
    assert as_json(made)["headers"] == {name: REDACTED, "Accept": "*/*"}
    assert "abc-123" not in TextFormatter().format(made)


@pytest.mark.parametrize("kind", [dict, OrderedDict, Counter])
def test_a_field_named_like_a_secret_is_found_in_any_dictionary(kind: type[dict[str, str]]) -> None:
    made = record(given=kind({"auth_token": "abc-123", "rest": "kept"}))

    assert as_json(made)["given"] == {"auth_token": REDACTED, "rest": "kept"}


def test_text_from_strangers_cannot_fill_a_line() -> None:
    made = record(event="x" * 5000, path="y" * 5000, headers={"Accept": "z" * 5000})

    entry = as_json(made)

    assert len(JsonFormatter().format(made)) < 3500
    assert len(TextFormatter().format(made)) < 3500
    assert entry["path"] == "y" * 1000 + "…"


def test_the_verdict_on_a_signature_is_no_secret() -> None:
    assert as_json(record(signature="valid"))["signature"] == "valid"


def test_a_secret_is_blacked_out_wherever_it_stands() -> None:
    secret = 'quote"back\\slash'
    made = record(event=f"said {secret}", url=f"https://x/{secret}", failed=ValueError(secret))
    for line in (JsonFormatter([secret]).format(made), TextFormatter([secret]).format(made)):
        assert line.count(REDACTED) == 3
        assert "slash" not in line


def test_no_secret_of_the_settings_reaches_a_line(tmp_path: Path) -> None:
    secrets = {
        "PLIVO_AUTH_TOKEN": "old-auth-token,new-auth-token",
        "PHLO_TOKEN": "a-phlo-token-of-mine",
        "REPORTS_TOKEN": "a-reports-token-of-mine",
        "SECRET_KEY": "a-secret-key-of-mine",
        "DATABASE_URL": "postgresql://dials:pa%2Fssword@127.0.0.1/dials",
        "EVENTS_URL": "https://crm.example.com/hooks/for-me-only",
        "EVENTS_SECRET": "whsec_" + "QUJD" * 8,
    }
    values = [*secrets.values(), "old-auth-token", "new-auth-token", "pa/ssword", "pa%2Fssword"]
    (line,) = logged(f"logging.getLogger('a').info('all', extra={{'all': {values!r}}})", tmp_path, **secrets)
    assert REDACTED in line
    for word in ("auth-token", "of-mine", "ssword", "for-me-only", "QUJD"):
        assert word not in line


def test_each_event_is_one_json_line_without_a_terminal(tmp_path: Path) -> None:
    code = (
        "configure_logging(config)\n"
        "logging.getLogger('a').info('first', extra={'n': 1})\n"
        "logging.getLogger('a').debug('hidden')\n"
        "warnings.warn('beware')\n"
        "thread = threading.Thread(target=lambda: 1 / 0, name='worker')\nthread.start()\nthread.join()\n"
    )
    first, warned, died = (json.loads(line) for line in logged(code, tmp_path))
    assert (first["event"], first["n"]) == ("first", 1)
    assert (warned["level"], warned["logger"]) == ("warning", "py.warnings")
    assert "beware" in warned["event"]
    assert (died["event"], died["level"], died["thread_name"]) == ("thread_died", "critical", "worker")
    assert "ZeroDivisionError" in died["exception"]


def test_the_level_is_the_lowest_that_is_logged(tmp_path: Path) -> None:
    code = "logging.getLogger('a').info('hidden')\nlogging.getLogger('a').error('shown')"
    (line,) = logged(code, tmp_path, LOG_LEVEL="ERROR")
    assert json.loads(line)["event"] == "shown"


def test_text_without_a_terminal_has_no_colours(tmp_path: Path) -> None:
    (line,) = logged("logging.getLogger('a').info('shown', extra={'n': 1})", tmp_path, LOG_FORMAT="text")
    assert line.endswith(" INFO     shown                n=1")


def test_a_terminal_gets_coloured_text(tmp_path: Path) -> None:
    code = (
        "import logging\nfrom config import Config\nfrom app.ops.logs import configure_logging\n"
        f"configure_logging(Config.load({{'INSTANCE_DIR': {str(tmp_path)!r}}}))\n"
        "logging.getLogger('a').error('shown', extra={'n': 1})\n"
    )
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=theirs, check=True)
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        line = terminal.readline().decode()
    assert "\x1b[31mERROR   \x1b[0m shown                n=1" in line
