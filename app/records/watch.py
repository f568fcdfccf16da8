"""What the records tell about the server itself: whether reports come, whether dials end."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.records.keys import first_key
from app.records.tables import dials
from app.voice.outcome import Outcome

_HOUR = 3_600_000
_LOOKED_AT = 50
_ENOUGH = 3  # Fewer dials without a report may just be callers who are still waiting.
MOST_COUNTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """`unreported`: of the last day's dials that began over an hour ago, how many were looked at and none reported.

    `open_too_long`: dials without an end after so long that they must have ended; counted up to `MOST_COUNTED`.
    """

    unreported: int
    open_too_long: int


def find_signs(connection: Connection, *, now: int, longest: int) -> Signs:
    """Look for what is off. `longest` is for how many seconds a dial may last."""
    newest = connection.execute(
        select(dials.c.reported_at, dials.c.outcome)
        .where(dials.c.dial_key >= first_key(now - 24 * _HOUR), dials.c.dial_key < first_key(now - _HOUR))
        .order_by(dials.c.dial_key.desc())
        .limit(_LOOKED_AT)
    ).all()
    silent = len(newest) >= _ENOUGH and all(reported is None for reported, _ in newest)
    too_long = connection.execute(
        select(dials.c.dial_key)
        .where(
            dials.c.outcome == Outcome.IN_PROGRESS.value,
            dials.c.dial_key < first_key(now - longest * 1000 - _HOUR),
            dials.c.dial_key >= first_key(now - 30 * 24 * _HOUR),
        )
        .limit(MOST_COUNTED)
    ).all()
    return Signs(unreported=len(newest) if silent else 0, open_too_long=len(too_long))
