"""Batches: insert receipts, fold each into its call, and store what changed.

The caller begins and commits the transaction. Each call is read and written once per batch.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from app.records.model.ids import LATE_AFTER, first_key, make_key, now, orphan_uuid
from app.records.model.receipt import REUSED_NONCE, Receipt, StoredReceipt
from app.records.model.state import CallRecord, DialState
from app.records.store.statements import Cursor, RowMapper, Statements
from app.records.writing.announce import announce_calls, announce_dials
from app.records.writing.derive import derive
from app.records.writing.fold_receipt import decide_again, fold_receipt, log_full, new_record
from app.records.writing.followup_rows import events_of, touched_by, update_followups
from app.records.writing.followups import DEFAULT_RULES, Rules
from app.records.writing.outbox import event_row, time_of
from app.records.writing.receipt_rows import ReceiptRows
from app.records.writing.target_states import UNWATCHED, TargetStates, Watched
from app.voice.events import DialEnded, LegEvent, RecordingMade

log = logging.getLogger(__name__)

_FIELDS = [field.name for field in fields(DialState)]
_ENDED_AT, _OUTCOME, _ANSWERED_BY = map(_FIELDS.index, ("ended_at", "outcome", "answered_by"))


class Batch:
    """The work of one transaction. Not thread-safe."""

    def __init__(
        self,
        cursor: Cursor,
        statements: Statements,
        *,
        announce: bool = False,
        watched: Watched = UNWATCHED,
        rules: Rules = DEFAULT_RULES,
    ) -> None:
        self._cursor = cursor
        self._rules = rules
        self._announce = announce
        self._sql = statements
        self._receipts = ReceiptRows(cursor, statements)
        self._targets = TargetStates(cursor, statements, watched)
        self._records: dict[str, CallRecord] = {}
        self._stored: dict[int, tuple[Any, ...]] = {}  # The rows as read, by id() of the state.
        self._changed: dict[str, CallRecord] = {}
        self._owners: dict[str, CallRecord] = {}  # By dial id.
        self._call_keys: dict[str, int] = {}  # By dial id, where the receipt names another call.
        self._events: list[tuple[Any, ...]] = []  # Rows of the outbox.
        self.ended: list[DialState] = []  # The dials that ended in this batch.

    def look_up(self, receipts: Sequence[Receipt]) -> None:
        """Read the calls and nonces that the receipts name, with a few statements for any number of receipts."""
        self._receipts.look_up_nonces(receipts)
        self._read_calls({receipt.event.call.call_uuid for receipt in receipts} - {None})  # type: ignore[arg-type]
        dial_ids = {receipt.dial_id for receipt in receipts} - {None} - self._owners.keys()
        if dial_ids:
            self._cursor.execute(self._sql.calls_of_dials, (self._sql.many(dial_ids),))
            self._call_keys.update(self._cursor.fetchall())

    def add(self, receipts: Sequence[Receipt]) -> list[StoredReceipt]:
        """Add receipts in their order; return each as stored, complete once the batch is finished."""
        return [self._add(receipt) for receipt in receipts]

    def add_spooled(self, receipts: Sequence[Receipt], spool_id: str, numbers: Sequence[int]) -> list[StoredReceipt]:
        """Add receipts of a spool, except those stored before: up to the number in its row."""
        self._cursor.execute(self._sql.spool_place, (spool_id,))
        found = self._cursor.fetchone()
        brought = found[0] if found else 0
        stored = self.add([receipt for receipt, number in zip(receipts, numbers, strict=True) if number > brought])
        self._cursor.execute(self._sql.set_spool_place, (spool_id, max(brought, *numbers)))
        return stored

    def finish(self) -> None:
        """Write the receipts and every state that changed."""
        self._receipts.write()
        corrected: list[DialState] = []
        for record in self._changed.values():
            derive(record)
            self.ended += [dial for dial in record.dials.values() if self._ends(dial)]
            corrected += [dial for dial in record.dials.values() if self._is_corrected(dial)]
        self._mark_late()
        self._store(self._sql.calls, [record.call for record in self._changed.values()])
        self._store(self._sql.dials, [dial for record in self._changed.values() for dial in record.dials.values()])
        self._store(self._sql.legs, [leg for record in self._changed.values() for leg in record.legs.values()])
        self._store(
            self._sql.recordings,
            [item for record in self._changed.values() for item in record.recordings.values()],
        )
        for type_, state in self._targets.update(self._changed.values(), self._stored):
            about = {"target": state.target, "failures": len(state.failures), "down_since": time_of(state.down_since)}
            self.queue_event(type_, subject=state.target, body=about)
        states = ((record.call, self._stored.get(id(record.call))) for record in self._changed.values())
        if touched := touched_by(states, self._rules):
            changes = update_followups(self._cursor, self._sql, touched, self._rules)
            self._events += events_of(changes) if self._announce else ()
        if self._announce:
            self._events += announce_dials(self.ended + corrected)
            self._events += announce_calls(self._changed.values(), self._stored)
        if self._events:
            self._sql.queue(self._cursor, self._events)

    def queue_event(self, type_: str, **about: Any) -> None:
        """Queue an event in this transaction, where anybody gets events; see `event_row`."""
        if self._announce:
            self._events.append(event_row(type_, **about))

    def _add(self, receipt: Receipt) -> StoredReceipt:
        digest = receipt.digest()
        if self._receipts.is_forged(receipt, digest):
            log.warning("nonce_reused", extra={"kind": receipt.kind.value, "request_id": receipt.request_id})
            return REUSED_NONCE
        record = self._record_of(receipt, digest)
        dial_id = self._dial_id(record, receipt)
        if dial_id is None and receipt.placement is not None:
            dial_id = receipt.placement.dial_id  # The dial that an answer started is not part of its identity.
        call_key = record.call.call_key
        seen = self._receipts.count(receipt, call_key, digest, is_call_stored=id(record.call) in self._stored)
        if seen is None:
            receipt_key = make_key(receipt.received_at)
            if receipt.decide_again is not None and dial_id is not None:
                receipt = decide_again(record, receipt, dial_id, receipt_key)
            if receipt.otherwise is not None and not self._targets.claim(receipt.placement):
                receipt = receipt.with_reply(receipt.otherwise())
            seen = self._receipts.add(receipt, receipt_key, call_key, digest, dial_id)
            self._fold(record, receipt, dial_id, receipt_key)
        dial = record.dials.get(seen.dial_id) if seen.dial_id else None
        return StoredReceipt(seen.deliveries, seen.reply_status, seen.reply, record.call.call_uuid, dial)

    def _fold(self, record: CallRecord, receipt: Receipt, dial_id: str | None, receipt_key: int) -> None:
        if isinstance(receipt.event, RecordingMade):
            self._read_recordings(record)
        placement, at = receipt.placement, receipt.received_at
        if not fold_receipt(record, receipt.event, placement, dial_id=dial_id, key=receipt_key, at=at):
            log_full(record.call.call_uuid)
        self._changed[record.call.call_uuid] = record
        self._owners.update(dict.fromkeys(record.dials, record))

    def _record_of(self, receipt: Receipt, digest: bytes) -> CallRecord:
        call_uuid, dial_id = receipt.event.call.call_uuid, receipt.dial_id
        # A dial stays with its first call, whatever call a later request names.
        if dial_id is not None and (owner := self._owner(dial_id)) is not None:
            return owner
        if call_uuid is None:
            call_uuid = orphan_uuid(dial_id, digest)
            self._read_calls([call_uuid])
        record = self._records.get(call_uuid)
        if record is None:
            record = self._records[call_uuid] = new_record(call_uuid, receipt.event.at)
        return record

    def _owner(self, dial_id: str) -> CallRecord | None:
        owner = self._owners.get(dial_id)
        if owner is None and (call_key := self._call_keys.get(dial_id)) is not None:
            self._cursor.execute(self._sql.call_by_key, (call_key,))
            self._learn(self._cursor.fetchall())
            owner = self._owners[dial_id]
        return owner

    def _read_calls(self, call_uuids: Iterable[str]) -> None:
        missing = self._sql.many(set(call_uuids) - self._records.keys())
        self._cursor.execute(self._sql.calls_by_uuid, (missing,))
        self._learn(self._cursor.fetchall())

    def _learn(self, rows: Sequence[Sequence[Any]]) -> None:
        """Make records of rows of calls; read their dials and legs."""
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
        """Return the dial that a receipt is about, also when its URL does not name one."""
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

    def _is_corrected(self, dial: DialState) -> bool:
        """Return whether a later receipt changed the outcome of a dial that had ended before."""
        before = self._stored.get(id(dial))
        if before is None or before[_ENDED_AT] is None or dial.ended_at is None:
            return False
        return (before[_OUTCOME], before[_ANSWERED_BY]) != (dial.outcome, dial.answered_by)

    def _store(self, rows: RowMapper[Any], states: Iterable[Any]) -> None:
        pairs = ((self._stored.get(id(state)), rows.values(state)) for state in states)
        self._sql.store(self._cursor, rows, pairs)

    def _mark_late(self) -> None:
        """Note the changed calls whose hour may have been counted already."""
        moment = now()
        horizon = first_key(moment - LATE_AFTER)
        old = [record for record in self._changed.values() if record.call.call_key < horizon]
        if late := [(make_key(moment), record.call.call_key) for record in old if self._differs(record)]:
            self._cursor.executemany(self._sql.late_change, late)

    def _differs(self, record: CallRecord) -> bool:
        """Return whether the call or one of its dials differs from its row."""
        call, dials = self._sql.calls.values, self._sql.dials.values
        return call(record.call) != self._stored.get(id(record.call)) or any(
            dials(dial) != self._stored.get(id(dial)) for dial in record.dials.values()
        )
