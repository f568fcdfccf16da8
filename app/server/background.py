"""What a serving process does besides answering: begun when it serves, finished before it ends."""

from typing import cast

from flask import Flask

from app.context import EXTENSION, Services
from app.notify.event_delivery import start_outgoing, stop_outgoing
from app.records.maintenance.retention import Retention
from app.records.rollups.job import RollupJob

_RETENTION, _TALLIER = "dialstatus-retention", "dialstatus-hourly-tallier"


def start_background(app: Flask) -> None:
    """Bring in what lies on the spool, tell of dials that ended, count hours that are over, let go of what is too
    old.
    """
    shared = _shared(app)
    config = shared.config
    shared.drainer.wake()
    start_outgoing(app)
    retention = Retention(shared.store, days=config.retention_days, zone=config.timezone, directory=config.instance_dir)
    app.extensions[_RETENTION] = retention
    retention.start()
    tallier = app.extensions[_TALLIER] = RollupJob(shared.store, config.timezone)
    tallier.start()


def stop_background(app: Flask) -> None:
    """Finish the work at hand and let go of files and connections."""
    shared = _shared(app)
    stop_outgoing(app)
    for name in (_RETENTION, _TALLIER):
        begun: Retention | RollupJob | None = app.extensions.get(name)
        if begun is not None:
            begun.stop()
    shared.drainer.stop()
    shared.journal.close()
    shared.spool.close()


def _shared(app: Flask) -> Services:
    return cast(Services, app.extensions[EXTENSION])
