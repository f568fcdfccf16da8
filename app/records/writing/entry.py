"""Entries: receipts on their way through the journal."""

from collections.abc import Sequence

from app.records.model.receipt import Receipt, StoredReceipt, StoreUnavailable


class Entry:
    """Receipts that are stored together or not at all.

    `spool_position` names the spool they come from and their numbers on it.
    """

    __slots__ = ("_error", "is_abandoned", "receipts", "spool_position", "stored")

    def __init__(self, receipts: Sequence[Receipt], spool_position: tuple[str, Sequence[int]] | None = None) -> None:
        self.receipts = receipts
        self.spool_position = spool_position
        # None while the journal is at work. Spooled receipts that were stored before are left out.
        self.stored: list[StoredReceipt] | None = None
        self._error: StoreUnavailable | None = None
        self.is_abandoned = False

    def fail(self, error: StoreUnavailable) -> None:
        """Record why the receipts were not stored."""
        self._error = error

    @property
    def is_stored(self) -> bool:
        """Whether the receipts are on disk; not so while the journal is at work on the entry."""
        return self._error is None and self.stored is not None

    def result(self) -> list[StoredReceipt]:
        """Return the receipts as stored. Raises `StoreUnavailable` or `ReceiptRefused` when they were not."""
        if self._error is not None:
            raise self._error
        if self.stored is None:
            raise StoreUnavailable("the journal is still at work")  # A reply to this would acknowledge too much.
        return self.stored

    def lock_names(self) -> list[str]:
        """Return what the transaction locks: the calls, and the nonces, so that each is taken for one content only."""
        calls = [receipt.event.call.call_uuid or receipt.dial_id or "" for receipt in self.receipts]
        return calls + [f"nonce {receipt.nonce}" for receipt in self.receipts if receipt.nonce is not None]
