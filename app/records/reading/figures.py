"""Figures over many dials: outcomes, waiting times, talk time."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property

from app.records.reading.filters import DialFilters
from app.voice.outcome import Outcome


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
    NUMBER = "number"


class Detail(IntEnum):
    """How much is counted; less is faster."""

    TOTALS = 0  # dials, calls and talk time
    OUTCOMES = 1  # outcomes too
    ALL = 2  # Plivo's statuses and waiting times too


_SPLIT_CALLS = frozenset(
    {GroupBy.TARGET, GroupBy.OUTCOME, GroupBy.CAUSE}
)  # Dials of one call may be in several groups.
OVER_TIME = frozenset({GroupBy.HOUR, GroupBy.DAY, GroupBy.WEEKDAY, GroupBy.HOUR_OF_WEEK})


@dataclass(slots=True)
class Figures:
    """The figures of a set of dials.

    `calls` counts dials that are the first of their call, `waits` the answered dials by whole seconds until the answer.
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
        """Add dials of one outcome and status."""
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
        """Add another set of dials."""
        self.total += other.total
        self.calls += other.calls
        self.outcomes.update(other.outcomes)
        self.statuses.update(other.statuses)
        self.waits.update(other.waits)
        self.talk_seconds += other.talk_seconds

    def answered(self, *, of_calls: bool) -> tuple[int, int]:
        """Return the number of answered and of ended calls, or of dials without `of_calls`.

        A call has at most one answered dial unless its plan rings on after an answer. Answers of calls from before the
        range count too, so the second number is never below the first.
        """
        answered = self.outcomes[Outcome.ANSWERED]
        ended = (self.calls if of_calls else self.total) - self.outcomes[Outcome.IN_PROGRESS]
        return answered, max(ended, answered)

    def wait(self, share: float) -> int | None:
        """Return within how many seconds this share of the answered dials was answered; None without any."""
        filters = share * self.waits.total()
        so_far = 0
        for seconds in sorted(self.waits):
            so_far += self.waits[seconds]
            if so_far >= filters:
                return seconds
        return None


@dataclass(kw_only=True)
class GroupedFigures:
    """The figures of each group, in the order of the groups.

    `counted_once` are the figures of all dials when a dial may be in several groups.
    """

    parts: dict[str | None, Figures] = field(default_factory=dict)
    counted_once: Figures | None = None

    @cached_property
    def whole(self) -> Figures:
        """Return the figures of all dials."""
        if self.counted_once is not None:
            return self.counted_once
        whole = Figures()
        for part in self.parts.values():
            whole.merge(part)
        return whole


def groups_whole_calls(filters: DialFilters, group_by: GroupBy) -> bool:
    """Return whether all dials of a call match the filters and fall into one group, or no dial does.

    Otherwise figures cannot say which calls were answered, only which dials. The time range does not matter: the dials
    of a call are minutes apart.
    """
    splits_calls = (
        filters.status or filters.outcome or filters.outcomes or filters.cause or filters.target or filters.search
    )
    return not splits_calls and group_by not in _SPLIT_CALLS
