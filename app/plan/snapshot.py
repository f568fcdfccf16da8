"""What is known at the moment of a decision: a frozen snapshot, and the state in memory that it is taken of."""

import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from mmap import mmap
from pathlib import PurePath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from app.plan.contacts import Contacts
from app.voice.xml_values import XmlError, sentence

SWITCH = "switch:"
"""What the key of a switch in the state of the plan begins with; the name of its route follows."""
_EMPTY: Mapping[Any, Any] = {}
STALE_AFTER = 86_400  # Seconds after which people are told of the age of a calendar.


class Source(NamedTuple):
    """A calendar's address or a country's code, and the time zone in which its days begin."""

    address: str
    zone: str


def feed_name(address: str) -> str:
    """Return what may be shown of a calendar's address: its host, or its file. The rest may be a secret."""
    return urlsplit(address).hostname or PurePath(address).name


@dataclass(frozen=True, slots=True)
class Timeline:
    """What holds from each moment, in seconds since 1970, until the next: titles of events, or numbers of people."""

    starts: tuple[int, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, events: Iterable[tuple[int, int, tuple[str, ...]]]) -> "Timeline":
        """Return the timeline of events, each with its start, its end and its values. No value is repeated."""
        events = sorted(events)
        changes = sorted({moment for start, end, _ in events for moment in (start, end)})
        waiting, running, values = iter([*events, None]), list[tuple[int, int, tuple[str, ...]]](), []
        following = next(waiting)
        for moment in changes:
            running = [one for one in running if one[1] > moment]
            while following is not None and following[0] <= moment:
                running.append(following)
                following = next(waiting)
            values.append(tuple(dict.fromkeys(value for one in running for value in one[2])))
        return cls(tuple(changes), tuple(values))

    def at(self, moment: datetime) -> tuple[str, ...]:
        """Return what holds at a moment; empty where nothing does."""
        index = bisect_right(self.starts, moment.timestamp())
        return self.values[index - 1] if index else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A route closed or opened by hand, until a moment or further notice; callers hear `say` while it is closed."""

    is_open: bool
    until: datetime | None = None
    say: str | None = None

    @classmethod
    def read(cls, value: Mapping[str, Any], until: int | None) -> "Switch":
        """Return the switch that is stored, `until` in milliseconds; a sentence that cannot be said is left out."""
        try:
            say = sentence("say", value["say"]) if value.get("say") is not None else None
        except XmlError:
            say = None
        moment = datetime.fromtimestamp(until / 1000, UTC) if until is not None else None
        return cls(is_open=value.get("open") is True, until=moment, say=say)

    def holds(self, now: datetime) -> bool:
        """Return whether the switch holds at a moment."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """How old the copy of a calendar is: `read_at` in seconds since 1970, None where it was never read."""

    place: str
    name: str
    read_at: float | None
    problem: str | None

    @property
    def is_stale(self) -> bool:
        """Return whether the calendar could not be read for a day."""
        return self.read_at is None or time.time() - self.read_at > STALE_AFTER

    def __str__(self) -> str:
        """Return where the calendar is used, how old its copy is, and what is wrong."""
        age = "was never read"
        if self.read_at is not None:
            minutes = round((time.time() - self.read_at) / 60)
            age = f"was last read {f'{minutes} minutes' if minutes < 120 else f'{minutes // 60} hours'} ago"
        return f"{self.place} ({self.name}) {age}{f': {self.problem}' if self.problem else ''}"


class Snapshot(NamedTuple):
    """What a decision may know beside the plan and the call; empty fields leave the plan as it is written.

    `now` knows its time zone. Each mapping is replaced as a whole, never changed.
    """

    now: datetime
    switches: Mapping[str, Switch] = _EMPTY
    days: Mapping[Source, Timeline] = _EMPTY
    oncall: Mapping[Source, Timeline] = _EMPTY
    health: Mapping[str, Any] = _EMPTY
    idleness: Mapping[str, Any] = _EMPTY
    busy_targets: frozenset[str] = frozenset()
    out: frozenset[str] = frozenset()
    contacts: Contacts = _EMPTY
    rotation: Mapping[str, int] = _EMPTY


class Turns:
    """The calls of each rotating step so far, for all processes of a server: they fork after the memory is mapped.

    Two calls at the same instant may begin with the same target: nothing is locked.
    """

    def __init__(self, places: Iterable[str] = ()) -> None:
        self._slots = {place: slot for slot, place in enumerate(places)}
        self._counts = memoryview(mmap(-1, 8 * len(self._slots) or 8)).cast("Q")

    def now(self) -> Mapping[str, int]:
        """Return the count of each place."""
        return {place: self._counts[slot] for place, slot in self._slots.items()} if self._slots else _EMPTY

    def take(self, place: str) -> None:
        """Count a call."""
        self._counts[self._slots[place]] += 1


@dataclass(slots=True, kw_only=True)
class LiveState:
    """The newest state that background jobs have read. A webhook takes a snapshot of it, and waits for nothing."""

    switches: Mapping[str, Switch] = field(default_factory=dict)
    days: Mapping[Source, Timeline] = field(default_factory=dict)
    oncall: Mapping[Source, Timeline] = field(default_factory=dict)
    health: Mapping[str, Any] = field(default_factory=dict)
    idleness: Mapping[str, Any] = field(default_factory=dict)
    busy_targets: frozenset[str] = frozenset()
    out: frozenset[str] = frozenset()
    contacts: Contacts = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)
    feeds: tuple[FeedState, ...] = ()

    def at(self, now: datetime) -> Snapshot:
        """Return what is known, with the moment of the decision."""
        targets = self.health, self.idleness, self.busy_targets, self.out
        return Snapshot(now, self.switches, self.days, self.oncall, *targets, self.contacts, self.turns.now())
