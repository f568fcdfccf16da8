"""The background job that deletes records older than RETENTION_DAYS."""

import logging
from pathlib import Path
from typing import BinaryIO

from app.records.maintenance.prune import prune
from app.records.model.ids import now
from app.records.model.periodic_job import PeriodicJob
from app.records.model.receipt import StoreUnavailable
from app.records.store.files import lock_within, open_lock
from app.records.store.store import Store
from app.records.writing.followups import DEFAULT_RULES, Rules

log = logging.getLogger(__name__)

_DAY = 24 * 60 * 60 * 1000  # milliseconds
_PAUSE = 60 * 60  # seconds


class Retention(PeriodicJob):
    """Deletes what is older than `days`, every hour; of several processes on one machine one does it.

    `directory` is the instance's. 0 days keep everything.
    """

    name = "retention"

    def __init__(self, store: Store, *, days: int, directory: Path, rules: Rules = DEFAULT_RULES) -> None:
        super().__init__()
        self._store = store
        self._days = days
        self._rules = rules
        self._directory = directory
        self._lock_file: BinaryIO | None = None

    def work(self) -> float | None:
        """Prune if no other process of this machine does; should that one end, a later run takes over."""
        if not self._days:
            return None
        if self._lock_file is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_file = open_lock(self._directory / "locks" / "retention")
        if lock_within(self._lock_file, 0):
            self._prune()
        return _PAUSE

    def stop(self, patience: float = 1.0) -> None:
        """Stop after the current transaction and let another process take over."""
        super().stop(patience)
        if self._lock_file is not None:
            self._lock_file.close()

    def _prune(self) -> None:
        try:
            before = now() - self._days * _DAY
            pruned = prune(self._store, before=before, step=self._check_stop, rules=self._rules)
        except _Stopped:
            return
        except StoreUnavailable as error:
            log.warning("prune_failed", extra={"error": str(error)})
        else:
            if pruned:
                log.info("calls_pruned", extra={"calls": pruned, "older_than_days": self._days})

    def _check_stop(self, _count: int) -> None:
        if self.stopping.is_set():
            raise _Stopped


class _Stopped(Exception):
    """Ends a walk through old records."""
