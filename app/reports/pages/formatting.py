"""How pages and commands write outcomes, numbers, times and durations."""

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo

from app.voice.events import DigitsPressed, Event, Kind, LegAnswered, LegConnected, LegEvent, LegHungUp
from app.voice.numbers import mask, spaced
from app.voice.outcome import CallOutcome, Outcome
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
CALL_OUTCOMES: dict[str, str] = {
    CallOutcome.ANSWERED: "Answered",
    CallOutcome.MESSAGE_LEFT: "Message left",
    CallOutcome.BLOCKED: "Blocked",
    CallOutcome.CLOSED: "Closed",
    CallOutcome.HANDED_OVER: "Handed over",
    **{word: label for word, label in OUTCOMES.items() if word != Outcome.ANSWERED},
}
FOLLOWUPS = {"open": "To call back", "reached": "Reached", "done": "Done"}
KINDS = {
    "answer": "Plivo asked what to do",
    "action": "Plivo reported how the dial ended",
    "callback": "Plivo reported on a leg",
    "ring": "The call is ringing",
    "hangup": "The call ended",
    "recording": "A recording is ready",
    "phlo": "PHLO reported",
    "fallback": "Plivo asked the fallback URL",
    "confirm": "The person who picked up was asked to accept",
    "voicemail": "The caller left a message",
    "cdr": "Plivo's call detail record",
}
_LEG_NEWS: dict[type[Event], str] = {
    LegAnswered: "Somebody picked up",
    LegConnected: "Caller and callee were connected",
    LegHungUp: "A leg ended",
    DigitsPressed: "Keys were pressed",
}
SIGNATURES = {
    "valid": "signed by Plivo",
    "bearer": "sent by a PHLO",
    "unchecked": "signature not checked",
}
_ABSENT = "–"
_NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
# In our own URLs the number after `since=` is a time.
_NUMBER_IN_TEXT = re.compile(r"(?<![\w-])(?<!since=)\+?[0-9]{8,15}(?![\w-])", re.ASCII)


def duration(seconds: int | None) -> str:
    """Return seconds as people say them: `42 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds is None:
        return _ABSENT
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if minutes and hours < 10 else f"{hours:,} h"


def wait(seconds: int | None) -> str:
    """Return how long somebody has waited: as `duration`, and from two days on in days, such as `9 days`."""
    days = (seconds or 0) // (24 * 60 * 60)
    return f"{days:,} days" if days >= 2 else duration(seconds)


def milliseconds(lasted: int | None) -> str:
    """Return milliseconds as `duration` writes seconds."""
    return duration(None if lasted is None else round(lasted / 1000))


def clock(at: int | None, zone: tzinfo, *, pattern: str = "%-d %b %Y, %H:%M:%S") -> str:
    """Return milliseconds since 1970 UTC as a local time; a dash for None and for what no calendar has."""
    try:
        return _ABSENT if at is None else datetime.fromtimestamp(at / 1000, zone).strftime(pattern)
    except (ValueError, OverflowError, OSError):
        return _ABSENT


def precise(at: int | None, zone: tzinfo) -> str:
    """Return milliseconds since 1970 UTC as a local time of day to the millisecond."""
    return _ABSENT if at is None else f"{clock(at, zone, pattern='%H:%M:%S')}.{at % 1000:03d}"


def iso(at: int, zone: tzinfo) -> str:
    """Return milliseconds since 1970 UTC as ISO 8601 with the zone's offset; empty for what no calendar has."""
    try:
        return datetime.fromtimestamp(at / 1000, zone).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""


def number(text: str | None, *, masked: bool) -> str:
    """Return a number as people write it (`+1 415-555-0100`), or only its last four digits."""
    if not text:
        return _ABSENT
    return (mask(text) or _ABSENT) if masked else spaced(text)


def count(how_many: int, noun: str) -> str:
    """Return a number of things in words up to ten, such as `three phones`, `1,200 calls`."""
    written = _NUMERALS[how_many] if how_many < len(_NUMERALS) else f"{how_many:,}"
    return f"{written} {noun}{'' if how_many == 1 else 's'}"


def hide_numbers(text: str, *, masked: bool) -> str:
    """Return free text, with every number in it masked if numbers are."""
    return _NUMBER_IN_TEXT.sub(lambda found: mask(found[0]) or "", text) if masked else text


def percentage(part: int, whole: int) -> str:
    """Return a share in percent, without decimals; a dash of nothing."""
    return f"{100 * part / whole:.0f}%" if whole else _ABSENT


def webhook(kind: str, params: Mapping[str, object]) -> tuple[str, str | None]:
    """Return what a webhook says, and for a report on a leg the number or SIP user of that leg."""
    if kind != Kind.CALLBACK:
        return KINDS.get(kind, kind), None
    event = parse(Kind.CALLBACK, {name: value for name, value in params.items() if isinstance(value, str)}, at=0)
    return _LEG_NEWS.get(type(event), KINDS[kind]), event.target if isinstance(event, LegEvent) else None


def readable(value: object) -> str:
    """Return a parameter's value as text: several values joined, what no encoding can write replaced."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.encode("utf-8", "replace").decode("utf-8")
