"""The write path: receipt in, state folded, committed.

One thread of each process writes. Requests hand it their receipts and wait, none longer than the store's timeout,
whatever the store does: what arrives while a transaction is under way is committed together in the next one. While the
store is known to be away every request is told so at once, and the thread looks for it until it is back.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

import psycopg

from app.records.receipt import Kept, Receipt, ReceiptRefused, StoreUnavailable
from app.records.state import DialState
from app.records.store import Store, Writer
from app.records.writer import Batch

log = logging.getLogger(__name__)

_BATCH_LIMIT = 64
_ATTEMPTS = 3
_PAUSE = 0.2  # Seconds between two looks for a store that is away.
# Worth a second try at once: a key that was taken (one in four million per shared millisecond), a lock cycle.
_PASSING = (sqlite3.IntegrityError, psycopg.IntegrityError, psycopg.errors.DeadlockDetected)
# Of all the errors of a database, these are about what it was given.
_REFUSALS = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
)
_DATABASE_ERRORS = (sqlite3.Error, psycopg.Error, OSError, StoreUnavailable)


class _Job:
    """What one request waits for: receipts kept, or an error."""

    __slots__ = ("done", "error", "is_abandoned", "kept", "place", "receipts")

    def __init__(self, receipts: Sequence[Receipt], place: tuple[str, Sequence[int]] | None = None) -> None:
        self.receipts = receipts
        self.place = place  # The spool they come from, and their numbers on it.
        self.kept: list[Kept] = []
        self.error: Exception | None = None
        self.is_abandoned = False
        self.done = threading.Lock()
        self.done.acquire()


class Journal:
    """Where receipts are kept. One for each process; safe for many threads. Its own thread starts when first needed."""

    def __init__(self, store: Store, *, announce: bool = False) -> None:
        """Take a store; `announce` puts each dial that ends into the outbox."""
        self._store = store
        self._announce = announce
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._writer: Writer | None = None
        self._busy_since: float | None = None
        self.is_away = False
        self._ended: list[DialState] = []
        self.on_ended: Callable[[Sequence[DialState]], None] | None = None  # Told of dials once their end is on disk.

    def append(self, receipt: Receipt) -> Kept:
        """Keep one receipt: when this returns it is on disk, and the state of its call with it.

        Raises `StoreUnavailable` within the store's timeout, at once while the store is known to be away. A commit
        that was under way then may still succeed: brought again, the receipt is recognised and only counted.
        """
        return self._do(_Job((receipt,)))[0]

    def append_all(self, receipts: Sequence[Receipt]) -> list[Kept]:
        """Keep several receipts in one transaction, in their order: all of them or none."""
        return self._do(_Job(receipts))

    def bring(self, receipts: Sequence[Receipt], *, spool_id: str, numbers: Sequence[int]) -> None:
        """Keep receipts that waited on a spool under ascending numbers; those brought before are left out."""
        self._do(_Job(receipts, (spool_id, numbers)))

    def close(self) -> None:
        """Finish what was handed over and let go of the connection. Not for use by two threads."""
        self._stopping.set()
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(2 * self._store.timeout)
        self._thread = None

    def _do(self, job: _Job) -> list[Kept]:
        if self.is_away:
            raise StoreUnavailable("the store is away")
        if self._thread is None or not self._thread.is_alive():
            self._start()
        self._jobs.put(job)
        if not job.done.acquire(timeout=self._store.timeout):
            job.is_abandoned = True
            self._give_up_if_stuck()
            raise StoreUnavailable(f"the store did not answer within {self._store.timeout} seconds")
        if job.error is None:
            return job.kept
        refusal = ReceiptRefused if _is_refusal(job.error) else StoreUnavailable
        raise refusal(f"{type(job.error).__name__}: {job.error}") from job.error

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
            self._jobs.put(None)  # Wakes the thread, should it have finished just now.

    # --- What follows runs on the journal's own thread.

    def _run(self) -> None:
        while not self._stopping.is_set() or not self._jobs.empty():
            jobs = self._next_jobs()
            if jobs:
                self._serve(jobs)
            if self.is_away:
                self._find_again()
        self._discard()

    def _next_jobs(self) -> list[_Job]:
        job = self._jobs.get()
        jobs = [job] if job and not job.is_abandoned else []
        while len(jobs) < _BATCH_LIMIT:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job and not job.is_abandoned:
                jobs.append(job)
        return jobs

    def _serve(self, jobs: list[_Job]) -> None:
        """Commit jobs together. One that the store refuses does not take the others with it."""
        self._busy_since = time.monotonic()
        try:
            for job, kept in zip(jobs, self._write(jobs), strict=True):
                job.kept = kept
        except Exception as error:
            if _is_refusal(error) and len(jobs) > 1:
                for job in jobs:
                    self._serve([job])
                return
            self._fail(jobs, error)
        self._busy_since = None
        for job in jobs:
            job.done.release()
        ended, self._ended = self._ended, []
        if ended and self.on_ended is not None:
            try:
                self.on_ended(ended)
            except Exception:
                log.exception("on_ended_failed")  # Whoever listens must not stop the writing.

    def _fail(self, jobs: list[_Job], error: Exception) -> None:
        for job in jobs:
            job.error = error
        is_refusal = _is_refusal(error)
        milliseconds = round((time.monotonic() - (self._busy_since or 0)) * 1000)
        log.warning(
            "receipt_refused" if is_refusal else "batch_failed",
            extra={"receipts": len(jobs), "error": type(error).__name__, "milliseconds": milliseconds},
        )
        if not is_refusal:
            self._discard()
            self.is_away = True

    def _write(self, jobs: list[_Job]) -> list[list[Kept]]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._write_once(jobs)
            except _PASSING:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _write_once(self, jobs: list[_Job]) -> list[list[Kept]]:
        writer = self._writer = self._writer or self._store.connect_writer(in_turn=True)
        receipts = [receipt for job in jobs for receipt in job.receipts]
        writer.begin([_lock_name(receipt) for receipt in receipts])
        try:
            batch = Batch(writer.cursor, self._store.statements, announce=self._announce)
            batch.look_up(receipts)
            kept = [batch.bring(job.receipts, *job.place) if job.place else batch.keep(job.receipts) for job in jobs]
            batch.finish()
            writer.commit()
        except Exception:
            try:
                writer.rollback()
            except (sqlite3.Error, psycopg.Error):
                self._discard()
            raise
        self._ended = batch.ended
        return kept

    def _find_again(self) -> None:
        """Look for the store until it takes a transaction; whoever asks meanwhile is told that it is away."""
        since = time.monotonic()
        while not self._stopping.wait(_PAUSE):
            try:
                writer = self._writer = self._writer or self._store.connect_writer(in_turn=True)
                writer.begin([])
                writer.rollback()
            except _DATABASE_ERRORS:
                self._discard()
                self._fail_waiting()
            else:
                self.is_away = False
                log.warning("store_back", extra={"seconds": round(time.monotonic() - since, 1)})
                return

    def _fail_waiting(self) -> None:
        jobs = self._next_jobs() if not self._jobs.empty() else []
        for job in jobs:
            job.error = StoreUnavailable("the store is away")
            job.done.release()

    def _discard(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.discard()


def _is_refusal(error: Exception) -> bool:
    """Tell whether an error is about the receipt itself, so that trying again would not help."""
    return isinstance(error, _REFUSALS) or not isinstance(error, _DATABASE_ERRORS)


def _lock_name(receipt: Receipt) -> str:
    return receipt.event.call.call_uuid or receipt.dial_id or ""
