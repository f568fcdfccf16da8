"""Figures over many calls or dials: outcomes, waiting times, talk time."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.records.model.tables import WAIT_BOUNDS
from app.records.rollups.counting import WAITS, Unit
from app.voice.outcome import CallOutcome

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class GroupBy(StrEnum):
    """What figures are grouped by."""

    HOUR = "hour"
    DAY = "day"
    WEEKDAY = "weekday"
    HOUR_OF_WEEK = "hour_of_week"
    TARGET = "target"
    ROUTE = "route"
    OUTCOME = "outcome"
    CAUSE = "cause"
    REASON = "reason"
    NUMBER = "number"


OVER_TIME = frozenset({GroupBy.HOUR, GroupBy.DAY, GroupBy.WEEKDAY, GroupBy.HOUR_OF_WEEK})


@dataclass(slots=True)
class Figures:
    """The figures of a set of calls or dials. Of dials, `calls` counts those that are the first of their call.

    `answered`, `talk_seconds` and `waits` of a target are of what that target answered. `waits` counts by the place of
    the bound in `WAIT_BOUNDS`.
    """

    calls: int = 0
    dials: int = 0
    answered: int = 0
    talk_seconds: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    waits: Counter[int] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Return how many calls or dials these are."""
        return self.outcomes.total()

    @property
    def ended(self) -> int:
        """Return how many have ended; the answer rate is `answered` of these."""
        return self.total - self.outcomes[CallOutcome.IN_PROGRESS]

    def wait(self, share: float) -> int | None:
        """Return within how many seconds this share was answered; None without any.

        Exact up to 6 s, above that off by under a third; waits over 300 s count as 300 s.
        """
        missing = share * self.waits.total()
        for place, low in enumerate((-1, *WAIT_BOUNDS)):
            if (number := self.waits[place]) and number >= missing:
                if place == len(WAIT_BOUNDS):
                    return low
                return round(low + 1 + (WAIT_BOUNDS[place] - low - 1) * missing / number)
            missing -= number
        return None

    def merge(self, other: "Figures") -> None:
        """Add the figures of other calls or dials."""
        for name in ("calls", "dials", "answered", "talk_seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("outcomes", "statuses", "waits"):
            getattr(self, name).update(getattr(other, name))

    def add(self, values: Mapping[str, Any], unit: Unit) -> None:
        """Add a row of sums. In a group by target it says who answered, and what another target did is left out."""
        number, outcome = int(values[unit]), values["outcome"]
        self.calls += int(values["calls"])
        self.dials += int(values["dials"])
        self.outcomes[outcome] += number
        if (status := values.get("dial_status")) is not None:
            self.statuses[status] += number
        if outcome == CallOutcome.ANSWERED and values.get("target") == values.get("answered_by"):
            self.answered += number
            self.talk_seconds += int(values["talk_seconds"])
            self.waits.update({place: int(values[name]) for place, name in enumerate(WAITS) if values.get(name)})


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedFigures:
    """The figures of each group, in order, and of all calls or dials. A call may be in several groups."""

    parts: dict[str | None, Figures]
    whole: Figures
