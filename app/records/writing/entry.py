"""What is handed to the journal, and what became of it."""

from collections.abc import Sequence

from app.records.model.receipt import Receipt, StoredReceipt, StoreUnavailable


class Entry:
    """Receipts that are kept together or not at all, and what became of them."""

    __slots__ = ("_error", "is_abandoned", "kept", "place", "receipts")

    def __init__(self, receipts: Sequence[Receipt], place: tuple[str, Sequence[int]] | None = None) -> None:
        self.receipts = receipts
        self.place = place  # The spool they come from, and their numbers on it.
        self.kept: list[StoredReceipt] = []
        self._error: StoreUnavailable | None = None
        self.is_abandoned = False

    def fail(self, error: StoreUnavailable) -> None:
        """Note why the receipts were not kept."""
        self._error = error

    @property
    def is_kept(self) -> bool:
        """Tell, once the journal is done with it, whether all went well."""
        return self._error is None

    def result(self) -> list[StoredReceipt]:
        """Give what became of the receipts. Raises `StoreUnavailable`, `ReceiptRefused` where they were not kept."""
        if self._error is not None:
            raise self._error
        return self.kept
