"""The background job that keeps rollups up to date; reports wake it."""

import logging
import threading
from datetime import tzinfo

from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.rollups.counting import update_rollups
from app.records.store.store import Store

log = logging.getLogger(__name__)

_REST = 5 * 60 * 1000  # milliseconds
_HOUR = 3600.0  # seconds


class RollupJob:
    """Updates rollups in a background thread, hourly and when woken. One per process."""

    def __init__(self, store: Store, zone: tzinfo) -> None:
        self._store = store
        self._zone = zone
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._next = 0
        self._stopping = threading.Event()

    def wake(self) -> None:
        """Start an update unless one is running or was started within the last five minutes."""
        with self._lock:
            if now() < self._next or (self._thread is not None and self._thread.is_alive()):
                return
            self._next = now() + _REST
            self._thread = threading.Thread(target=self._run, name="rollups", daemon=True)
            self._thread.start()

    def start(self) -> None:
        """Update now and every hour."""
        self._thread = threading.Thread(target=self._run_hourly, name="rollups", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current transaction."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run_hourly(self) -> None:
        while not self._stopping.is_set():
            self._run()
            self._stopping.wait(_HOUR)

    def _run(self) -> None:
        try:
            update_rollups(self._store, self._zone, stop=self._stopping)
        except StoreUnavailable as error:
            log.info("rollups_wait", extra={"error": str(error)})
