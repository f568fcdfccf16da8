"""What is known at the moment of a decision: a frozen snapshot, and the state in memory that it is taken of."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from app.plan.contacts import Contacts


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

    def holds(self, now: datetime) -> bool:
        """Return whether the switch holds at a moment."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a decision may know beside the plan and the call; empty fields leave the plan as it is written.

    `now` knows its time zone. Each mapping is replaced as a whole, never changed.
    """

    now: datetime
    switches: Mapping[str, Switch] = field(default_factory=dict)
    days: Mapping[Source, Timeline] = field(default_factory=dict)
    oncall: Mapping[Source, Timeline] = field(default_factory=dict)
    health: Mapping[str, Any] = field(default_factory=dict)
    idleness: Mapping[str, Any] = field(default_factory=dict)
    busy_targets: frozenset[str] = frozenset()
    out: frozenset[str] = frozenset()
    contacts: Contacts = field(default_factory=dict)
    rotation: Mapping[str, int] = field(default_factory=dict)


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
    rotation: Mapping[str, int] = field(default_factory=dict)

    def at(self, now: datetime) -> Snapshot:
        """Return what is known, with the moment of the decision."""
        return Snapshot(
            now=now,
            switches=self.switches,
            days=self.days,
            oncall=self.oncall,
            health=self.health,
            idleness=self.idleness,
            busy_targets=self.busy_targets,
            out=self.out,
            contacts=self.contacts,
            rotation=self.rotation,
        )
