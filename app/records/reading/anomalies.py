"""Anomalies in the records: reports that never come, dials that never end, times of another zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from sqlalchemy import Connection, Row, select

from app.records.model.ids import first_key
from app.records.model.receipt import first_params
from app.records.model.tables import dials, legs, receipts
from app.voice.events import CallHungUp, Kind
from app.voice.outcome import Outcome
from app.voice.parsing import parse

_HOUR = 3_600_000
_OVERDUE = 5 * 60_000  # Milliseconds; by then somebody has answered or given up, and a report is due.
_SAMPLE = 50
_NEWEST_RECEIPTS = 200  # Looked through for hangup notices, whose times show the zone of the account.
_ENOUGH = 3  # Fewer dials without a report may be callers who are still waiting.
MOST_COUNTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomalies:
    """What looks wrong.

    `unreported` is the size of a sample of dials when none has a report, else 0. The sample is the newest dials of the
    last day that began over an hour ago. When there are fewer than three, it is those that began over five minutes ago,
    and `unreported` is 0 if any news came. `open_too_long` counts dials that must have ended, up to `MOST_COUNTED`.
    `derived_offset` is the account's offset from UTC in seconds, where Plivo's times show another than is configured.
    """

    unreported: int
    open_too_long: int
    derived_offset: int | None = None


def find_anomalies(connection: Connection, *, now: int, longest: int, zone: tzinfo) -> Anomalies:
    """Return the anomalies at a time in milliseconds.

    `longest` is how many seconds a dial may last, `zone` the configured time zone of the Plivo account.
    """
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
    return Anomalies(
        unreported=unreported, open_too_long=len(too_long), derived_offset=_derived_offset(connection, now, zone)
    )


def _derived_offset(connection: Connection, now: int, zone: tzinfo) -> int | None:
    """Return the offset that the newest hangup notice of the last day shows, where it is not the configured one."""
    newest = (
        select(receipts.c.receipt_key)
        .where(receipts.c.receipt_key >= first_key(now - 24 * _HOUR))
        .order_by(receipts.c.receipt_key.desc())
        .limit(_NEWEST_RECEIPTS)
        .subquery()
    )
    found = connection.execute(
        select(receipts.c.params, receipts.c.received_at)
        .where(receipts.c.receipt_key.in_(select(newest.c.receipt_key)), receipts.c.kind == Kind.HANGUP.value)
        .order_by(receipts.c.receipt_key.desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    event = parse(Kind.HANGUP, first_params(found.params), at=found.received_at, zone=zone)
    return event.derived_offset if isinstance(event, CallHungUp) else None


def _unreported(connection: Connection, now: int) -> int:
    """Return how many dials began over an hour ago when no dial of the sample has a report, else 0."""
    found = _newest(connection, now, until=now - _HOUR)
    return len(found) if len(found) >= _ENOUGH and all(dial.reported_at is None for dial in found) else 0


def _without_news(connection: Connection, now: int) -> int:
    """Return how many dials began over five minutes ago when no news came of any dial, else 0.

    The hangup of a call and any event of a leg are news: callers may talk for hours.
    """
    found = _newest(connection, now, until=now)
    overdue = [dial for dial in found if dial.dial_key < first_key(now - _OVERDUE)]
    open_still = Outcome.IN_PROGRESS.value
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
        .limit(_SAMPLE)
    ).all()
