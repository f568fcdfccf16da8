"""The receipts of one transaction: each is inserted once, with all others, and a copy of one only raises its count."""

from dataclasses import dataclass

from app.records.model.receipt import Receipt, params_to_json, placement_to_json
from app.records.store.statements import Cursor, Statements


@dataclass(slots=True)
class Seen:
    """A receipt that is in the store or will be: how often it has come, and what was answered the first time."""

    deliveries: int
    reply_status: int
    reply: str | None
    dial_id: str | None
    last_received_at: int
    key: int | None = None  # Of its row, where that is in the store.


class ReceiptRows:
    """What the receipts table gets in one transaction."""

    def __init__(self, cursor: Cursor, statements: Statements) -> None:
        self._cursor = cursor
        self._sql = statements
        self._seen: dict[tuple[int, bytes], Seen] = {}
        self._new: list[tuple[int, int, bytes, Receipt, Seen]] = []

    def count(self, receipt: Receipt, call_key: int, digest: bytes, *, is_call_stored: bool) -> Seen | None:
        """Count a copy of a receipt that came before; None where this is the first of its kind.

        A call that is new in this transaction has no receipts in the store.
        """
        seen = self._seen.get((call_key, digest))
        if seen is None and is_call_stored:
            seen = self._read(call_key, digest)
        if seen is not None:
            seen.deliveries += 1
            seen.last_received_at = receipt.received_at
        return seen

    def add(self, receipt: Receipt, key: int, call_key: int, digest: bytes, dial_id: str | None) -> Seen:
        """Take in a receipt that is new."""
        seen = Seen(1, receipt.reply_status, receipt.reply, dial_id, receipt.received_at)
        self._seen[call_key, digest] = seen
        self._new.append((key, call_key, digest, receipt, seen))
        return seen

    def write(self) -> None:
        """Store what came, in one statement for the new ones and one for the copies."""
        if self._new:
            self._sql.insert(self._cursor, self._sql.receipt, [_row(*one) for one in self._new])
        copies = [
            (seen.deliveries, seen.last_received_at, seen.key) for seen in self._seen.values() if seen.key is not None
        ]
        if copies:
            self._cursor.executemany(self._sql.count_receipt, copies)

    def _read(self, call_key: int, digest: bytes) -> Seen | None:
        self._cursor.execute(self._sql.known_receipt, (call_key, digest))
        row = self._cursor.fetchone()
        if row is None:
            return None
        seen = self._seen[call_key, digest] = Seen(*row)
        return seen


def _row(key: int, call_key: int, digest: bytes, receipt: Receipt, seen: Seen) -> tuple[object, ...]:
    return (
        key,
        call_key,
        digest,
        receipt.kind._value_,
        seen.dial_id,
        receipt.method,
        receipt.path,
        receipt.query,
        params_to_json(receipt.params),
        receipt.signature,
        receipt.sender,
        receipt.request_id,
        receipt.received_at,
        seen.deliveries,
        seen.last_received_at,
        receipt.reply_status,
        receipt.reply,
        receipt.reply_micros,
        placement_to_json(receipt.placement) if receipt.placement else None,
    )
