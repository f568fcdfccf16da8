"""The journal: one thread of each process writes all receipts.

Requests hand over receipts and wait, at most for the store's timeout. Receipts that arrive while a transaction is under
way are committed together in the next one. While the store is away every entry fails at once, and the thread tries
until the store is back.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from app.records.model.receipt import Receipt, ReceiptRefused, StoredReceipt, StoreReplaced, StoreUnavailable
from app.records.model.state import DialState
from app.records.store.store import Store
from app.records.writing.batch_writer import BatchWriter
from app.records.writing.entry import Entry
from app.records.writing.followups import DEFAULT_RULES, Rules
from app.records.writing.target_states import UNWATCHED, Watched

log = logging.getLogger(__name__)

_BATCH_LIMIT = 64  # Receipts; what is handed over together is never split.
_PAUSE, _LONGEST_PAUSE = 0.2, 5.0  # Seconds between two attempts to reach a store that is away.

_Handover = tuple[Sequence[Entry], Callable[[], object]]  # Entries, and the function to call when all are done.


class Journal:
    """Stores receipts. One per process, thread-safe. Its thread starts with the first entry."""

    def __init__(
        self,
        store: Store,
        *,
        announce: bool = False,
        watched: Watched = UNWATCHED,
        on_ended: Callable[[Sequence[DialState]], None] | None = None,
        rules: Rules = DEFAULT_RULES,
    ) -> None:
        """`announce` puts each dial that ends into the outbox; `on_ended` is called with them after the commit.

        `rules` say which calls need a follow-up.
        """
        self._store = store
        self._writer = BatchWriter(store, announce=announce, watched=watched, rules=rules)
        self._handed: SimpleQueue[_Handover | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self.is_away = False
        self._pause = _PAUSE
        self._away_since = 0.0
        self._is_return_logged = True
        self._ended: list[DialState] = []
        self._on_ended = on_ended

    @property
    def announces(self) -> bool:
        """Whether what happens is put into the outbox."""
        return self._writer.announces

    @property
    def timeout(self) -> float:
        """How long to wait for an entry, in seconds."""
        return self._store.timeout

    def append(self, receipt: Receipt) -> StoredReceipt:
        """Store one receipt; when this returns, the receipt and the state of its call are on disk.

        Raises `StoreUnavailable` within the store's timeout, at once while the store is away. A commit under way may
        still succeed then: a repeated receipt is recognised and only counted.
        """
        return self.keep(Entry((receipt,))).result()[0]

    def append_all(self, receipts: Sequence[Receipt]) -> list[StoredReceipt]:
        """Store receipts in one transaction, in their order, all or nothing."""
        return self.keep(Entry(receipts)).result()

    def append_spooled(self, receipts: Sequence[Receipt], *, spool_id: str, numbers: Sequence[int]) -> None:
        """Store receipts from a spool, with ascending numbers; those stored before are left out."""
        self.keep(Entry(receipts, (spool_id, numbers))).result()

    def keep(self, entry: Entry) -> Entry:
        """Hand one entry over and wait until it is stored, refused or abandoned."""
        done = threading.Lock()
        done.acquire()
        self.hand_over((entry,), done.release)
        if not done.acquire(timeout=self.timeout):
            self.abandon((entry,))
        return entry

    def hand_over(self, entries: Sequence[Entry], notify: Callable[[], object]) -> None:
        """Take entries and return at once; `notify` is called, on any thread, when all of them are done.

        The caller abandons entries after `timeout`.
        """
        if self.is_away:
            _fail_away(entries, notify)
            return
        if self._thread is None or not self._thread.is_alive():
            self._start()
        self._handed.put((entries, notify))

    def abandon(self, entries: Sequence[Entry]) -> None:
        """Stop waiting for entries: they have failed, whatever happens to them later."""
        for entry in entries:
            entry.is_abandoned = True
            entry.fail(StoreUnavailable(f"the store did not answer within {self.timeout} seconds"))
        if self._writer.abort_if_stuck():
            self.is_away = True
            self._handed.put(None)  # Wakes the thread, should it have finished just now.

    def close(self) -> None:
        """Finish what was handed over and close the connection. Not thread-safe."""
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

    # --- The methods below run on the journal's thread.

    def _run(self) -> None:
        while not self._stopping.is_set() or not self._handed.empty():
            handed = self._next_handed()
            entries = [entry for some, _ in handed for entry in some if not entry.is_abandoned]
            if entries:
                self._write(entries)
            else:
                self._writer.release_turn()
            self._report_ended()
            for _, notify in handed:
                notify()
            if self.is_away:
                self._wait_for_store()
        self._writer.close()

    def _next_handed(self) -> list[_Handover]:
        first = self._handed.get()
        if first:
            self._writer.acquire_turn()  # Before the rest is taken: what arrives meanwhile joins this batch.
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

    def _write(self, entries: list[Entry]) -> None:
        """Commit entries together; when the store refuses one, commit each alone."""
        started = time.monotonic()
        try:
            self._ended += self._writer.write(entries)
        except Exception as error:
            is_refusal = self._is_refusal(error)
            if is_refusal and len(entries) > 1:
                for entry in entries:
                    self._write([entry])
                return
            self._fail(entries, error, is_refusal=is_refusal, seconds=time.monotonic() - started)
        else:
            self._pause = _PAUSE
            if not self._is_return_logged:
                self._log_return()

    def _is_refusal(self, error: Exception) -> bool:
        """Return whether an error is about the receipt, so that a retry would not help."""
        return isinstance(error, self._store.refusals) or not isinstance(error, self._store.errors)

    def _fail(self, entries: list[Entry], error: Exception, *, is_refusal: bool, seconds: float) -> None:
        for entry in entries:
            reason = (ReceiptRefused if is_refusal else StoreUnavailable)(f"{type(error).__name__}: {error}")
            reason.__cause__ = error
            entry.fail(reason)
        if isinstance(error, StoreReplaced):
            log.error("store_replaced", extra={"reason": str(error)})
        log.warning(
            "receipt_refused" if is_refusal else "batch_failed",
            extra={
                "receipts": len(entries),
                "error": type(error).__name__,
                "milliseconds": round(seconds * 1000),
            },
        )
        if not is_refusal:
            self._writer.close()
            self.is_away = True

    def _report_ended(self) -> None:
        ended, self._ended = self._ended, []
        if ended and self._on_ended is not None:
            try:
                self._on_ended(ended)
            except Exception:
                log.exception("on_ended_failed")  # A listener must not stop the writing.

    def _wait_for_store(self) -> None:
        """Try until the store takes a write, then take entries again.

        A store that takes this write may fail the next batch: on a full disk, for instance. The pause doubles with each
        such round, and the return is logged only with the batch that succeeds.
        """
        is_first = self._pause == _PAUSE
        if self._is_return_logged:
            self._away_since, self._is_return_logged = time.monotonic(), False
        while not self._stopping.wait(self._pause):
            try:
                self._writer.prove_write()
            except self._store.errors:
                self._writer.close()
                self._fail_waiting()
            else:
                self.is_away = False
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
                if is_first:
                    self._log_return()
                return

    def _log_return(self) -> None:
        log.warning("store_back", extra={"seconds": round(time.monotonic() - self._away_since, 1)})
        self._is_return_logged = True

    def _fail_waiting(self) -> None:
        for entries, notify in self._next_handed() if not self._handed.empty() else []:
            _fail_away(entries, notify)


def _fail_away(entries: Sequence[Entry], notify: Callable[[], object]) -> None:
    for entry in entries:
        entry.fail(StoreUnavailable("the store is away"))
    notify()
