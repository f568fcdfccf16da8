"""How the factory takes the reports in."""

from flask import Flask
from flask_bootstrap import Bootstrap5

from app.reports.access.login import LIFETIME, Sessions
from app.reports.api.routes import bp as api_bp
from app.reports.pages.routes import bp as pages_bp
from app.reports.tallier import use_tallier


def use_reports(app: Flask) -> None:
    """Register the pages and the API, and how sessions are kept."""
    app.config.update(
        BOOTSTRAP_SERVE_LOCAL=True,
        PERMANENT_SESSION_LIFETIME=LIFETIME,
        SESSION_COOKIE_NAME="dialstatus_session",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,  # It ends when it ends, however busy.
    )
    app.session_interface = Sessions()
    app.static_url_path = ""  # The application has no such files; Bootstrap's address is made with it: /bootstrap.
    Bootstrap5(app)
    use_tallier(app)
    app.register_blueprint(pages_bp)
    app.register_blueprint(api_bp)
