"""The background job that deletes records older than RETENTION_DAYS, and what every such job shares."""

import logging
from pathlib import Path
from typing import BinaryIO

from app.records.maintenance.prune import prune
from app.records.model.ids import now
from app.records.model.periodic_job import PeriodicJob, Stopped
from app.records.model.receipt import StoreUnavailable
from app.records.store.files import lock_within, open_lock
from app.records.store.store import Store
from app.records.writing.followups import DEFAULT_RULES, Rules

log = logging.getLogger(__name__)

_DAY = 24 * 60 * 60 * 1000  # milliseconds
_PAUSE = 60 * 60  # seconds


class DeletionJob(PeriodicJob):
    """Deletes what is older than `days`, every hour; of several processes on one machine one does it.

    `directory` is the instance's. 0 days keep everything.
    """

    def __init__(self, *, days: int, directory: Path) -> None:
        super().__init__()
        self._days = days
        self._directory = directory
        self._lock_file: BinaryIO | None = None

    def delete(self, before: int) -> None:
        """Delete what is older than a time in milliseconds; may raise `Stopped`."""
        raise NotImplementedError

    def work(self) -> float | None:
        """Delete if no other process of this machine does; should that one end, a later run takes over."""
        if not self._days:
            return None
        if self._lock_file is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_file = open_lock(self._directory / "locks" / self.name)
        if lock_within(self._lock_file, 0):
            try:
                self.delete(now() - self._days * _DAY)
            except Stopped:
                return None
        return _PAUSE

    def stop(self, patience: float = 1.0) -> None:
        """Stop after the deletion under way and let another process take over."""
        super().stop(patience)
        if self._lock_file is not None:
            self._lock_file.close()


class Retention(DeletionJob):
    """Deletes old records."""

    name = "retention"

    def __init__(self, store: Store, *, days: int, directory: Path, rules: Rules = DEFAULT_RULES) -> None:
        super().__init__(days=days, directory=directory)
        self._store = store
        self._rules = rules

    def delete(self, before: int) -> None:
        """Delete the calls before a time, some in each transaction."""
        try:
            pruned = prune(self._store, before=before, step=self.check_stop, rules=self._rules)
        except StoreUnavailable as error:
            log.warning("prune_failed", extra={"error": str(error)})
        else:
            if pruned:
                log.info("calls_pruned", extra={"calls": pruned, "older_than_days": self._days})
