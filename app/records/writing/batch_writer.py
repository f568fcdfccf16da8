"""Write batches of entries through one connection, and find the store again after a failure."""

import time
from collections.abc import Sequence

from app.records.model.ids import now
from app.records.model.receipt import StoredReceipt
from app.records.model.state import DialState
from app.records.store.store import Store, Writer
from app.records.writing.batch import Batch
from app.records.writing.entry import Entry
from app.records.writing.followups import DEFAULT_RULES, Rules
from app.records.writing.target_states import UNWATCHED, Watched

_ATTEMPTS = 3


class BatchWriter:
    """Commits entries. Only the journal's thread uses it, except for `abort_if_stuck`."""

    def __init__(
        self, store: Store, *, announce: bool, watched: Watched = UNWATCHED, rules: Rules = DEFAULT_RULES
    ) -> None:
        self._store = store
        self.announces = announce
        self._watched = watched
        self._rules = rules
        self._writer: Writer | None = None
        self._busy_since: float | None = None

    def acquire_turn(self) -> None:
        """Wait until no other process is writing."""
        if self._writer is None:
            return
        self._busy_since = time.monotonic()
        try:
            self._writer.acquire_turn()
        except OSError:
            self.close()  # The write opens another connection, or fails for its entries.
        self._busy_since = None

    def release_turn(self) -> None:
        """Let other processes write, after a turn without a transaction."""
        if self._writer is not None:
            self._writer.release_turn()

    def write(self, entries: Sequence[Entry]) -> list[DialState]:
        """Commit entries in one transaction and return the dials that ended. Raises any of the store's errors."""
        self._busy_since = time.monotonic()
        try:
            for _ in range(_ATTEMPTS - 1):
                try:
                    return self._write_once(entries)
                except self._store.transient:
                    continue
            return self._write_once(entries)
        finally:
            self._busy_since = None

    def prove_write(self) -> None:
        """Find every column that a batch writes, and commit a row. Raises any of the store's errors."""
        writer = self._open()
        writer.begin([])
        for query in self._store.statements.find_columns:
            writer.cursor.execute(query)
        writer.cursor.execute(self._store.statements.prove_write, (now(),))
        writer.commit()

    def abort_if_stuck(self) -> bool:
        """Return whether a transaction has taken too long, and abort it where that is possible."""
        since, writer = self._busy_since, self._writer
        is_stuck = since is not None and time.monotonic() - since > self._store.timeout / 2
        if is_stuck and writer is not None:
            writer.abort()
        return is_stuck

    def close(self) -> None:
        """Close the connection; the next batch opens another one."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _open(self) -> Writer:
        if self._writer is None:
            self._writer = self._store.connect_writer(in_turn=True)
        return self._writer

    def _write_once(self, entries: Sequence[Entry]) -> list[DialState]:
        writer = self._open()
        writer.begin([name for entry in entries for name in entry.lock_names()])
        try:
            batch = Batch(
                writer.cursor,
                self._store.statements,
                announce=self.announces,
                watched=self._watched,
                rules=self._rules,
            )
            batch.look_up([receipt for entry in entries for receipt in entry.receipts])
            stored = [_add(batch, entry) for entry in entries]
            batch.finish()
            writer.commit()
        except Exception:
            try:
                writer.rollback()
            except self._store.errors:
                self.close()
            raise
        for entry, receipts in zip(entries, stored, strict=True):
            entry.stored = receipts
        return batch.ended


def _add(batch: Batch, entry: Entry) -> list[StoredReceipt]:
    if entry.spool_position is None:
        return batch.add(entry.receipts)
    return batch.add_spooled(entry.receipts, *entry.spool_position)
