"""The metrics, and the route from which Prometheus collects them."""

import logging
import platform
import re
import sqlite3
import time
from collections.abc import Callable

from flask import Blueprint, Flask, Request, Response, current_app, request

from app.context import EXTENSION, Meter, Services
from app.ops.cached_probe import CachedProbe
from app.ops.counts import Key
from app.ops.exposition import CONTENT_TYPE, Metric, format_metrics
from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.reading.gauges import Gauges, read_gauges
from app.records.store.readiness import prove_write
from app.records.store.store import Store
from app.voice.outcome import CallOutcome
from config import VERSION

bp = Blueprint("metrics", __name__)

_EXTENSION = "dialstatus-metrics"
_PROBE_TIMEOUT = 5.0  # Seconds; Prometheus waits ten.
_EVENT = re.compile(r"[a-z_]{1,60}")

METRICS = (
    Metric(
        name="receipts_total",
        kind="counter",
        help="Requests on Plivo's routes, by kind, signature verdict and status of the reply.",
        labels=("kind", "signature", "status"),
    ),
    Metric(
        name="reply_seconds",
        kind="histogram",
        help="Seconds from request to reply, including the commit.",
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
    Metric(name="store_up", kind="gauge", help="1 if the store accepted a write just now, else 0."),
    Metric(
        name="calls_of_last_day",
        kind="gauge",
        help="Calls that began within the last 24 hours, by outcome, as the dashboard counts them.",
        labels=("outcome",),
    ),
    Metric(name="open_dials", kind="gauge", help="Dials in progress that began within the last day."),
    Metric(
        name="newest_report_age_seconds",
        kind="gauge",
        help="Age of the newest report among the thousand newest dials.",
    ),
    Metric(name="orphan_receipts", kind="gauge", help="Receipts of the last day that name no call."),
    Metric(name="spool_receipts", kind="gauge", help="Receipts that wait on local disk for the store."),
    Metric(name="targets_down", kind="gauge", help="Dead phones: targets that failed several times in a row."),
    Metric(name="targets_out", kind="gauge", help="Targets that were taken out by hand."),
    Metric(name="outgoing_waiting", kind="gauge", help="Events that an address has not accepted yet."),
    Metric(
        name="oldest_undelivered_seconds",
        kind="gauge",
        help="For how long the oldest event has waited for an address; 0 if none waits.",
    ),
    Metric(name="deliveries_given_up", kind="gauge", help="Deliveries that were given up after three days."),
    Metric(
        name="feed_age_seconds",
        kind="gauge",
        help="Seconds since a calendar of the plan was last read, by its table in the plan.",
        labels=("place",),
    ),
    Metric(name="followups_open", kind="gauge", help="Callers who wait to be called back."),
    Metric(
        name="followup_seconds",
        kind="gauge",
        help="Seconds until callers of the last 30 days were reached, by quantile.",
        labels=("quantile",),
    ),
    Metric(
        name="followup_share",
        kind="gauge",
        help="Share of the callers of the last 30 days who were reached within an hour or a day.",
        labels=("within",),
    ),
    Metric(name="build_info", kind="gauge", help="Always 1.", labels=("version", "python")),
)
# Export zeros at start: Prometheus sees no increase when a series first appears.
_ZEROS: tuple[Key, ...] = (
    ("troubles_total", "batch_failed", "warning"),
    ("troubles_total", "control_failed", "error"),
    ("troubles_total", "event_given_up", "error"),
    ("troubles_total", "notice_not_kept", "warning"),
    ("troubles_total", "receipt_lost", "error"),
    ("troubles_total", "receipt_spooled", "error"),
    ("troubles_total", "signature_refused", "warning"),
    *(("wrong_tokens_total", way) for way in ("link", "form", "bearer")),
)


class Metrics:
    """Where one application's metrics come from: its counts, its store and its spool."""

    def __init__(self, shared: Services, has_token: Callable[[Request], bool]) -> None:
        self.has_token = has_token
        self._meter = shared.meter
        self._spool = shared.spool
        self._live = shared.live
        self._probe = CachedProbe(lambda: _probe(shared.store), timeout=_PROBE_TIMEOUT, name="gauges")

    def values(self) -> dict[Key, float]:
        """Return every current value. Those of a store or spool that cannot be read are left out."""
        values: dict[Key, float] = dict.fromkeys(_ZEROS, 0)
        values.update(self._meter.total())
        values["build_info", VERSION, platform.python_version()] = 1
        for feed in self._live.feeds:
            if feed.read_at is not None:
                values["feed_age_seconds", feed.place] = max(0, time.time() - feed.read_at)
        try:
            found, is_writable = self._probe.result()
            values.update(_gauge_values(found))
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
    return Response(format_metrics(METRICS, found.values()), headers=headers, content_type=CONTENT_TYPE)


class _TroubleCounter(logging.Handler):
    """Counts the application's warnings and errors by event."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(logging.WARNING)
        self._meter = meter

    def emit(self, record: logging.LogRecord) -> None:
        """Count one record."""
        if isinstance(record.msg, str) and _EVENT.fullmatch(record.msg):
            self._meter.count_trouble(record.msg, record.levelname.lower())


def _probe(store: Store) -> tuple[Gauges, bool]:
    """Return the gauges, and whether the store accepts a write: a read-only store keeps nothing."""
    found = read_gauges(store)
    try:
        prove_write(store)
    except StoreUnavailable:
        return found, False
    return found, True


def _gauge_values(found: Gauges) -> dict[Key, float]:
    values: dict[Key, float] = {
        **{("calls_of_last_day", outcome.value): found.calls.get(outcome, 0) for outcome in CallOutcome},
        ("open_dials",): found.open_dials,
        ("outgoing_waiting",): found.outgoing,
        ("oldest_undelivered_seconds",): found.oldest_waiting / 1000,
        ("deliveries_given_up",): found.dead_deliveries,
        ("orphan_receipts",): found.orphan_receipts,
        ("targets_down",): found.targets_down,
        ("targets_out",): found.targets_out,
    }
    figures = found.followups
    values["followups_open",] = figures.open
    measured = {
        ("followup_seconds", "0.5"): figures.median_seconds,
        ("followup_seconds", "0.9"): figures.p90_seconds,
        ("followup_share", "hour"): figures.within_hour,
        ("followup_share", "day"): figures.within_day,
    }
    values.update({key: value for key, value in measured.items() if value is not None})
    if found.newest_report_at is not None:
        values["newest_report_age_seconds",] = max(0, now() - found.newest_report_at) / 1000
    return values
