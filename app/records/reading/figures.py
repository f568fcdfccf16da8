"""Figures over many dials: how many ended how, how long callers waited, how long they talked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property

from app.records.reading.filters import DialFilters
from app.voice.outcome import Outcome


class GroupBy(StrEnum):
    """By what figures are divided."""

    HOUR = "hour"
    DAY = "day"
    WEEKDAY = "weekday"
    HOUR_OF_WEEK = "hour_of_week"
    TARGET = "target"
    ROUTE = "route"
    OUTCOME = "outcome"
    CAUSE = "cause"
    NUMBER = "number"


class Detail(IntEnum):
    """How much is counted: the less, the quicker."""

    TOTALS = 0  # how many dials and calls, how long they talked
    OUTCOMES = 1  # and how they ended
    ALL = 2  # and Plivo's statuses, and how long callers waited


_APART = frozenset({GroupBy.TARGET, GroupBy.OUTCOME, GroupBy.CAUSE})  # The dials of a call fall into several.
OVER_TIME = frozenset({GroupBy.HOUR, GroupBy.DAY, GroupBy.WEEKDAY, GroupBy.HOUR_OF_WEEK})


@dataclass(slots=True)
class Figures:
    """What is counted of a set of dials.

    `calls` counts those that are the first of their call, `waits` the answered ones by the whole seconds until then.
    """

    total: int = 0
    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    waits: Counter[int] = field(default_factory=Counter)
    talk_seconds: int = 0

    def add(
        self,
        number: int,
        outcome: str | None,
        status: str | None,
        waits: Mapping[int, int],
        *,
        calls: int,
        talked: int,
    ) -> None:
        """Count dials that ended alike."""
        self.total += number
        self.calls += calls
        self.talk_seconds += talked
        if number:
            if outcome is not None:
                self.outcomes[outcome] += number
            if status is not None:
                self.statuses[status] += number
        if waits:
            self.waits.update(waits)

    def merge(self, other: "Figures") -> None:
        """Count another set of dials too."""
        self.total += other.total
        self.calls += other.calls
        self.outcomes.update(other.outcomes)
        self.statuses.update(other.statuses)
        self.waits.update(other.waits)
        self.talk_seconds += other.talk_seconds

    def answered(self, *, of_calls: bool) -> tuple[int, int]:
        """Give how many were answered and of how many that have ended: calls, or else dials.

        A call has one dial at a time and, unless the plan rings on after an answer, one that is answered. Where more
        were answered than began, since their calls began before the range, the rate is that of all.
        """
        answered = self.outcomes[Outcome.ANSWERED]
        ended = (self.calls if of_calls else self.total) - self.outcomes[Outcome.IN_PROGRESS]
        return answered, max(ended, answered)

    def wait(self, share: float) -> int | None:
        """Tell within how many seconds this share of the answered dials was answered; None where none was."""
        filters = share * self.waits.total()
        so_far = 0
        for seconds in sorted(self.waits):
            so_far += self.waits[seconds]
            if so_far >= filters:
                return seconds
        return None


@dataclass(kw_only=True)
class GroupedFigures:
    """The figures of each part of the dials wanted, in its order.

    `counted_once` are those of all where a dial may count for several parts.
    """

    parts: dict[str | None, Figures] = field(default_factory=dict)
    counted_once: Figures | None = None

    @cached_property
    def whole(self) -> Figures:
        """Give the figures of all dials wanted."""
        if self.counted_once is not None:
            return self.counted_once
        whole = Figures()
        for part in self.parts.values():
            whole.merge(part)
        return whole


def groups_whole_calls(filters: DialFilters, group_by: GroupBy) -> bool:
    """Tell whether the dials of one call are wanted, and fall into one part, all together or not at all.

    Where they do not, there is no saying which calls were answered, only which dials. Time is no matter here: the
    dials of a call are minutes apart.
    """
    chooses = filters.status or filters.outcome or filters.outcomes or filters.cause or filters.target or filters.search
    return not chooses and group_by not in _APART
