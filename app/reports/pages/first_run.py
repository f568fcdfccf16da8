"""The first page: what to do before the first call, checked live, with a test call to look at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, cast

from flask import Flask, Response, abort, current_app, make_response, render_template, request

from app.context import services
from app.records.reading.gauges import has_calls
from app.records.reading.read_session import read_session
from app.reports.access.login import redirect_to
from config import SignatureMode
from settings.urls import is_loopback

_EXTENSION = "dialstatus-first-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The URLs for Plivo by their names, and whether Plivo can reach them: `said` names the next step."""

    urls: Mapping[str, str]
    is_reached: bool
    said: str


class Check(Protocol):
    """One thing that must be true. `ok` is None if it was not checked."""

    @property
    def name(self) -> str:
        """What is checked."""

    @property
    def ok(self) -> bool | None:
        """Whether it is true."""

    @property
    def said(self) -> str:
        """What was found."""

    @property
    def advice(self) -> str:
        """What to do, if anything."""


class Guide(Protocol):
    """What other rooms answer; the factory hands it over, since no entry room imports another."""

    def reach(self) -> Reach:
        """Return the URLs for Plivo."""

    def checks(self) -> Iterable[Check]:
        """Return the checks of this machine."""

    def start_test_call(self) -> None:
        """Play a call to this server in the background."""

    def replay(self, receipt_key: int, to: str) -> tuple[bool, str]:
        """Send a receipt again, to this server or a URL; return whether it was taken, and what was said."""


def use_guide(app: Flask, guide: Guide) -> None:
    """Keep the guide of this application."""
    app.extensions[_EXTENSION] = guide


def is_unused() -> bool:
    """Return whether no call has been recorded."""
    with read_session(services().store) as connection:
        return not has_calls(connection)


def welcome() -> Response:
    """Show the first page."""
    guide = the_guide()
    page = render_template(
        "reports/welcome.html",
        reach=guide.reach(),
        checks=list(guide.checks()),
        has_calls=not is_unused(),
        may_play=_may_play(),
    )
    return make_response(page)


def start_test_call() -> Response:
    """Play a test call and show it arriving."""
    if not _may_play():
        abort(HTTPStatus.FORBIDDEN, "A test call can be played only from this machine, or with signatures off.")
    the_guide().start_test_call()
    return redirect_to("/")


def _may_play() -> bool:
    """Return whether the test call may be played: signatures are off, or the request comes from this machine."""
    return services().config.verify_signatures is SignatureMode.OFF or is_from_this_machine()


def is_from_this_machine() -> bool:
    """Return whether the request comes from this machine, and not through a proxy on it."""
    is_forwarded = any(name.startswith("X-Forwarded") or name == "Forwarded" for name in request.headers.keys())  # noqa: SIM118
    return not is_forwarded and is_loopback(f"http://{request.remote_addr}") and is_loopback(request.host_url)


def the_guide() -> Guide:
    """Return the guide of this application."""
    return cast(Guide, current_app.extensions[_EXTENSION])
