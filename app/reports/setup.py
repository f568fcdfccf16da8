"""How `create_app` adds the reports."""

from flask import Flask
from flask_bootstrap import Bootstrap5
from werkzeug.routing import BaseConverter

from app.reports.access.sessions import use_sessions
from app.reports.access.tokens import use_token_guard
from app.reports.api.routes import bp as api_bp
from app.reports.pages.first_run import Guide, use_guide
from app.reports.pages.routes import bp as pages_bp


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
    app.url_map.converters["anything"] = AnythingConverter
    app.register_blueprint(pages_bp)
    app.register_blueprint(api_bp)
