"""Write a batch of receipts in one transaction: insert each, fold it into its call, store what changed.

The caller begins and commits. Each call is read once and written once however many receipts of it the batch holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from app.records.model.ids import LATE_AFTER, first_key, make_key, now
from app.records.model.receipt import Receipt, StoredReceipt
from app.records.model.state import CallRecord, CallState, DialState, Placement
from app.records.store.statements import Cursor, RowMapper, Statements
from app.records.writing.derive import derive
from app.records.writing.fold import fold, place
from app.records.writing.receipt_rows import ReceiptRows
from app.voice.events import DialEnded, Event, LegEvent, RecordingMade
from app.voice.xml import EMPTY

# Milliseconds until a dial that ended is told of: by then the last reports on its legs have come.
SETTLING = 2000
_ENDED_AT = [field.name for field in fields(DialState)].index("ended_at")


class Batch:
    """One transaction's work. Not for use by two threads."""

    def __init__(self, cursor: Cursor, statements: Statements, *, announce: bool = False) -> None:
        self._cursor = cursor
        self._announce = announce
        self._sql = statements
        self._receipts = ReceiptRows(cursor, statements)
        self._records: dict[str, CallRecord] = {}
        self._stored: dict[int, tuple[Any, ...]] = {}  # The values of each row as read, by the state's id().
        self._changed: dict[str, CallRecord] = {}
        self._owners: dict[str, CallRecord] = {}  # By the ids of their dials.
        self._call_keys: dict[str, int] = {}  # Of dials that belong to another call than their receipt claims.
        self.ended: list[DialState] = []  # The dials that ended with these receipts.

    def look_up(self, receipts: Sequence[Receipt]) -> None:
        """Read all that is known about what these receipts name, in a few statements however many they are."""
        self._read_calls({receipt.event.call.call_uuid for receipt in receipts} - {None})  # type: ignore[arg-type]
        dial_ids = {receipt.dial_id for receipt in receipts} - {None} - self._owners.keys()
        if dial_ids:
            self._cursor.execute(self._sql.calls_of_dials, (self._sql.many(dial_ids),))
            self._call_keys.update(self._cursor.fetchall())

    def keep(self, receipts: Sequence[Receipt]) -> list[StoredReceipt]:
        """Take receipts in their order and tell what becomes of each, as soon as the batch is finished."""
        return [self._keep(receipt) for receipt in receipts]

    def bring(self, receipts: Sequence[Receipt], spool_id: str, numbers: Sequence[int]) -> list[StoredReceipt]:
        """Do the same for receipts from a spool, but for those up to the number it was brought to before."""
        self._cursor.execute(self._sql.spool_place, (spool_id,))
        found = self._cursor.fetchone()
        brought = found[0] if found else 0
        kept = self.keep([receipt for receipt, number in zip(receipts, numbers, strict=True) if number > brought])
        self._cursor.execute(self._sql.set_spool_place, (spool_id, max(brought, *numbers)))
        return kept

    def finish(self) -> None:
        """Store the receipts and every state that changed."""
        self._receipts.write()
        for record in self._changed.values():
            derive(record)
            self.ended += [dial for dial in record.dials.values() if self._ends(dial)]
        self._store(self._sql.calls, [record.call for record in self._changed.values()])
        self._store(self._sql.dials, [dial for record in self._changed.values() for dial in record.dials.values()])
        self._mark_late_changes()
        self._store(self._sql.legs, [leg for record in self._changed.values() for leg in record.legs.values()])
        self._store(
            self._sql.recordings,
            [item for record in self._changed.values() for item in record.recordings.values()],
        )
        if self._announce and self.ended:
            due_at = now() + SETTLING
            self._cursor.executemany(self._sql.announce, [(dial.dial_key, due_at, 0) for dial in self.ended])

    def _keep(self, receipt: Receipt) -> StoredReceipt:
        digest = receipt.digest()
        record = self._record_of(receipt, digest)
        dial_id = self._dial_id(record, receipt)
        if dial_id is None and receipt.placement is not None:
            dial_id = receipt.placement.dial_id  # Which dial an answer started; no part of its identity.
        call_key = record.call.call_key
        seen = self._receipts.count(receipt, call_key, digest, is_call_stored=id(record.call) in self._stored)
        if seen is None:
            receipt_key = make_key(receipt.received_at)
            if receipt.decide_again is not None and dial_id is not None:
                receipt = _decided(record, receipt, dial_id, receipt_key)
            seen = self._receipts.add(receipt, receipt_key, call_key, digest, dial_id)
            self._fold(record, receipt, dial_id, receipt_key)
        dial = record.dials.get(seen.dial_id) if seen.dial_id else None
        return StoredReceipt(seen.deliveries, seen.reply_status, seen.reply, record.call.call_uuid, dial)

    def _fold(self, record: CallRecord, receipt: Receipt, dial_id: str | None, receipt_key: int) -> None:
        if isinstance(receipt.event, RecordingMade):
            self._read_recordings(record)
        add(record, receipt.event, receipt.placement, dial_id=dial_id, key=receipt_key, at=receipt.received_at)
        self._changed[record.call.call_uuid] = record
        self._owners.update(dict.fromkeys(record.dials, record))

    def _record_of(self, receipt: Receipt, digest: bytes) -> CallRecord:
        call_uuid, dial_id = receipt.event.call.call_uuid, receipt.dial_id
        # A dial belongs to one call for good, whatever call a later request claims for it.
        if dial_id is not None and (owner := self._owner(dial_id)) is not None:
            return owner
        if call_uuid is None:
            call_uuid = f"dial-{dial_id}" if dial_id is not None else f"unnamed-{digest.hex()}"
            self._read_calls([call_uuid])
        record = self._records.get(call_uuid)
        if record is None:
            record = self._records[call_uuid] = _new(call_uuid, receipt.event.at)
        return record

    def _owner(self, dial_id: str) -> CallRecord | None:
        owner = self._owners.get(dial_id)
        if owner is None and (call_key := self._call_keys.get(dial_id)) is not None:
            self._cursor.execute(self._sql.call_by_key, (call_key,))
            self._learn(self._cursor.fetchall())
            owner = self._owners[dial_id]
        return owner

    def _read_calls(self, call_uuids: Iterable[str]) -> None:
        wanted = self._sql.many(set(call_uuids) - self._records.keys())
        self._cursor.execute(self._sql.calls_by_uuid, (wanted,))
        self._learn(self._cursor.fetchall())

    def _learn(self, rows: Sequence[Sequence[Any]]) -> None:
        """Make records of the rows of calls, with their dials and legs."""
        found: dict[int, CallRecord] = {}
        for row in rows:
            record = CallRecord(self._remember(self._sql.calls, row))
            found[record.call.call_key] = self._records[record.call.call_uuid] = record
        if not found:
            return
        call_keys = self._sql.many(found)
        self._cursor.execute(self._sql.dials_of_calls, (call_keys,))
        for row in self._cursor.fetchall():
            dial = self._remember(self._sql.dials, row)
            if dial.dial_ring_status is not None:
                dial.dial_ring_status = bool(dial.dial_ring_status)  # SQLite has no booleans.
            owner = self._owners[dial.dial_id] = found[dial.call_key]
            owner.dials[dial.dial_id] = dial
        self._cursor.execute(self._sql.legs_of_calls, (call_keys,))
        for row in self._cursor.fetchall():
            leg = self._remember(self._sql.legs, row)
            found[leg.call_key].legs[leg.b_leg_uuid] = leg

    def _read_recordings(self, record: CallRecord) -> None:
        self._cursor.execute(self._sql.recordings_of_call, (record.call.call_key,))
        for row in self._cursor.fetchall():
            recording = self._sql.recordings.read(row)
            if recording.recording_id not in record.recordings:
                record.recordings[recording.recording_id] = self._remember(self._sql.recordings, row)

    def _remember(self, rows: RowMapper[Any], row: Sequence[Any]) -> Any:
        state = rows.read(row)
        self._stored[id(state)] = tuple(row)
        return state

    def _dial_id(self, record: CallRecord, receipt: Receipt) -> str | None:
        """Find which dial a receipt is about where its URL does not say so."""
        event = receipt.event
        if receipt.dial_id is not None or not isinstance(event, DialEnded | LegEvent):
            return receipt.dial_id
        leg = record.legs.get(event.b_leg_uuid or "")
        if leg is not None:
            return leg.dial_id
        unnamed = f"aleg-{record.call.call_uuid}"
        if unnamed in record.dials:
            return unnamed
        newest = max(
            record.dials.values(),
            key=lambda dial: (dial.reported_at is None, dial.started_at, dial.dial_id),
            default=None,
        )
        return newest.dial_id if newest else unnamed

    def _ends(self, dial: DialState) -> bool:
        before = self._stored.get(id(dial))
        return dial.ended_at is not None and (before is None or before[_ENDED_AT] is None)

    def _store(self, rows: RowMapper[Any], states: list[Any]) -> None:
        new, changed = [], []
        for state in states:
            stored, values = self._stored.get(id(state)), rows.values(state)
            if stored is None:
                new.append(values)
            elif values != stored:
                changed.append(rows.update_values(state))
        # Never an upsert: should two nodes have made the same key, one row must not silently become the other's.
        if new:
            self._sql.insert(self._cursor, rows.insert, new)
        if changed:
            self._cursor.executemany(rows.update, changed)

    def _mark_late_changes(self) -> None:
        """Note each dial that changes after its hour, which may have been counted already."""
        moment = now()
        horizon = first_key(moment - LATE_AFTER)
        late = [
            (make_key(moment), dial.dial_key)
            for record in self._changed.values()
            for dial in record.dials.values()
            if dial.dial_key < horizon
        ]
        if late:
            self._cursor.executemany(self._sql.late_change, late)


def _decided(record: CallRecord, receipt: Receipt, dial_id: str, receipt_key: int) -> Receipt:
    """Return the receipt with the reply that fits its record: a leg may have said more than the report does."""
    has_ended = record.call.ended_by is not None
    if receipt.decide_again is None or not (record.legs or has_ended):
        return receipt
    add(record, receipt.event, None, dial_id=dial_id, key=receipt_key, at=receipt.received_at)
    derive(record)
    decided = receipt.decide_again(record.dials[dial_id].outcome, call_has_ended=has_ended)
    if decided is None:
        return receipt
    reply, placement = decided
    return receipt._replace(reply=None if reply == EMPTY else reply, placement=placement)


def add(
    record: CallRecord, event: Event, placement: Placement | None, *, dial_id: str | None, key: int, at: int
) -> None:
    """Add a receipt to a record: the dial its reply started, the dial it speaks of, and what it says.

    `dial_id` is the dial it was found to be about, `key` its own key, `at` when it was received.
    """
    if dial_id and isinstance(event, DialEnded | LegEvent):
        _dial(record, dial_id, event.at)
    if placement and event.call.call_uuid:
        place(_dial(record, placement.dial_id, at), placement, at=at)
    fold(record, event, dial_id=dial_id, receipt_key=key)


def _dial(record: CallRecord, dial_id: str, at: int) -> DialState:
    dial = record.dials.get(dial_id)
    if dial is None:
        dial = record.dials[dial_id] = DialState(make_key(at), dial_id, record.call.call_key, started_at=at)
    return dial


def _new(call_uuid: str, at: int) -> CallRecord:
    return CallRecord(CallState(make_key(at), call_uuid, started_at=at))
