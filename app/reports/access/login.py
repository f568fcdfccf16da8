"""Sessions for people: the token is exchanged for a signed cookie that ends, and guessing is slowed."""

import hmac
import secrets
import time
from collections import OrderedDict
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from threading import Lock
from urllib.parse import urlsplit

from flask import Flask, Request, Response, make_response, redirect, render_template, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

from app.context import is_token, services

LIFETIME = timedelta(hours=12)
_ATTEMPTS = 10
_PAUSE = 60  # seconds
_REMEMBERED = 10_000  # addresses


class Throttle:
    """Counts what went wrong by address, and refuses an address for a minute once it is too much.

    It waits for nobody: a thread that slept would be missing where a caller is on the line. Each process counts for
    itself, so that several processes together let that many times the attempts through; the token is long enough.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = Lock()

    def is_open(self, address: str) -> bool:
        """Tell whether this address may try."""
        with self._lock:
            since, failures = self._failures.get(address, (0.0, 0))
            return failures < _ATTEMPTS or time.monotonic() - since > _PAUSE

    def note_failure(self, address: str) -> None:
        """Count one attempt that failed."""
        with self._lock:
            since, failures = self._failures.pop(address, (0.0, 0))
            if time.monotonic() - since > _PAUSE:
                failures = 0
            self._failures[address] = (time.monotonic(), failures + 1)
            if len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)


class Sessions(SecureCookieSessionInterface):
    """Flask's signed cookie, sent over https alone wherever the page came over https.

    Who brings no cookie gets an empty session without a look at the keys: that is every webhook.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the session from its cookie."""
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the cookie where the session was looked at."""
        if session.accessed or session.modified:
            super().save_session(app, session, response)

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        """Tell whether the cookie is for https alone."""
        public = urlsplit(services().config.public_url or "")
        return request.is_secure or (public.scheme == "https" and request.host == public.netloc)


_throttle = Throttle()


def has_session() -> bool:
    """Tell whether the request comes with a session that the present token opened."""
    opened_by = session.get("opened_by")
    return isinstance(opened_by, str) and hmac.compare_digest(opened_by, _mark_of_token())


def csrf_token() -> str:
    """Give what a form of this session must bring back."""
    token = session.get("csrf")
    return token if isinstance(token, str) else ""


def has_csrf_token() -> bool:
    """Tell whether the form was made by a page of this session."""
    wanted = csrf_token()
    return bool(wanted) and hmac.compare_digest(
        wanted, request.form.get("csrf", "").encode("ascii", "replace").decode()
    )


def login() -> Response:
    """Exchange the token, from a link or from the form, for a session."""
    given = request.form.get("token") if request.method == "POST" else request.args.get("token")
    if given is None:
        return redirect("/") if has_session() else ask_for_token()  # type: ignore[return-value]
    address = request.remote_addr or ""
    if not _throttle.is_open(address):
        answer = ask_for_token("Too many attempts. Wait a minute and try again.", HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["Retry-After"] = str(_PAUSE)
        return answer
    if not is_token(given.strip(), services().config.reports_token):
        _throttle.note_failure(address)
        return ask_for_token("That is not the token. It is printed when the server starts.", HTTPStatus.FORBIDDEN)
    session.clear()
    session.permanent = True
    session.update(opened_by=_mark_of_token(), csrf=secrets.token_urlsafe(24))
    return redirect(own_path(request.values.get("next", "/")), HTTPStatus.SEE_OTHER)  # type: ignore[return-value]


def logout() -> Response:
    """End the session."""
    if not has_csrf_token():
        return ask_for_token("This form is too old. Go back to the page and try again.", HTTPStatus.BAD_REQUEST)
    session.clear()
    return redirect("/login", HTTPStatus.SEE_OTHER)  # type: ignore[return-value]


def ask_for_token(said: str = "", status: int = HTTPStatus.OK) -> Response:
    """Show the form that asks for the token; `said` tells why."""
    following = request.full_path.rstrip("?") if request.method == "GET" and request.path != "/login" else "/"
    return make_response(render_template("reports/login.html", said=said, following=following), status)


def own_path(text: str) -> str:
    """Keep a path of our own pages; anything that could lead to another host becomes the dashboard."""
    is_own = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if is_own else "/"


def _mark_of_token() -> str:
    """Tie a session to the token: with a new token, the sessions of the old one end."""
    return sha256(f"session\0{services().config.reports_token}".encode()).hexdigest()[:32]
