"""The outbox: what has happened and is not yet an event.

It is filled in the transaction that stores what happened, so that no event is lost or invented. `publish` turns a row
into events and their deliveries, and a row that changes meanwhile stays for the next round.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from random import getrandbits
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from app.records.model.ids import KeyMaker, first_key, now
from app.records.model.tables import receipts
from app.records.model.tables_events import announced, deliveries, events, outbox
from app.records.store.store import Store

_make_key = KeyMaker().make  # Only the one thread that publishes makes keys with it.


class EventType(StrEnum):
    """What an event is about."""

    CALL_ENDED = "call.ended"
    CALL_CORRECTED = "call.corrected"
    DIAL_ENDED = "dial.ended"
    MESSAGE_LEFT = "message.left"
    FOLLOWUP_OPENED = "followup.opened"
    FOLLOWUP_CLOSED = "followup.closed"
    TARGET_DOWN = "target.down"
    TARGET_UP = "target.up"
    WEBHOOKS_QUIET = "webhooks.quiet"


NOTICE = "notice"  # The type of what people are told about a call; programs never get it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A row of the outbox. `body` is None for a call or a dial, whose event is made from the records."""

    subject_key: int
    type: str
    subject: str | None
    call_key: int | None
    route: str | None
    body: str | None
    due_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What was last announced of a call."""

    call_key: int
    outcome: str
    answered_by: str | None
    message_id: str | None
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event to publish; `addresses` holds each address and when it may be sent there, in milliseconds."""

    type: str
    subject: str
    call_key: int | None
    route: str | None
    revision: int
    body: str
    addresses: Mapping[str, int]


def event_row(
    type_: str,
    *,
    subject: str | None = None,
    body: Mapping[str, Any] | None = None,
    subject_key: int | None = None,
    call_key: int | None = None,
    route: str | None = None,
    delay: int = 0,
) -> tuple[Any, ...]:
    """Return a row of the outbox, for `Statements.queue`; it falls due after `delay` milliseconds.

    A call or a dial has a `subject_key` and one row of a type. Every other event has a `subject`, which is the id of
    what it is about, and a `body`, which becomes its `data`.
    """
    key = subject_key if subject_key is not None else first_key(now()) | getrandbits(22)
    return (key, type_, subject, call_key, route, None if body is None else json.dumps(body), delay)


def time_of(at: int | None) -> str | None:
    """Return a moment in milliseconds as events have it: RFC 3339 in UTC."""
    if at is None:
        return None
    return f"{datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec='milliseconds')[:23]}Z"


def queue_event(
    store: Store,
    connection: Connection,
    type_: str,
    *,
    subject: str,
    body: Mapping[str, Any],
    call_key: int | None = None,
    route: str | None = None,
) -> None:
    """Queue an event in the transaction of a connection; inside a batch use `Batch.queue_event`."""
    *row, _ = event_row(type_, subject=subject, body=body, call_key=call_key, route=route)
    connection.execute(insert(outbox).values((*row, store.clock(connection))))


def due_events(connection: Connection, at: int, *, limit: int) -> list[Queued]:
    """Return the rows of the outbox that are due at a time, oldest first."""
    due = select(outbox).where(outbox.c.due_at <= at).order_by(outbox.c.due_at, outbox.c.subject_key).limit(limit)
    return [Queued(**row) for row in connection.execute(due).mappings()]


def next_due(connection: Connection) -> int | None:
    """Return when the next row of the outbox falls due, perhaps long ago; None where it is empty."""
    at: int | None = connection.scalar(select(func.min(outbox.c.due_at)))
    return at


def announcement_of(connection: Connection, call_key: int) -> Announcement | None:
    """Return what was last announced of a call."""
    row = connection.execute(select(announced).where(announced.c.call_key == call_key)).mappings().first()
    return Announcement(**row) if row else None


def noticed_addresses(connection: Connection, call_key: int) -> set[str]:
    """Return the addresses that got a notice of a call, or will get one."""
    told = select(deliveries.c.address).join(events, events.c.event_key == deliveries.c.event_key)
    return set(
        connection.scalars(
            told.where(events.c.call_key == call_key, events.c.type == NOTICE, deliveries.c.state != "dropped")
        )
    )


def publish(store: Store, rows: Iterable[tuple[Queued, Sequence[NewEvent], Announcement | None]]) -> None:
    """Replace rows of the outbox by their events, in one transaction. Raises `StoreUnavailable`."""
    with store.transaction() as connection:
        for queued, made, announcement in rows:
            unchanged = (outbox.c.subject_key == queued.subject_key, outbox.c.type == queued.type)
            taken = connection.execute(delete(outbox).where(*unchanged, outbox.c.due_at == queued.due_at))
            if not taken.rowcount:
                continue  # It has changed, or another process took it.
            for event in made:
                _insert(connection, event)
            if announcement is not None:
                _remember(connection, announcement)


def _insert(connection: Connection, event: NewEvent) -> None:
    # Deliveries go out by their keys: the clock of the node that published before may have been ahead of ours.
    latest = connection.scalar(select(func.max(events.c.event_key))) or 0
    key = max(_make_key(now()), latest + 1)
    columns = ("type", "subject", "call_key", "route", "revision", "body")
    connection.execute(insert(events).values(event_key=key, **{name: getattr(event, name) for name in columns}))
    if event.type == NOTICE:
        _replace_unsent(connection, event)
    waiting = {"event_key": key, "call_key": event.call_key, "state": "waiting", "attempts": 0}
    connection.execute(
        insert(deliveries),
        [{**waiting, "address": address, "due_at": due_at} for address, due_at in event.addresses.items()],
    )


def _replace_unsent(connection: Connection, notice: NewEvent) -> None:
    """Drop the earlier notices of a call that wait for the end of quiet hours: the new one says all."""
    of_call = select(events.c.event_key).where(events.c.call_key == notice.call_key, events.c.type == NOTICE)
    unsent = (deliveries.c.event_key.in_(of_call), deliveries.c.address.in_(notice.addresses))
    waits = (deliveries.c.state == "waiting", deliveries.c.attempts == 0)
    dropped = {"state": "dropped", "reason": "a later notice of the call says it"}
    connection.execute(update(deliveries).where(*unsent, *waits).values(dropped))


def _remember(connection: Connection, one: Announcement) -> None:
    values = {name: getattr(one, name) for name in ("outcome", "answered_by", "message_id", "revision")}
    changed = connection.execute(update(announced).where(announced.c.call_key == one.call_key).values(values))
    if not changed.rowcount:
        connection.execute(insert(announced).values(call_key=one.call_key, **values))


def count_receipts(connection: Connection, call_key: int) -> int:
    """Return the number of receipts of a call: the revision of its events, since only a receipt changes an outcome."""
    return connection.scalar(select(func.count()).where(receipts.c.call_key == call_key)) or 0
