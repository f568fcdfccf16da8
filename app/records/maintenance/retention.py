"""Old records leave by themselves, an hour after the other, wherever RETENTION_DAYS says so."""

import fcntl
import logging
import threading
from datetime import tzinfo
from pathlib import Path

from app.records.maintenance.prune import prune
from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.store.store import Store

log = logging.getLogger(__name__)

_DAY = 24 * 60 * 60 * 1000  # milliseconds
_PAUSE = 60 * 60  # seconds


class Retention:
    """Deletes what is older than `days`, in the background; of several processes on one machine one does it.

    `zone` is the one whose days are counted before, `directory` the instance's. 0 days keep everything.
    """

    def __init__(self, store: Store, *, days: int, zone: tzinfo, directory: Path) -> None:
        self._store = store
        self._zone = zone
        self._days = days
        self._directory = directory
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; call it in the process that serves."""
        if self._days:
            self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the transaction at hand."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._directory / "retention.lock").open("w") as file:
            while not self._stopping.is_set():
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._prune()
                except BlockingIOError:
                    pass  # Another process is at it; should that one end, its turn comes here.
                self._stopping.wait(_PAUSE)

    def _prune(self) -> None:
        try:
            pruned = prune(self._store, before=now() - self._days * _DAY, zone=self._zone, step=self._check_stop)
        except _Stopped:
            return
        except StoreUnavailable as error:
            log.warning("prune_failed", extra={"error": str(error)})
        else:
            if pruned:
                log.info("calls_pruned", extra={"calls": pruned, "older_than_days": self._days})

    def _check_stop(self, _count: int) -> None:
        if self._stopping.is_set():
            raise _Stopped


class _Stopped(Exception):
    """End a walk through old records."""
