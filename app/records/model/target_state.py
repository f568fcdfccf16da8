"""What is known of the targets that a plan watches: failures in a row, conversations, and who took them out."""

import json
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Table, Text

from app.records.model.tables import metadata
from app.voice.outcome import Outcome

MOST_FAILURES = 10
_FAILURES = frozenset({Outcome.UNREACHABLE, Outcome.FAILED})
_SIGNS_OF_LIFE = frozenset({Outcome.ANSWERED, Outcome.MISSED, Outcome.BUSY, Outcome.REJECTED})

target_states = Table(
    "target_states",
    metadata,
    Column("target", Text, primary_key=True),
    Column("failed_at", Text, nullable=False),  # a JSON array of times, the newest first
    Column("reached_at", BigInteger),
    Column("down_since", BigInteger),
    Column("tried_by", Text),  # the dial that tries a dead phone again
    Column("tried_until", BigInteger),
    Column("talking", Text, nullable=False),  # a JSON object: by dial, since when it talks
    Column("idle_since", BigInteger),
    Column("out_at", BigInteger),
    Column("out_by", Text),
    sqlite_with_rowid=False,
)


class DeadRule(NamedTuple):
    """A target is down after so many failures in a row within so many milliseconds."""

    failures: int
    within: int


@dataclass(slots=True)
class TargetState:
    """One target. Times in milliseconds since 1970 UTC. Reports may come in any order, and more than once."""

    target: str
    failed_at: str = "[]"
    reached_at: int | None = None
    down_since: int | None = None
    tried_by: str | None = None
    tried_until: int | None = None
    talking: str = "{}"
    idle_since: int | None = None
    out_at: int | None = None
    out_by: str | None = None

    @property
    def failures(self) -> list[int]:
        """Return the times of the failures since the target was last reached, the newest first."""
        return [int(at) for at in json.loads(self.failed_at)]

    @property
    def talks_since(self) -> dict[str, int]:
        """Return since when the target talks, by dial."""
        return {str(dial_id): int(at) for dial_id, at in json.loads(self.talking).items()}

    def fail(self, at: int, rule: DeadRule) -> None:
        """Count a failure; the target may go down."""
        if at < (self.reached_at or 0):
            return
        failed = sorted({*self.failures, at}, reverse=True)[:MOST_FAILURES]
        self.failed_at = json.dumps(failed)
        if (
            self.down_since is None
            and len(failed) >= rule.failures
            and failed[0] - failed[rule.failures - 1] <= rule.within
        ):
            self.down_since = failed[0]

    def reach(self, at: int) -> None:
        """Note a sign of life; without a later failure the target is up."""
        self.reached_at = max(self.reached_at or 0, at)
        later = [failure for failure in self.failures if failure > at]
        self.failed_at = json.dumps(later)
        if not later:
            self.down_since = None

    def note(self, outcome: str | None, at: int, rule: DeadRule | None) -> None:
        """Note how a dial ended for the target, None where that is not known."""
        if rule is not None and outcome in _FAILURES:
            self.fail(at, rule)
        elif outcome in _SIGNS_OF_LIFE:
            self.reach(at)

    def talk(self, dial_id: str, since: int) -> None:
        """Note that a conversation has begun."""
        self.talking = json.dumps({**self.talks_since, dial_id: since})

    def finish(self, dial_id: str, at: int, *, talked: bool) -> None:
        """Note that a dial has ended, and whether the target had talked in it."""
        self.talking = json.dumps({known: since for known, since in self.talks_since.items() if known != dial_id})
        if talked:
            self.idle_since = max(self.idle_since or 0, at)
        if self.tried_by == dial_id:
            self.tried_by = self.tried_until = None
