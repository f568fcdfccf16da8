"""How `create_app` adds the reports."""

from flask import Blueprint, Flask
from flask_bootstrap import Bootstrap5
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from app.records.model.receipt import StoreUnavailable
from app.reports.access.headers import add_headers, compress
from app.reports.access.sessions import use_sessions
from app.reports.access.tokens import use_token_guard
from app.reports.api.routes import bp as api_bp
from app.reports.errors import error_page
from app.reports.pages.first_run import Guide, use_guide
from app.reports.pages.routes import bp as pages_bp
from app.reports.pages.routes import refuse_other_sites, require_csrf_token, require_session, store_unavailable


def guard_pages(pages: Blueprint) -> None:
    """Guard the pages of another room as the reports' own: session, forms of this site, headers, error pages."""
    for check in (refuse_other_sites, require_session, require_csrf_token):
        pages.before_request(check)
    guard_links(pages)


def guard_links(links: Blueprint) -> None:
    """Add headers and error pages to links that open without a session."""
    links.after_request(add_headers)
    links.register_error_handler(StoreUnavailable, store_unavailable)
    links.register_error_handler(HTTPException, error_page)


class AnythingConverter(BaseConverter):
    """The rest of a path, with slashes and line breaks: a CallUUID is whatever the sender wrote."""

    regex = "(?s:.+)"
    part_isolating = False


def use_reports(app: Flask, guide: Guide) -> None:
    """Register the pages and the API, and how tokens and sessions are checked; the first page asks the guide."""
    use_guide(app, guide)
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    app.static_url_path = ""  # The application has no static files; Bootstrap's URL is built from it: /bootstrap.
    Bootstrap5(app)
    use_sessions(app)
    use_token_guard(app)
    app.after_request(compress)
    app.url_map.converters["anything"] = AnythingConverter
    app.register_blueprint(pages_bp)
    app.register_blueprint(api_bp)
