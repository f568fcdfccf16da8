"""The write path: receipt in, state folded, committed.

One thread of each process writes. Requests hand it their receipts and wait, none longer than the store's timeout,
whatever the store does: what arrives while a transaction is under way is committed together in the next one. While the
store is known to be away every request is told so at once, and the thread looks for it until it is back.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from app.records.model.receipt import Receipt, ReceiptRefused, StoredReceipt, StoreUnavailable
from app.records.model.state import DialState
from app.records.store.store import Store, Writer
from app.records.writing.batch import Batch
from app.records.writing.entry import Entry

log = logging.getLogger(__name__)

_BATCH_LIMIT = 64  # Receipts, but for what is handed over together.
_ATTEMPTS = 3
_PAUSE = 0.2  # Seconds between two looks for a store that is away.


_Handover = tuple[Sequence[Entry], Callable[[], object]]  # Entries, and whom to tell once all of them are done.


class Journal:
    """Where receipts are kept. One for each process; safe for many threads. Its own thread starts when first needed."""

    def __init__(
        self,
        store: Store,
        *,
        announce: bool = False,
        on_ended: Callable[[Sequence[DialState]], None] | None = None,
    ) -> None:
        """Take a store. `announce` puts each dial that ends into the outbox; `on_ended` is called after the commit."""
        self._store = store
        self._announce = announce
        self._handed: SimpleQueue[_Handover | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._writer: Writer | None = None
        self._busy_since: float | None = None
        self.is_away = False
        self._ended: list[DialState] = []
        self._on_ended = on_ended

    @property
    def timeout(self) -> float:
        """Give for how long an entry may be waited for, in seconds."""
        return self._store.timeout

    def append(self, receipt: Receipt) -> StoredReceipt:
        """Keep one receipt: when this returns it is on disk, and the state of its call with it.

        Raises `StoreUnavailable` within the store's timeout, at once while the store is known to be away. A commit
        that was under way then may still succeed: brought again, the receipt is recognised and only counted.
        """
        return self.keep(Entry((receipt,))).result()[0]

    def append_all(self, receipts: Sequence[Receipt]) -> list[StoredReceipt]:
        """Keep several receipts in one transaction, in their order: all of them or none."""
        return self.keep(Entry(receipts)).result()

    def bring(self, receipts: Sequence[Receipt], *, spool_id: str, numbers: Sequence[int]) -> None:
        """Keep receipts that waited on a spool under ascending numbers; those brought before are left out."""
        self.keep(Entry(receipts, (spool_id, numbers))).result()

    def keep(self, entry: Entry) -> Entry:
        """Hand one entry over and wait until it is kept, refused or given up."""
        done = threading.Lock()
        done.acquire()
        self.hand_over((entry,), done.release)
        if not done.acquire(timeout=self.timeout):
            self.abandon((entry,))
        return entry

    def hand_over(self, entries: Sequence[Entry], notify: Callable[[], object]) -> None:
        """Take entries and return at once; `notify` is called, on any thread, when all of them are done.

        Whoever has waited for `timeout` gives them up by `abandon`.
        """
        if self.is_away:
            for entry in entries:
                entry.fail(StoreUnavailable("the store is away"))
            notify()
            return
        if self._thread is None or not self._thread.is_alive():
            self._start()
        self._handed.put((entries, notify))

    def abandon(self, entries: Sequence[Entry]) -> None:
        """Wait for these no longer: from now on they have failed, whatever still becomes of them."""
        for entry in entries:
            entry.is_abandoned = True
            entry.fail(StoreUnavailable(f"the store did not answer within {self.timeout} seconds"))
        self._give_up_if_stuck()

    def close(self) -> None:
        """Finish what was handed over and let go of the connection. Not for use by two threads."""
        self._stopping.set()
        self._handed.put(None)
        if self._thread is not None:
            self._thread.join(2 * self._store.timeout)
        self._thread = None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._stopping.clear()
                self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
                self._thread.start()

    def _give_up_if_stuck(self) -> None:
        """Declare the store away where the transaction under way has taken too long; end it if that is possible."""
        since, writer = self._busy_since, self._writer
        if since is not None and time.monotonic() - since > self._store.timeout / 2:
            self.is_away = True
            if writer is not None:
                writer.abort()
            self._handed.put(None)  # Wakes the thread, should it have finished just now.

    # --- What follows runs on the journal's own thread.

    def _run(self) -> None:
        while not self._stopping.is_set() or not self._handed.empty():
            handed = self._next_handed()
            entries = [entry for some, _ in handed for entry in some if not entry.is_abandoned]
            if entries:
                self._serve(entries)
            elif self._writer is not None:
                self._writer.leave()
            self._tell_of_ended()
            for _, notify in handed:
                notify()
            if self.is_away:
                self._find_again()
        self._discard()

    def _next_handed(self) -> list[_Handover]:
        first = self._handed.get()
        if first:
            self._await_turn()
        handed = [first] if first else []
        count = len(first[0]) if first else 0
        while count < _BATCH_LIMIT:
            try:
                more = self._handed.get_nowait()
            except Empty:
                break
            if more:
                handed.append(more)
                count += len(more[0])
        return handed

    def _await_turn(self) -> None:
        """Stand in line before the rest is taken up: what comes meanwhile needs no commit of its own."""
        if self._writer is None:
            return
        self._busy_since = time.monotonic()
        try:
            self._writer.acquire_turn()
        except OSError:
            self._discard()  # The write opens another one, or fails for those who wait.
        self._busy_since = None

    def _serve(self, entries: list[Entry]) -> None:
        """Commit entries together. One that the store refuses does not take the others with it."""
        self._busy_since = time.monotonic()
        try:
            for entry, kept in zip(entries, self._write(entries), strict=True):
                entry.kept = kept
        except Exception as error:
            if self._is_refusal(error) and len(entries) > 1:
                for entry in entries:
                    self._serve([entry])
                return
            self._fail(entries, error)
        self._busy_since = None

    def _tell_of_ended(self) -> None:
        ended, self._ended = self._ended, []
        if ended and self._on_ended is not None:
            try:
                self._on_ended(ended)
            except Exception:
                log.exception("on_ended_failed")  # Whoever listens must not stop the writing.

    def _fail(self, entries: list[Entry], error: Exception) -> None:
        is_refusal = self._is_refusal(error)
        for entry in entries:
            said = (ReceiptRefused if is_refusal else StoreUnavailable)(f"{type(error).__name__}: {error}")
            said.__cause__ = error
            entry.fail(said)
        milliseconds = round((time.monotonic() - (self._busy_since or 0)) * 1000)
        log.warning(
            "receipt_refused" if is_refusal else "batch_failed",
            extra={"receipts": len(entries), "error": type(error).__name__, "milliseconds": milliseconds},
        )
        if not is_refusal:
            self._discard()
            self.is_away = True

    def _write(self, entries: list[Entry]) -> list[list[StoredReceipt]]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._write_once(entries)
            except self._store.transient:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _write_once(self, entries: list[Entry]) -> list[list[StoredReceipt]]:
        writer = self._writer = self._writer or self._store.connect_writer(in_turn=True)
        receipts = [receipt for entry in entries for receipt in entry.receipts]
        writer.begin([_lock_name(receipt) for receipt in receipts])
        try:
            batch = Batch(writer.cursor, self._store.statements, announce=self._announce)
            batch.look_up(receipts)
            kept = [
                batch.bring(entry.receipts, *entry.place) if entry.place else batch.keep(entry.receipts)
                for entry in entries
            ]
            batch.finish()
            writer.commit()
        except Exception:
            try:
                writer.rollback()
            except self._store.errors:
                self._discard()
            raise
        self._ended += batch.ended
        return kept

    def _find_again(self) -> None:
        """Look for the store until it takes a transaction; whoever asks meanwhile is told that it is away."""
        since = time.monotonic()
        while not self._stopping.wait(_PAUSE):
            try:
                writer = self._writer = self._writer or self._store.connect_writer(in_turn=True)
                writer.begin([])
                writer.rollback()
            except self._store.errors:
                self._discard()
                self._fail_waiting()
            else:
                self.is_away = False
                log.warning("store_back", extra={"seconds": round(time.monotonic() - since, 1)})
                return

    def _fail_waiting(self) -> None:
        for entries, notify in self._next_handed() if not self._handed.empty() else []:
            for entry in entries:
                entry.fail(StoreUnavailable("the store is away"))
            notify()

    def _is_refusal(self, error: Exception) -> bool:
        """Tell whether an error is about the receipt itself, so that trying again would not help."""
        return isinstance(error, self._store.refusals) or not isinstance(error, self._store.errors)

    def _discard(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.discard()


def _lock_name(receipt: Receipt) -> str:
    return receipt.event.call.call_uuid or receipt.dial_id or ""
