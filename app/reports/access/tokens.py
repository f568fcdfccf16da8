"""The reports token: the right one always opens; wrong ones are slowed, logged and counted."""

import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import cast

from flask import Flask, Request, current_app
from werkzeug.exceptions import TooManyRequests

from app.context import EXTENSION, Services, Viewer, bearer_of, is_token, services
from app.records.model.receipt import StoreUnavailable
from app.records.writing.access_tokens import Role
from app.reports.access.viewers import ADMIN, find_named

log = logging.getLogger(__name__)

_EXTENSION = "dialstatus-token-guard"
_ATTEMPTS = 10  # Wrong tokens from one address before it has to wait.
_WINDOW = 60  # seconds
_ADDRESSES = 10_000
_LINES = 60  # Log lines per window, so that guesses cannot fill a disk.


class TokenGuard:
    """Compares tokens with the reports token of one application.

    Each process counts for itself, so several processes let that many times the attempts through.
    """

    def __init__(self, token: str, on_failure: Callable[[str], None]) -> None:
        """`on_failure` is called with the way of each wrong token: link, form or bearer."""
        self._token = token
        self._on_failure = on_failure
        self._lock = Lock()
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._window = -float(_WINDOW)
        self._lines = 0
        self._unlogged = 0

    def is_right(self, given: str, *, way: str, address: str) -> bool:
        """Return whether `given` is the reports token.

        Raises TooManyRequests (429) for a wrong one after ten within a minute from the same address.
        """
        if is_token(given, self._token):
            return True
        self._on_failure(way)
        with self._lock:
            now = time.monotonic()
            failures = self._count_failure(address, now)
            is_logged, unlogged = self._take_line(now)
        if is_logged:
            log.warning("wrong_token", extra={"way": way, "address": address, "unlogged": unlogged})
        if failures > _ATTEMPTS:
            raise TooManyRequests("Too many wrong tokens. Wait a minute and try again.", retry_after=_WINDOW)
        return False

    def _count_failure(self, address: str, now: float) -> int:
        since, failures = self._failures.pop(address, (now, 0))
        if now - since > _WINDOW:
            since, failures = now, 0
        self._failures[address] = since, failures + 1
        if len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)
        return failures + 1

    def _take_line(self, now: float) -> tuple[bool, int]:
        """Return whether a line may be logged, and how many were left out before it."""
        if now - self._window > _WINDOW:
            self._window, self._lines = now, 0
        if self._lines >= _LINES:
            self._unlogged += 1
            return False, 0
        unlogged, self._unlogged = self._unlogged, 0
        self._lines += 1
        return True, unlogged


def use_token_guard(app: Flask) -> None:
    """Set up the guard that `token_viewer` asks."""
    shared: Services = app.extensions[EXTENSION]
    app.extensions[_EXTENSION] = TokenGuard(shared.config.reports_token, shared.meter.count_wrong_token)


def token_viewer(given: str, request: Request, *, way: str) -> Viewer | None:
    """Return who owns a token; see `TokenGuard.is_right`. Raises `StoreUnavailable` for a named one."""
    if (named := find_named(given)) is not None:
        return named
    guard = cast(TokenGuard, current_app.extensions[_EXTENSION])
    return ADMIN if guard.is_right(given, way=way, address=request.remote_addr or "") else None


def bearer_viewer(request: Request) -> Viewer | None:
    """Return who owns the token of the Authorization header. Raises `StoreUnavailable` for a named one."""
    given = bearer_of(request)
    try:
        return token_viewer(given, request, way="bearer") if given is not None else None
    except TooManyRequests:
        return None  # A program gets 401 for every wrong token.


def has_admin_token(request: Request) -> bool:
    """Return whether the Authorization header bears the token of an admin."""
    try:
        found = bearer_viewer(request)
    except StoreUnavailable:
        return False
    return found is not None and found.may(Role.ADMIN)


def token_mark() -> str:
    """Return what ties a session to the present token: with a new token the sessions of the old one end.

    Keyed with SECRET_KEY, since a cookie is readable: a plain hash would let its owner guess the token offline.
    """
    config = services().config
    return hmac.new(config.secret_key.encode(), b"session\0" + config.reports_token.encode(), "sha256").hexdigest()
