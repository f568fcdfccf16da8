"""The application: `create_app` is the one place where the rooms meet."""

import logging

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed
from werkzeug.middleware.proxy_fix import ProxyFix

from app.application import Application
from app.cli.group import Commands
from app.context import EXTENSION, Services
from app.dial.blueprint import bp as dial_bp
from app.dial.callback_urls import PREFIX
from app.dial.replies import xml_reply
from app.notify.event_delivery import use_outgoing
from app.ops.counts import Counts
from app.ops.health import bp as health_bp
from app.ops.metrics import bp as metrics_bp
from app.ops.metrics import use_metrics
from app.ops.request_id import use_request_ids
from app.plan.load import configured_plan
from app.records.spool.spool import Drainer, Spool
from app.records.store.store import Store
from app.records.writing.journal import Journal
from app.reports.access.tokens import has_bearer_token
from app.reports.api.views import dial_view
from app.reports.setup import use_reports
from config import Config

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024


def create_app(config: Config, shared: Services | None = None) -> Flask:
    """Make the application from its settings. Opens no connection: that waits for the process that serves."""
    app = Application(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # A doubled slash is answered 404 in place, not by a redirect.
    app.config.update(SECRET_KEY=config.secret_key, MAX_CONTENT_LENGTH=MAX_BODY_BYTES)
    app.extensions[EXTENSION] = shared or make_services(config)
    app.cli = Commands()
    use_request_ids(app)
    use_metrics(app, has_bearer_token)
    use_outgoing(app, lambda found: dial_view(found).model_dump_json())
    app.register_blueprint(dial_bp)
    app.register_blueprint(health_bp)
    app.register_blueprint(metrics_bp)
    use_reports(app)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected_error)
    if config.trusted_proxies:
        hops = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops, hops, hops)  # type: ignore[method-assign]
    return app


def make_services(config: Config) -> Services:
    """Make what the rooms share."""
    store = Store(config.database_url, timeout=config.store_timeout)
    counts = Counts(config.instance_dir / "metrics")
    journal = Journal(
        store,
        announce=config.events_url is not None,
        on_ended=lambda dials: counts.count_ended(dial.outcome for dial in dials),
    )
    spool = Spool(config.instance_dir / "spool", zone=config.plivo_timezone)
    plan = configured_plan(
        config.dial_plan,
        dial_to=config.dial_to,
        timeout=config.dial_timeout,
        time_limit=config.dial_time_limit,
        caller_id=config.dial_caller_id,
    )
    return Services(
        config=config,
        plan=plan,
        store=store,
        journal=journal,
        spool=spool,
        drainer=Drainer(spool, journal),
        meter=counts,
    )


def _is_plivos(path: str) -> bool:
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def _http_error(error: HTTPException) -> Response | HTTPException:
    if not _is_plivos(request.path):
        return error
    reply = xml_reply(status=error.code or 500)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        reply.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return reply


def _unexpected_error(error: Exception) -> Response | HTTPException:
    log.error("request_failed", exc_info=error, extra={"path": request.path})
    return _http_error(InternalServerError())
