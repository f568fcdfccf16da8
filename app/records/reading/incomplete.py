"""Incomplete records: calls without an end, legs without a report, receipts without a call."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from app.records.model.ids import ORPHAN_PREFIXES, first_key
from app.records.model.tables import calls, dials, legs, receipts
from app.records.store.store import Store
from app.records.store.version import tables_of_this_version
from app.voice.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """A call without an end. `started_at` is in milliseconds since 1970 UTC."""

    call_uuid: str
    started_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanReceipt:
    """A receipt that names no call. `received_at` is in milliseconds since 1970 UTC."""

    receipt_key: int
    kind: str
    received_at: int
    dial_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDial:
    """What tells which dial a leg belongs to."""

    dial_id: str
    started_at: int
    targets: tuple[str, ...]
    b_leg_uuid: str | None
    is_open: bool


@dataclass(slots=True, kw_only=True)
class KnownCall:
    """A call in the store: whether it and each of its legs has an end."""

    is_ended: bool
    dials: list[KnownDial] = field(default_factory=list)
    legs_ended: dict[str, bool] = field(default_factory=dict)

    def open_dials(self) -> set[str]:
        """Return the ids of the dials that have not ended."""
        return {dial.dial_id for dial in self.dials if dial.is_open}


def open_calls(store: Store, *, since: int, before: int) -> list[OpenCall]:
    """Return the calls without an end that were first heard of in this range of milliseconds, oldest first."""
    query = (
        select(calls.c.call_uuid, calls.c.started_at)
        .where(
            calls.c.call_key >= first_key(since),
            calls.c.call_key < first_key(before),
            calls.c.ended_by.is_(None),
        )
        .order_by(calls.c.call_key)
    )
    with tables_of_this_version(store) as connection:
        return [OpenCall(call_uuid=row.call_uuid, started_at=row.started_at) for row in connection.execute(query)]


def orphan_receipts(connection: Connection, *, since: int, limit: int) -> list[OrphanReceipt]:
    """Return receipts since a time in milliseconds that name no call, newest first."""
    names = ("receipt_key", "kind", "received_at", "dial_id")
    query = _orphans(select(*(receipts.c[name] for name in names)), since)
    rows = connection.execute(query.order_by(receipts.c.receipt_key.desc()).limit(limit)).mappings()
    return [OrphanReceipt(**row) for row in rows]


def count_orphans(connection: Connection, *, since: int) -> int:
    """Return the number of receipts since a time in milliseconds that name no call."""
    count: int = connection.execute(_orphans(select(func.count(receipts.c.receipt_key)), since)).scalar_one()
    return count


def _orphans(query: Select[Any], since: int) -> Select[Any]:
    is_orphan = or_(*(calls.c.call_uuid.startswith(prefix) for prefix in ORPHAN_PREFIXES))
    joined = calls.join(receipts, receipts.c.call_key == calls.c.call_key)
    return query.select_from(joined).where(calls.c.call_key >= first_key(since), is_orphan)


def known_calls(store: Store, call_uuids: Iterable[str]) -> dict[str, KnownCall]:
    """Return what is known of each of these calls; unknown calls are left out."""
    query = select(calls.c.call_key, calls.c.call_uuid, calls.c.ended_by).where(calls.c.call_uuid.in_(list(call_uuids)))
    with tables_of_this_version(store) as connection:
        found = {row.call_key: row for row in connection.execute(query)}
        known = {key: KnownCall(is_ended=row.ended_by is not None) for key, row in found.items()}
        _add_dials(connection, known)
        _add_legs(connection, known)
    return {row.call_uuid: known[key] for key, row in found.items()}


def _add_dials(connection: Connection, known: Mapping[int, KnownCall]) -> None:
    for row in connection.execute(select(dials).where(dials.c.call_key.in_(list(known)))):
        known[row.call_key].dials.append(
            KnownDial(
                dial_id=row.dial_id,
                started_at=row.started_at,
                targets=tuple(json.loads(row.targets)) if row.targets else (),
                b_leg_uuid=row.b_leg_uuid,
                is_open=row.outcome == Outcome.IN_PROGRESS,
            )
        )


def _add_legs(connection: Connection, known: Mapping[int, KnownCall]) -> None:
    for row in connection.execute(select(legs).where(legs.c.call_key.in_(list(known)))):
        known[row.call_key].legs_ended[row.b_leg_uuid] = row.ended_by is not None
