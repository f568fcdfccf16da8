"""What the records tell about the server itself: whether reports come, whether dials end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from app.records.model.ids import first_key
from app.records.model.tables import dials, legs
from app.voice.outcome import Outcome

_HOUR = 3_600_000
_MINUTES = 5 * 60_000  # By then somebody has answered or given up, and news of it should have come.
_LOOKED_AT = 50
_ENOUGH = 3  # Fewer dials without a report may just be callers who are still waiting.
MOST_COUNTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomalies:
    """`unreported`: how many of the last day's dials were looked at and none reported.

    Those that began over an hour ago, if there are some; of fewer, or later ones, only where no news came of any dial.

    `open_too_long`: dials without an end after so long that they must have ended; counted up to `MOST_COUNTED`.
    """

    unreported: int
    open_too_long: int


def find_anomalies(connection: Connection, *, now: int, longest: int) -> Anomalies:
    """Look for what is off. `longest` is for how many seconds a dial may last."""
    too_long = connection.execute(
        select(dials.c.dial_key)
        .where(
            dials.c.outcome == Outcome.IN_PROGRESS.value,
            dials.c.dial_key < first_key(now - longest * 1000 - _HOUR),
            dials.c.dial_key >= first_key(now - 30 * 24 * _HOUR),
        )
        .limit(MOST_COUNTED)
    ).all()
    unreported = _unreported(connection, now) or _without_news(connection, now)
    return Anomalies(unreported=unreported, open_too_long=len(too_long))


def _unreported(connection: Connection, now: int) -> int:
    """Count the dials looked at that began over an hour ago, where enough were looked at and none was reported."""
    found = _newest(connection, now, until=now - _HOUR)
    return len(found) if len(found) >= _ENOUGH and all(dial.reported_at is None for dial in found) else 0


def _without_news(connection: Connection, now: int) -> int:
    """Count the dials that began some minutes ago, where no news at all came of any.

    The hangup of a call is news, and so is what a leg does: it tells of callers who talk for hours.
    """
    found = _newest(connection, now, until=now)
    overdue = [dial for dial in found if dial.dial_key < first_key(now - _MINUTES)]
    open_still = Outcome.IN_PROGRESS.value  # What a dial is until its report or the hangup of its call.
    if not overdue or any(dial.reported_at is not None or dial.outcome != open_still for dial in found):
        return 0
    heard_of = connection.execute(
        select(legs.c.dial_id).where(legs.c.call_key.in_({dial.call_key for dial in found})).limit(1)
    ).first()
    return 0 if heard_of else len(overdue)


def _newest(connection: Connection, now: int, *, until: int) -> Sequence[Row[*tuple[Any, ...]]]:
    return connection.execute(
        select(dials.c.dial_key, dials.c.call_key, dials.c.reported_at, dials.c.outcome)
        .where(dials.c.dial_key >= first_key(now - 24 * _HOUR), dials.c.dial_key < first_key(until))
        .order_by(dials.c.dial_key.desc())
        .limit(_LOOKED_AT)
    ).all()
