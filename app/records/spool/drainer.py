"""Drain the spool in the background."""

import logging
import sqlite3
import threading

from app.records.model.receipt import StoreUnavailable
from app.records.spool.spool import Spool
from app.records.writing.journal import Journal

log = logging.getLogger(__name__)

_PAUSE = 0.5  # Seconds between two attempts while the store is away.


class Drainer:
    """Drains the spool in a background thread while receipts wait in it."""

    def __init__(self, spool: Spool, journal: Journal) -> None:
        self._spool = spool
        self._journal = journal
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def wake(self) -> None:
        """Start draining unless it is under way."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="spool-drainer", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop after the current batch; waiting receipts stay on disk."""
        self._stopping.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if drained := self._spool.drain(self._journal):
                    log.warning("spool_drained", extra={"receipts": drained})
                self._spool.reserve.fill()
                with self._lock:  # A receipt put just now is either seen here or starts a new thread.
                    if not self._spool.size():
                        self._thread = None
                        return
            except (StoreUnavailable, sqlite3.Error, OSError) as error:
                log.info("spool_waits", extra={"error": type(error).__name__})
            self._stopping.wait(_PAUSE)
