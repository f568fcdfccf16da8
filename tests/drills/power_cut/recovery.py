"""Open the files that a power cut left, as a server does at start, and say what is wrong with them."""

import logging
from collections.abc import Collection
from datetime import UTC
from pathlib import Path

from app import make_services
from app.context import Services
from app.records.maintenance.check import check
from app.server.lifecycle import prepare
from config import Config
from tests.support.server import TOKEN

_TURNS = 3  # A drain that ends early is tried again, as the server does.


class _Complaints(logging.Handler):
    """Collects what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Collect one line."""
        self.found.append(f"logged {record.getMessage()}: {getattr(record, 'reason', '')}")


def what_is_wrong(instance: Path, database: Path, acknowledged: Collection[str]) -> list[str]:
    """Start on the files of an instance, drain its spool, check all; return what is wrong or missing.

    `acknowledged` are the ids of the requests whose receipts must be there.
    """
    complaints = _Complaints()
    logging.getLogger().addHandler(complaints)
    try:
        config = Config.load(
            {
                "INSTANCE_DIR": str(instance),
                "DATABASE_URL": f"sqlite:///{database}",
                "PLIVO_AUTH_TOKEN": TOKEN,
                "DIAL_TO": "+14155550123",
            }
        )
        services = make_services(config)
        try:
            prepare(services.store)
            return [*complaints.found, *_wrong(services, acknowledged)]
        finally:
            services.journal.close()
            services.spool.close()
            services.store.close()
    except Exception as error:  # Whatever hinders a start is what is looked for.
        return [*complaints.found, f"raised {error!r}"]
    finally:
        logging.getLogger().removeHandler(complaints)


def _wrong(services: Services, acknowledged: Collection[str]) -> list[str]:
    wrong = []
    for _ in range(_TURNS):
        if services.drainer.work() is None:
            break
    else:
        wrong.append(f"{services.spool.size()} receipts stay on the spool")
    if aside := services.spool.set_aside_size():
        wrong.append(f"{aside} receipts were set aside")
    with services.store.engine.connect() as connection:
        stored = {row[0] for row in connection.exec_driver_sql("SELECT request_id FROM receipts")}
    if missing := set(acknowledged) - stored:
        wrong.append(f"{len(missing)} of {len(acknowledged)} acknowledged receipts are missing: {sorted(missing)[:3]}")
    report = check(services.store, zone=UTC, repair=False, step=lambda _: None, rules=services.rules)
    if report.damage or report.differing or report.followups:
        wrong.append(f"{report}")
    return wrong
