"""The background job that keeps rollups up to date."""

import logging
from datetime import tzinfo

from app.records.model.periodic_job import PeriodicJob
from app.records.model.receipt import StoreUnavailable
from app.records.rollups.counting import update_rollups
from app.records.store.store import Store

log = logging.getLogger(__name__)

_HOUR = 3600.0  # seconds


class RollupJob(PeriodicJob):
    """Updates rollups every hour; stops after the current transaction."""

    name = "rollups"

    def __init__(self, store: Store, zone: tzinfo) -> None:
        super().__init__()
        self._store = store
        self._zone = zone

    def work(self) -> float:
        """Bring every rollup up to date."""
        try:
            update_rollups(self._store, self._zone, stop=self.stopping)
        except StoreUnavailable as error:
            log.info("rollups_wait", extra={"error": str(error)})
        return _HOUR
