"""The receipts of one transaction: new ones are inserted together, a copy only raises the number of deliveries."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.records.model.receipt import Receipt, params_to_json, placement_to_json
from app.records.store.statements import Cursor, Statements


@dataclass(slots=True)
class Seen:
    """A receipt in the store or in this batch: how often it was delivered, and the first reply."""

    deliveries: int
    reply_status: int
    reply: str | None
    dial_id: str | None
    last_received_at: int
    key: int | None = None  # The row key; None for a receipt that is not in the store yet.


class ReceiptRows:
    """The receipts that one transaction writes."""

    def __init__(self, cursor: Cursor, statements: Statements) -> None:
        self._cursor = cursor
        self._sql = statements
        self._seen: dict[tuple[int, bytes], Seen] = {}
        self._nonce_keys: dict[str | None, int | None] = {None: None}  # By nonce.
        self._digests: dict[int, bytes] = {}  # By the key of a nonce.
        self._new: list[tuple[int, int, bytes, Receipt, Seen]] = []

    def look_up_nonces(self, receipts: Sequence[Receipt]) -> None:
        """Read what came before with the nonces of these receipts, in one statement."""
        keys = {receipt.nonce: receipt.nonce_key for receipt in receipts if receipt.nonce is not None}
        self._nonce_keys.update(keys)
        if keys:
            self._cursor.execute(self._sql.receipts_of_nonces, (self._sql.many(keys.values()),))
            self._digests.update((nonce, bytes(digest)) for nonce, digest in self._cursor.fetchall())

    def is_forged(self, receipt: Receipt, digest: bytes) -> bool:
        """Return whether the receipt's nonce came before with other content. Plivo signs each request with its own."""
        key = self._nonce_keys[receipt.nonce]
        return key is not None and self._digests.setdefault(key, digest) != digest

    def count(self, receipt: Receipt, call_key: int, digest: bytes, *, is_call_stored: bool) -> Seen | None:
        """Count another delivery of a receipt and return it; None for a new receipt.

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
        """Add a new receipt."""
        seen = Seen(1, receipt.reply_status, receipt.reply, dial_id, receipt.received_at)
        self._seen[call_key, digest] = seen
        self._new.append((key, call_key, digest, receipt, seen))
        return seen

    def write(self) -> None:
        """Write new receipts with one statement and copies with another."""
        if self._new:
            self._sql.insert(self._cursor, self._sql.receipt, [self._row(*one) for one in self._new])
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

    def _row(self, key: int, call_key: int, digest: bytes, receipt: Receipt, seen: Seen) -> tuple[object, ...]:
        return (
            key,
            call_key,
            digest,
            receipt.kind.value,
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
            self._nonce_keys[receipt.nonce],
        )
