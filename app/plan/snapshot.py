"""What is known at the moment of a decision: a frozen snapshot, and the state in memory that it is taken of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a decision may know beside the plan and the call; empty fields leave the plan as it is written.

    `now` knows its time zone. Each mapping is replaced as a whole, never changed.
    """

    now: datetime
    switches: Mapping[str, Any] = field(default_factory=dict)
    days: Mapping[str, Any] = field(default_factory=dict)
    oncall: Mapping[str, Any] = field(default_factory=dict)
    health: Mapping[str, Any] = field(default_factory=dict)
    idleness: Mapping[str, Any] = field(default_factory=dict)
    busy_targets: frozenset[str] = frozenset()
    out: frozenset[str] = frozenset()
    contacts: Mapping[str, Any] = field(default_factory=dict)
    rotation: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class LiveState:
    """The newest state that background jobs have read. A webhook takes a snapshot of it, and waits for nothing."""

    switches: Mapping[str, Any] = field(default_factory=dict)
    days: Mapping[str, Any] = field(default_factory=dict)
    oncall: Mapping[str, Any] = field(default_factory=dict)
    health: Mapping[str, Any] = field(default_factory=dict)
    idleness: Mapping[str, Any] = field(default_factory=dict)
    busy_targets: frozenset[str] = frozenset()
    out: frozenset[str] = frozenset()
    contacts: Mapping[str, Any] = field(default_factory=dict)
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
