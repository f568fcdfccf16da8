"""Dead phones: targets that failed several times in a row, and how long they are left alone."""

from enum import Enum
from typing import NamedTuple

from app.plan.values import DeadMinutes, Failures, LastOrNever, Table


class DeadPhones(Table):
    """When a target counts as dead: `failures` in a row within some minutes; then it rests for some minutes."""

    failures: Failures = 3
    within: DeadMinutes = 10
    rest: DeadMinutes = 10
    then: LastOrNever = "last"


class Health(NamedTuple):
    """What is known of a target. Times in milliseconds since 1970 UTC.

    `failed_at` is its last failure; `down_since` is None while it counts as alive. One call has the right to try it
    until `tried_until`.
    """

    failed_at: int = 0
    down_since: int | None = None
    tried_until: int = 0


class Condition(Enum):
    """How a target is treated: rung as written, left alone, or rung as written by the one call that tries it."""

    ALIVE = 1
    DEAD = 2
    ON_TRIAL = 3


def condition(health: Health | None, rule: DeadPhones | None, now: int) -> Condition:
    """Return how a target is treated at a time in milliseconds."""
    if health is None or rule is None or health.down_since is None:
        return Condition.ALIVE
    is_resting = now < health.failed_at + rule.rest * 60_000
    return Condition.DEAD if is_resting or now < health.tried_until else Condition.ON_TRIAL
