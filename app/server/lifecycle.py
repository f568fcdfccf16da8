"""How a process begins and ends to serve: settings read, tables checked, background jobs started and stopped."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from flask import Flask

from app.account.recordings import RecordingDeletion
from app.context import EXTENSION, Refused, Services
from app.dial.snapshot import LiveStateJob
from app.notify.sending import sending
from app.ops.feeds import Feeds, FeedsJob
from app.plan.load import PlanError
from app.records.maintenance.derive_calls import CallDerivation
from app.records.maintenance.retention import Retention
from app.records.model.receipt import StoreUnavailable
from app.records.rollups.update import RollupJob
from app.records.store.prepare_tables import prepare_tables
from app.records.store.readiness import prove_write
from app.records.store.store import Store
from config import ConfigError

log = logging.getLogger(__name__)

_JOBS = "dialstatus-jobs"


class Serving:
    """The services of the running server: read by gunicorn's master, and found here by the workers it forks.

    A reload reads the settings again. Were each worker to read them, one refused setting would end the whole server.
    """

    def __init__(self) -> None:
        self.services: Services | None = None

    def renew(self, make: Callable[[], Services]) -> Services:
        """Make the services. Raise `Refused` at start; a server that runs keeps what it has, and logs the reason."""
        try:
            self.services = make()
        except (ConfigError, PlanError) as error:
            if self.services is None:
                of = "plan" if isinstance(error, PlanError) else "settings"
                raise Refused(of, error.problems, str(error)) from None
            log.error("settings_refused", extra={"reason": str(error)})  # noqa: TRY400  # The reason says all.
        return self.services


serving = Serving()


def prepare(store: Store) -> None:
    """Bring the tables of SQLite up to date and prove that the store takes a write; log where either fails.

    Callers are served whatever the store does, and the spool takes their reports. The tables of PostgreSQL, which many
    machines may share, are changed by `flask db upgrade` alone.
    """
    try:
        if store.is_sqlite:
            prepare_tables(store)
        prove_write(store)
    except StoreUnavailable as error:
        log.error("store_not_ready", extra={"reason": str(error)})  # noqa: TRY400  # The reason says all.


def start(app: Flask) -> None:
    """Start the background jobs of the process that serves."""
    shared = cast(Services, app.extensions[EXTENSION])
    config = shared.config
    feeds = Feeds.of(shared.plan, config)
    live_state = LiveStateJob(shared)
    feeds.publish(shared.live, datetime.now(UTC))  # The first call already knows who is on call,
    live_state.work()  # and which routes are closed by hand.
    jobs = app.extensions[_JOBS] = (
        shared.drainer,
        live_state,
        sending(app),
        Retention(shared.store, days=config.retention_days, directory=config.instance_dir, rules=shared.rules),
        RollupJob(shared.store),
        CallDerivation(shared.store),
        FeedsJob(feeds, shared.live),
        RecordingDeletion(shared),
    )
    for job in jobs:
        job.wake()


def stop(app: Flask) -> None:
    """Finish the work under way and close files and connections. Stopping again is a no-op."""
    shared = cast(Services, app.extensions[EXTENSION])
    for job in app.extensions.pop(_JOBS, ()):
        job.stop()
    shared.journal.close()
    shared.spool.close()
    shared.meter.stop()
