"""Sessions for people: a signed cookie for twelve hours, which ends at once on logout or with a new token."""

import hmac
import secrets
from datetime import timedelta

from flask import Flask, Request, Response, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

from app.context import Viewer, services
from app.records.model.ids import now
from app.records.writing.access_tokens import revoke_subject
from app.reports.access.headers import is_https
from app.reports.access.tokens import token_mark
from app.reports.access.viewers import ADMIN, find_by_mark, find_share, is_ended, session_mark

LIFETIME = timedelta(hours=12)


class CookieSessions(SecureCookieSessionInterface):
    """Flask's signed cookie, scoped to the path of these pages and to https where they are served so.

    A request without a cookie, such as every webhook, gets an empty session without any look at the keys.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session of the cookie, or an empty one."""
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the cookie if the session was used."""
        if session.accessed or session.modified:
            super().save_session(app, session, response)

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        """Return whether the cookie is for https alone."""
        return is_https()

    def get_cookie_path(self, app: Flask) -> str:  # noqa: ARG002
        """Return the path below which the cookie is sent: that of these pages, not the whole host."""
        return request.root_path or "/"


def use_sessions(app: Flask) -> None:
    """Set up how sessions are kept."""
    app.config.update(
        PERMANENT_SESSION_LIFETIME=LIFETIME,
        SESSION_COOKIE_NAME="dialstatus_session",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,  # The lifetime counts from the login, however busy the session is.
    )
    app.session_interface = CookieSessions()


def start_session(opened_by: Viewer, token: str) -> None:
    """Start the session of the owner of a token; the caller has checked it."""
    is_admin = opened_by is ADMIN
    _start({"token_mark": token_mark()} if is_admin else {"named": opened_by.name, "mark": session_mark(token)})


def start_shared_session(share: str) -> None:
    """Start a session that sees what a share link shows; the caller has checked the link."""
    _start({"share": share})


def _start(opened_by: dict[str, str]) -> None:
    session.clear()
    session.permanent = True
    session.update(id=secrets.token_urlsafe(16), csrf=secrets.token_urlsafe(24), **opened_by)


def end_session() -> None:
    """End the session on every node, so that a copy of its cookie opens nothing. Raises `StoreUnavailable`."""
    revoke_subject(services().store, _subject(), until=now() + round(LIFETIME.total_seconds() * 1000))
    session.clear()


def session_viewer() -> Viewer | None:
    """Return who opened the request's session; None without one, or where it, its token or its link has ended.

    Raises `StoreUnavailable`: the store knows which sessions, tokens and links have ended.
    """
    if "id" not in session or is_ended(_subject()):
        return None
    if "token_mark" in session:
        return ADMIN if hmac.compare_digest(session["token_mark"], token_mark()) else None
    if "named" in session:
        return find_by_mark(session["named"], session["mark"])
    return find_share(session.get("share", ""))


def _subject() -> str:
    return f"session:{session['id']}"


def csrf_token() -> str:
    """Return what a form of this session must send back; empty without a session."""
    token = session.get("csrf")
    return token if isinstance(token, str) else ""


def has_csrf_token() -> bool:
    """Return whether the form was made by a page of this session."""
    expected, given = csrf_token(), request.form.get("csrf", "")
    return bool(expected) and hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
