"""How the pages say things: outcomes, numbers, times and lengths of time."""

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo

from app.voice.events import DigitsPressed, Event, Kind, LegAnswered, LegConnected, LegEvent, LegHungUp
from app.voice.numbers import mask
from app.voice.outcome import Outcome
from app.voice.parsing import parse

OUTCOMES: dict[str, str] = {
    Outcome.ANSWERED: "Answered",
    Outcome.MISSED: "Missed",
    Outcome.CALLER_GAVE_UP: "Caller gave up",
    Outcome.BUSY: "Busy",
    Outcome.REJECTED: "Declined",
    Outcome.UNREACHABLE: "Unreachable",
    Outcome.FAILED: "Failed",
    Outcome.UNKNOWN: "Unknown",
    Outcome.IN_PROGRESS: "In progress",
}
KINDS = {
    "answer": "Plivo asked what to do",
    "action": "Plivo reported how the dial ended",
    "callback": "News of a leg",
    "ring": "The call is ringing",
    "hangup": "The call ended",
    "recording": "A recording is ready",
    "phlo": "PHLO reported",
    "fallback": "Plivo asked the fallback URL",
    "confirm": "Whoever picked up was asked to accept",
    "voicemail": "The caller left a message",
    "cdr": "Plivo's call detail record",
}
_LEG_NEWS: dict[type[Event], str] = {
    LegAnswered: "Somebody picked up",
    LegConnected: "The two were put through",
    LegHungUp: "A leg ended",
    DigitsPressed: "Keys were pressed",
}
SIGNATURES = {
    "valid": "signed by Plivo",
    "unchecked": "not checked",
}
# Of the numbers in our own URLs, `since` is a time.
_NUMBER_IN_TEXT = re.compile(r"(?<![\w-])(?<!since=)\+?[0-9]{8,15}(?![\w-])", re.ASCII)


def duration(seconds: int | None) -> str:
    """Write seconds as people say them."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if minutes and hours < 10 else f"{hours:,} h"


def clock(at: int | None, zone: tzinfo, *, pattern: str = "%-d %b %Y, %H:%M:%S") -> str:
    """Write a moment in milliseconds as a local time."""
    if at is None:
        return "–"
    try:
        return datetime.fromtimestamp(at / 1000, zone).strftime(pattern)
    except (ValueError, OverflowError, OSError):
        return "–"


def iso(at: int, zone: tzinfo) -> str:
    """Write a moment for machines."""
    try:
        return datetime.fromtimestamp(at / 1000, zone).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""


def number(text: str | None, *, masked: bool) -> str:
    """Write a number, or only its end."""
    return ((mask(text) if masked else text) or "–") if text else "–"


def hide_numbers(text: str, *, masked: bool) -> str:
    """Write free text with every number in it masked, where numbers are."""
    return _NUMBER_IN_TEXT.sub(lambda found: mask(found[0]) or "", text) if masked else text


def share(part: int, whole: int) -> str:
    """Write a part of a whole in percent."""
    return f"{100 * part / whole:.0f} %" if whole else "–"


def webhook(kind: str, params: Mapping[str, object]) -> tuple[str, str | None]:
    """Say what a webhook was, and for news of a leg whose leg it is."""
    if kind != Kind.CALLBACK:
        return KINDS.get(kind, kind), None
    event = parse(Kind.CALLBACK, {name: value for name, value in params.items() if isinstance(value, str)}, at=0)
    return _LEG_NEWS.get(type(event), KINDS[kind]), event.target if isinstance(event, LegEvent) else None


def readable(value: object) -> str:
    """Write a parameter's value: several are joined, and what no encoding can write is replaced."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.encode("utf-8", "replace").decode("utf-8")
