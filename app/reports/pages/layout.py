"""What every page is rendered with: the frame's links and colours, and how values are written."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from flask import Response, request, session, url_for

from app.context import services, viewer
from app.records.model.ids import now
from app.reports.access.headers import is_https
from app.reports.access.permissions import may_open
from app.reports.access.sessions import csrf_token
from app.reports.access.viewers import bounded
from app.reports.pages import formatting
from app.reports.pages.glossary import IDS
from app.reports.pages.query import DashboardQuery, read_dashboard_query, read_zone

ZONE_COOKIE = "dialstatus_timezone"
_ONE_YEAR = 365 * 24 * 60 * 60  # seconds
THEMES = ("auto", "light", "dark")
_PLACES = {
    "reports.dashboard": "Calls",
    "followup.followups": "Follow-ups",
    "followup.messages": "Messages",
    "reports.docs": "Docs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One entry of the navigation."""

    name: str
    url: str
    is_here: bool


def page_context() -> dict[str, Any]:
    """Return what templates of every blueprint find beside their own values."""
    config = services().config
    zone = viewer_zone()
    query = page_query()
    start = url_for("reports.dashboard")
    return {
        "theme": session.get("theme", "auto"),
        "csrf": csrf_token(),
        "icons": url_for("reports.static", filename="icons.svg"),
        "here": request.full_path.rstrip("?"),
        "start": start,
        "home": f"{start}{query.kept}",
        "call_url": lambda call_uuid: f"{start}calls/{quote(call_uuid, safe='')}{query.kept}",
        "kept": query.parameters() if query.kept else {},
        "places": _places(query.kept),
        "viewer": viewer(),
        "may": lambda endpoint: may_open(viewer(), endpoint),
        "zone": zone,
        "words": formatting,
        "explained": IDS,
        "number": show_number,
        "hide": hide_numbers,
        "clock": lambda at, **how: formatting.clock(at, zone, **how),
        "iso": lambda at: formatting.iso(at, zone),
        "precise": lambda at: formatting.precise(at, zone),
        "masks": config.mask_numbers,
    }


def page_query() -> DashboardQuery:
    """Return the query of this page's address. The time zone is part of it wherever it is not TIMEZONE."""
    zone = viewer_zone()
    given = request.args.to_dict()
    if read_zone(given.get("tz")) or "tz" not in given:
        given["tz"] = "" if zone.key == services().config.timezone.key else zone.key
    query = read_dashboard_query(given, zone=zone, now=now())
    return replace(query, filters=bounded(query.filters))


def viewer_zone() -> ZoneInfo:
    """Return the time zone of this page: that of the address, else of the visitor's cookie, else TIMEZONE."""
    chosen = (request.args.get("tz"), request.cookies.get(ZONE_COOKIE))
    return next(filter(None, map(read_zone, chosen)), services().config.timezone)


def remember_zone(response: Response) -> Response:
    """Return the response with a cookie that remembers the time zone of the address; TIMEZONE needs none."""
    zone = read_zone(request.args.get("tz"))
    path = request.root_path or "/"
    if zone and zone.key != services().config.timezone.key:
        response.set_cookie(
            ZONE_COOKIE, zone.key, max_age=_ONE_YEAR, path=path, secure=is_https(), httponly=True, samesite="Lax"
        )
    elif zone and ZONE_COOKIE in request.cookies:
        response.delete_cookie(ZONE_COOKIE, path=path)
    return response


def show_number(text: str | None) -> str:
    """Return a number as pages write it, masked where MASK_NUMBERS says so."""
    return formatting.number(text, masked=services().config.mask_numbers)


def hide_numbers(text: str) -> str:
    """Return free text with the numbers in it masked where MASK_NUMBERS says so."""
    return formatting.hide_numbers(text, masked=services().config.mask_numbers)


def _places(kept: str) -> list[Place]:
    """Return the navigation: the places that the viewer may open, and which of them this page belongs to.

    Every link carries the query string `kept`, so that the filters of the list of calls survive.
    """
    here = "reports.dashboard" if request.endpoint == "reports.call" else request.endpoint
    return [
        Place(name=name, url=f"{url_for(endpoint)}{kept}", is_here=endpoint == here)
        for endpoint, name in _PLACES.items()
        if may_open(viewer(), endpoint)
    ]
