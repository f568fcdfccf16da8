"""Drain the spool in the background."""

import logging
import sqlite3

from app.records.model.periodic_job import PeriodicJob
from app.records.model.receipt import StoreUnavailable
from app.records.spool.spool import Spool
from app.records.writing.journal import Journal

log = logging.getLogger(__name__)

_PAUSE = 0.5  # Seconds between two attempts while the store is away.


class Drainer(PeriodicJob):
    """Drains the spool while receipts wait in it, then rests until it is woken. Stops after the current batch."""

    name = "spool-drainer"

    def __init__(self, spool: Spool, journal: Journal) -> None:
        super().__init__()
        self._spool = spool
        self._journal = journal

    def work(self) -> float | None:
        """Drain what waits; try again soon where the store or the disk refuses it."""
        try:
            if drained := self._spool.drain(self._journal):
                log.warning("spool_drained", extra={"receipts": drained})
            self._spool.reserve.fill()
            return _PAUSE if self._spool.size() else None
        except (StoreUnavailable, sqlite3.Error, OSError) as error:
            log.info("spool_waits", extra={"error": type(error).__name__})
            return _PAUSE
