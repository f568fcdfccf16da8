"""The application: `create_app` is the one place where the rooms meet."""

import logging
import os
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

if sys.platform == "win32":
    sys.exit(
        "Dialstatus runs on Linux and macOS; on Windows run it in WSL: https://learn.microsoft.com/windows/wsl/install"
    )

from flask import Flask, Response, request
from flask import Request as FlaskRequest
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import MapAdapter, Rule

from app.context import EXTENSION, Services, followup_rules
from app.dial.blueprint import bp as dial_bp
from app.dial.callback_urls import PREFIX
from app.dial.replies import xml_reply
from app.dial.request import Request
from app.followup.routes import use_followups
from app.notify.addresses import addresses_of
from app.notify.dispatch import Descriptions
from app.notify.sending import use_sending
from app.ops.counts import Counts
from app.ops.feeds import Feeds
from app.ops.health import bp as health_bp
from app.ops.metrics import bp as metrics_bp
from app.ops.metrics import use_metrics
from app.ops.request_id import use_request_ids
from app.plan.contacts import read_contacts
from app.plan.load import configured_plan
from app.plan.model import Plan
from app.plan.snapshot import LiveState, Turns
from app.records.model.target_state import DeadRule
from app.records.spool.drainer import Drainer
from app.records.spool.spool import Spool
from app.records.store.store import Store
from app.records.writing.journal import Journal
from app.reports.access.tokens import has_admin_token
from app.reports.api.views import dial_view, listed_call_view
from app.reports.errors import error_reply
from app.reports.setup import guard_links, guard_pages, use_reports
from app.server.prefix import PathPrefix
from app.server.setup_guide import SetupGuide
from config import Config

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024


class Application(Flask):
    """Flask, with a shorter way from the path of a webhook to its rule."""

    request_class = Request

    def create_url_adapter(self, request: FlaskRequest | None) -> MapAdapter | None:
        """Return what matches the URL: for a webhook a rule found by one look, else Flask's own adapter."""
        if request is not None and (request.method, request.path) in self._webhooks:
            return self._webhooks[request.method, request.path]
        return super().create_url_adapter(request)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is: no view or hook is a coroutine."""
        return func

    @cached_property
    def _webhooks(self) -> dict[tuple[str, str], MapAdapter]:
        return {
            (method, rule.rule): cast(MapAdapter, _Matched(rule))
            for rule in self.url_map.iter_rules()
            if rule.endpoint.startswith("dial.") and not rule.arguments
            for method in rule.methods or ()
        }


class _Matched:
    """A URL adapter for one rule without variables. It builds no URLs: no webhook asks for one."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    def match(self, *, return_rule: bool) -> tuple[Rule, dict[str, Any]]:  # noqa: ARG002 - Werkzeug's signature.
        """Return the rule and its variables."""
        return self._rule, {}


def create_app(config: Config, shared: Services | None = None) -> Flask:
    """Make the application from its settings. Opens no connection: that waits for the process that serves."""
    os.umask(0o077)  # Nothing that the server or a command writes is for other users.
    app = Application(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # A doubled slash is answered 404 in place, not by a redirect.
    app.config.update(SECRET_KEY=config.secret_key, MAX_CONTENT_LENGTH=MAX_BODY_BYTES)
    app.extensions[EXTENSION] = shared or make_services(config)
    use_request_ids(app)
    use_metrics(app, has_admin_token)
    use_sending(
        app,
        Descriptions(
            call=lambda found: listed_call_view(found).model_dump_json(),
            dial=lambda found: dial_view(found).model_dump_json(),
        ),
    )
    app.register_blueprint(dial_bp)
    app.register_blueprint(health_bp)
    app.register_blueprint(metrics_bp)
    use_reports(app, SetupGuide(app.extensions[EXTENSION]))
    use_followups(app, guard_pages, guard_links)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected_error)
    if config.path_prefix:
        app.wsgi_app = PathPrefix(config.path_prefix, app).wrap(app.wsgi_app)  # type: ignore[assignment, method-assign]
    if config.trusted_proxies:
        hops = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops, hops, hops)  # type: ignore[method-assign]
    return app


def make_services(config: Config) -> Services:
    """Make what the rooms share."""
    plan = configured_plan(
        config.dial_plan,
        dial_to=config.dial_to,
        timeout=config.dial_timeout,
        time_limit=config.dial_time_limit,
        caller_id=config.dial_caller_id,
    )
    store = Store(config.database_url, timeout=config.store_timeout)
    counts = Counts(config.instance_dir / "metrics")
    journal = Journal(
        store,
        announce=bool(addresses_of(config, plan)),
        watched=watched_by(plan),
        on_ended=lambda dials: counts.count_ended(dial.outcome for dial in dials),
        rules=followup_rules(config),
    )
    spool = Spool(config.instance_dir / "spool", zone=config.plivo_timezone, timeout=config.store_timeout)
    Feeds.of(plan, config).check_holidays()
    return Services(
        config=config,
        plan=plan,
        live=LiveState(
            contacts=read_contacts(plan.contacts_path) if plan.contacts_path else {}, turns=Turns(plan.rotating())
        ),
        store=store,
        journal=journal,
        spool=spool,
        drainer=Drainer(spool, journal),
        meter=counts,
    )


def watched_by(plan: Plan) -> dict[tuple[str | None, str | None], DeadRule | None]:
    """Return the steps whose targets the journal watches, each with its rule for dead phones."""
    return {
        place: DeadRule(rule.failures, rule.within * 60_000) if rule is not None else None
        for place, rule in plan.watched().items()
    }


def _is_plivos(path: str) -> bool:
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def _http_error(error: HTTPException) -> Response:
    if not _is_plivos(request.path):
        return error_reply(error)
    reply = xml_reply(status=error.code or 500)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        reply.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return reply


def _unexpected_error(error: Exception) -> Response:
    log.error("request_failed", exc_info=error, extra={"path": request.path})
    return _http_error(InternalServerError())
