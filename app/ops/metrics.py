"""Metrics: what is counted, where, and how a collector gets it."""

import logging
import platform
import re
import sqlite3
from collections.abc import Callable

from flask import Blueprint, Flask, Request, Response, current_app, request

from app.context import EXTENSION, Meter, Services
from app.ops.cached_probe import Bounded
from app.ops.counts import Key
from app.ops.exposition import CONTENT_TYPE, Metric, exposition
from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.reading.gauges import Gauges, read_gauges
from app.records.store.readiness import prove_write
from app.records.store.store import Store
from config import VERSION

bp = Blueprint("metrics", __name__)

_EXTENSION = "dialstatus-metrics"
_STANDING_TIMEOUT = 5.0  # Seconds; a collector waits ten.
_EVENT = re.compile(r"[a-z_]{1,60}")

METRICS = (
    Metric(
        name="receipts_total",
        kind="counter",
        help="Requests on Plivo's routes, by kind, verdict on the signature and status replied.",
        labels=("kind", "signature", "status"),
    ),
    Metric(
        name="reply_seconds",
        kind="histogram",
        help="Time from a request's arrival to its reply, commit included.",
        labels=("kind",),
    ),
    Metric(name="dials_ended_total", kind="counter", help="Dials that ended, by outcome.", labels=("outcome",)),
    Metric(
        name="troubles_total",
        kind="counter",
        help="Log lines of level warning and above, by event.",
        labels=("event", "level"),
    ),
    Metric(
        name="wrong_tokens_total",
        kind="counter",
        help="Wrong reports tokens, by way: link, form or bearer.",
        labels=("way",),
    ),
    Metric(name="store_up", kind="gauge", help="1 when the store took a write just now, else 0."),
    Metric(name="open_dials", kind="gauge", help="Dials begun within a day that have not ended."),
    Metric(
        name="newest_report_age_seconds",
        kind="gauge",
        help="Age of the newest report on a dial, among the thousand newest dials.",
    ),
    Metric(name="orphan_receipts", kind="gauge", help="Receipts of the last day that name no call."),
    Metric(name="spool_receipts", kind="gauge", help="Receipts on local disk that wait for the store."),
    Metric(name="outgoing_waiting", kind="gauge", help="Ended dials that EVENTS_URL has yet to be told of."),
    Metric(name="build_info", kind="gauge", help="Always 1.", labels=("version", "python")),
)
# What alerts ask for is there from the start: an increase from nothing is none to Prometheus.
_FROM_THE_START: tuple[Key, ...] = (
    ("troubles_total", "batch_failed", "warning"),
    ("troubles_total", "control_failed", "error"),
    ("troubles_total", "event_given_up", "error"),
    ("troubles_total", "notice_not_kept", "warning"),
    ("troubles_total", "receipt_lost", "error"),
    ("troubles_total", "receipt_spooled", "error"),
    ("troubles_total", "signature_refused", "warning"),
)


class Metrics:
    """What one application counts, and what it asks the store when a collector comes."""

    def __init__(self, shared: Services, has_token: Callable[[Request], bool]) -> None:
        self.has_token = has_token
        self._meter = shared.meter
        self._spool = shared.spool
        self._standing = Bounded(lambda: _look_into(shared.store), timeout=_STANDING_TIMEOUT, name="standing")

    def values(self) -> dict[Key, float]:
        """Give every value there is now. A store or spool that cannot be asked leaves its values out."""
        values: dict[Key, float] = dict.fromkeys(_FROM_THE_START, 0)
        values.update(self._meter.total())
        values["build_info", VERSION, platform.python_version()] = 1
        try:
            found, is_writable = self._standing.ask()
            values.update(_of_standing(found))
            values["store_up",] = is_writable
        except StoreUnavailable:
            values["store_up",] = 0
        try:
            values["spool_receipts",] = self._spool.size()
        except (sqlite3.Error, OSError):
            logging.getLogger(__name__).warning("spool_not_read")
        return values


def use_metrics(app: Flask, has_token: Callable[[Request], bool]) -> None:
    """Serve the metrics to requests that have the token; count every warning and error that is logged."""
    shared: Services = app.extensions[EXTENSION]
    app.extensions[_EXTENSION] = Metrics(shared, has_token)
    logger = logging.getLogger("app")
    for handler in [one for one in logger.handlers if isinstance(one, _TroubleCounter)]:
        logger.removeHandler(handler)
    logger.addHandler(_TroubleCounter(shared.meter))


@bp.get("/metrics")
def metrics() -> Response:
    """Return every metric in Prometheus' text format, to a request with the reports token."""
    found: Metrics = current_app.extensions[_EXTENSION]
    headers = {"Cache-Control": "no-store"}
    if not found.has_token(request):
        text = "Send the header Authorization: Bearer with the value of REPORTS_TOKEN.\n"
        return Response(text, 401, {**headers, "WWW-Authenticate": "Bearer"}, mimetype="text/plain")
    return Response(exposition(METRICS, found.values()), headers=headers, content_type=CONTENT_TYPE)


class _TroubleCounter(logging.Handler):
    """Counts the application's warnings and errors by their event, which is a static word."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(logging.WARNING)
        self._meter = meter

    def emit(self, record: logging.LogRecord) -> None:
        """Count one record."""
        if isinstance(record.msg, str) and _EVENT.fullmatch(record.msg):
            self._meter.count_trouble(record.msg, record.levelname.lower())


def _look_into(store: Store) -> tuple[Gauges, bool]:
    """Tell how the records stand, and whether the store takes a write: one that can only be read keeps nothing."""
    found = read_gauges(store)
    try:
        prove_write(store)
    except StoreUnavailable:
        return found, False
    return found, True


def _of_standing(found: Gauges) -> dict[Key, float]:
    values: dict[Key, float] = {
        ("open_dials",): found.open_dials,
        ("outgoing_waiting",): found.outgoing,
        ("orphan_receipts",): found.orphan_receipts,
    }
    if found.newest_report_at is not None:
        values["newest_report_age_seconds",] = max(0, now() - found.newest_report_at) / 1000
    return values
