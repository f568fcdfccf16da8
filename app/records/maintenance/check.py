"""Check that the store is undamaged and that every record equals the fold of its receipts."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from app.records.maintenance.check_followups import check_followups
from app.records.model import tables
from app.records.model.ids import make_key, now, orphan_uuid
from app.records.model.receipt import StoreUnavailable, first_params, placement_from_json
from app.records.model.state import CallRecord, CallState, Placement
from app.records.reading.incomplete import count_orphans
from app.records.store.statements import Cursor, RowMapper, Statements
from app.records.store.store import Store, Writer
from app.records.store.version import tables_of_this_version
from app.records.writing.derive import derive
from app.records.writing.fold_receipt import fold_receipt
from app.records.writing.followups import DEFAULT_RULES, Rules
from app.voice.cdr import parse_any
from app.voice.events import Event, Kind
from app.voice.xml import plays_before_dialling

OnProgress = Callable[[int], None]  # Called after each step with the calls checked since the last one.

_CHUNK = 200
_COLUMNS = ("receipt_key", "kind", "dial_id", "params", "received_at", "placement", "digest", "reply")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """`damage` in the words of the database, the calls that differ from their receipts, and how many were repaired.

    `followups` counts the callers whose follow-ups differed from their calls; a repair repairs all of them.
    """

    damage: tuple[str, ...]
    differing: tuple[str, ...]
    repaired: int
    followups: int = 0


def count_calls(store: Store) -> int:
    """Return how many calls a check reads. Raises `StoreUnavailable`."""
    with tables_of_this_version(store) as connection:
        count: int = connection.exec_driver_sql("SELECT count(*) FROM calls").scalar_one()
    return count


def orphans(store: Store) -> int:
    """Return how many receipts name no call. Raises `StoreUnavailable`."""
    with tables_of_this_version(store) as connection:
        return count_orphans(connection, since=0)


def check(store: Store, *, zone: tzinfo, repair: bool, step: OnProgress, rules: Rules = DEFAULT_RULES) -> CheckReport:
    """Check the whole store while it is in use; with `repair`, rewrite differing records from their receipts.

    `zone` is the time zone of the Plivo account. Raises `StoreUnavailable` when the store cannot be read.
    """
    try:
        writer = store.connect_writer()
        try:
            found = _check(store, writer, zone=zone, repair=repair, step=step)
            if found.damage:
                return found
            return replace(found, followups=check_followups(store, writer, rules, repair=repair))
        finally:
            writer.close()
    except store.errors as error:
        reason = error.__cause__ if isinstance(error, StoreUnavailable) else error
        if type(reason) is sqlite3.DatabaseError:  # The class for a malformed file and for one that is no database.
            return CheckReport(damage=(str(reason),), differing=(), repaired=0)
        if isinstance(error, StoreUnavailable):
            raise
        raise StoreUnavailable(f"the store cannot be read: {error}") from error


def _check(store: Store, writer: Writer, *, zone: tzinfo, repair: bool, step: OnProgress) -> CheckReport:
    damage = tuple(_damage(writer.cursor)) if store.is_sqlite else ()
    differing: list[str] = []
    repaired = 0
    if damage:
        return CheckReport(damage=damage, differing=(), repaired=0)
    with tables_of_this_version(store):
        pass
    for call_keys in _chunks(writer.cursor, store.statements):
        for call_key in call_keys:
            call_uuid = _differs(store, writer, call_key, zone)
            if call_uuid is not None:
                differing.append(call_uuid)
                repaired += repair and _repair(store, writer, call_key, call_uuid, zone)
        step(len(call_keys))
    return CheckReport(damage=damage, differing=tuple(differing), repaired=repaired)


def _damage(cursor: Cursor) -> Iterator[str]:
    cursor.execute("PRAGMA integrity_check")
    yield from (text for (text,) in cursor.fetchall() if text != "ok")
    cursor.execute("PRAGMA foreign_key_check")
    yield from (f"a row of {row[0]} refers to a {row[2]} row that is missing" for row in cursor.fetchall())


def _chunks(cursor: Cursor, sql: Statements) -> Iterator[list[int]]:
    """Yield the keys of all calls with receipts or a row, in order."""
    last = -1
    while True:
        cursor.execute(
            f"SELECT call_key FROM receipts WHERE call_key > {sql.mark} "  # noqa: S608 - The driver's own mark.
            f"UNION SELECT call_key FROM calls WHERE call_key > {sql.mark} ORDER BY call_key LIMIT {_CHUNK}",
            (last, last),
        )
        keys = [key for (key,) in cursor.fetchall()]
        if not keys:
            return
        yield keys
        last = keys[-1]


def _differs(store: Store, writer: Writer, call_key: int, zone: tzinfo) -> str | None:
    """Compare one record with its receipts in one snapshot; return its call UUID when they differ."""
    writer.cursor.execute("BEGIN" if store.is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ")
    try:
        stored = _stored(writer.cursor, store.statements, call_key)
        fresh = _fresh(writer.cursor, store.statements, call_key, stored, zone)
    finally:
        writer.rollback()
    if stored is not None and fresh is not None and _values(stored) == _values(fresh):
        return None
    known = stored or fresh
    return known.call.call_uuid if known else None


def _repair(store: Store, writer: Writer, call_key: int, call_uuid: str, zone: tzinfo) -> bool:
    """Rewrite one record. A record without receipts is left for a person to look at."""
    writer.begin([call_uuid])
    try:
        stored = _stored(writer.cursor, store.statements, call_key)
        fresh = _fresh(writer.cursor, store.statements, call_key, stored, zone)
        if fresh is None:
            writer.rollback()
            return False
        delete_states(writer.cursor, store.statements, call_key)
        _insert(writer.cursor, store.statements, fresh)
        # Its hour may have been counted with the wrong values.
        writer.cursor.execute(store.statements.late_change, (make_key(now()), call_key))
        writer.commit()
    except Exception:
        writer.rollback()
        raise
    return True


def delete_states(cursor: Cursor, sql: Statements, call_key: int) -> None:
    """Delete the records of a call, but not its receipts."""
    for table in (tables.recordings, tables.legs, tables.dials, tables.calls):
        cursor.execute(f"DELETE FROM {table.name} WHERE call_key = {sql.mark}", (call_key,))  # noqa: S608


def _insert(cursor: Cursor, sql: Statements, record: CallRecord) -> None:
    rows: list[tuple[RowMapper[Any], Sequence[Any]]] = [
        (sql.calls, [record.call]),
        (sql.dials, list(record.dials.values())),
        (sql.legs, list(record.legs.values())),
        (sql.recordings, list(record.recordings.values())),
    ]
    for kind, states in rows:
        if states:
            cursor.executemany(kind.insert, [kind.values(state) for state in states])


def _stored(cursor: Cursor, sql: Statements, call_key: int) -> CallRecord | None:
    calls = _read(cursor, sql.calls, call_key)
    if not calls:
        return None
    return CallRecord(
        calls[0],
        {dial.dial_id: dial for dial in _read(cursor, sql.dials, call_key)},
        {leg.b_leg_uuid: leg for leg in _read(cursor, sql.legs, call_key)},
        {recording.recording_id: recording for recording in _read(cursor, sql.recordings, call_key)},
    )


def _read(cursor: Cursor, rows: RowMapper[Any], call_key: int) -> list[Any]:
    cursor.execute(rows.select_by("call_key"), (call_key,))
    return [rows.read(row) for row in cursor.fetchall()]


def _fresh(
    cursor: Cursor, sql: Statements, call_key: int, stored: CallRecord | None, zone: tzinfo
) -> CallRecord | None:
    """Return the fold of a call's receipts, with the stored keys; None without receipts."""
    cursor.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM receipts "  # noqa: S608 - Our own words.
        f"WHERE call_key = {sql.mark} ORDER BY received_at, receipt_key",
        (call_key,),
    )
    found = [dict(zip(_COLUMNS, row, strict=True)) for row in cursor.fetchall()]
    if not found:
        return None
    events = [_event(receipt, zone) for receipt in found]
    call_uuid = stored.call.call_uuid if stored else _name(events, found)
    record = CallRecord(CallState(call_key, call_uuid, started_at=events[0].at))
    for receipt, event in zip(found, events, strict=True):
        placement = _placement(receipt)
        key, at = receipt["receipt_key"], receipt["received_at"]
        fold_receipt(record, event, placement, dial_id=receipt["dial_id"], key=key, at=at, room=stored)
    derive(record)
    for dial_id, dial in record.dials.items():
        if stored and dial_id in stored.dials:
            dial.dial_key = stored.dials[dial_id].dial_key
    return record


def _placement(receipt: dict[str, Any]) -> Placement | None:
    """Return a receipt's placement. Old ones do not say whether a prompt comes first, but their reply shows it."""
    placement = placement_from_json(receipt["placement"])
    return placement and placement._replace(starts_with_prompt=plays_before_dialling(receipt["reply"] or ""))


def _event(receipt: dict[str, Any], zone: tzinfo) -> Event:
    return parse_any(Kind(receipt["kind"]), first_params(receipt["params"]), at=receipt["received_at"], zone=zone)


def _name(events: list[Event], found: list[dict[str, Any]]) -> str:
    named = (event.call.call_uuid for event in events if event.call.call_uuid)
    dial_ids = (str(receipt["dial_id"]) for receipt in found if receipt["dial_id"])
    if (name := next(named, None)) is not None:
        return name
    dial_id = next(dial_ids, None)
    if dial_id is not None and dial_id.startswith("aleg-"):
        return dial_id.removeprefix("aleg-")
    return orphan_uuid(dial_id, bytes(found[0]["digest"]))


def _values(record: CallRecord) -> tuple[object, ...]:
    # Of two equal reports of one millisecond, either may be the one recorded.
    dials = {dial_id: replace(dial, report_key=dial.report_key and 1) for dial_id, dial in record.dials.items()}
    return record.call, dials, record.legs, record.recordings
