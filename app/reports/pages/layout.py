"""What every page is rendered with: the frame's links and colours, and how values are written."""

from dataclasses import dataclass
from typing import Any

from flask import current_app, request, session, url_for

from app.context import services
from app.reports.access.sessions import csrf_token
from app.reports.pages import formatting

THEMES = ("auto", "light", "dark")
_PLACES = {"/": "Calls", "/followups": "Follow-ups", "/messages": "Messages", "/docs": "Docs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One entry of the navigation."""

    name: str
    url: str
    is_here: bool


def page_context() -> dict[str, Any]:
    """Return what templates of every blueprint find beside their own values."""
    config = services().config
    masked, zone = config.mask_numbers, config.timezone
    return {
        "theme": session.get("theme", "auto"),
        "csrf": csrf_token(),
        "here": request.full_path.rstrip("?"),
        "home": url_for("reports.dashboard"),
        "places": _places(),
        "zone": zone,
        "words": formatting,
        "number": lambda text: formatting.number(text, masked=masked),
        "hide": lambda text: formatting.hide_numbers(text, masked=masked),
        "clock": lambda at, **how: formatting.clock(at, zone, **how),
        "iso": lambda at: formatting.iso(at, zone),
    }


def _places() -> list[Place]:
    """Return the navigation: the places that this application has, and which of them this page belongs to."""
    served = {rule.rule for rule in current_app.url_map.iter_rules()}
    section = "/" if request.path.startswith("/calls/") else request.path.rstrip("/") or "/"
    return [
        Place(name=name, url=f"{request.root_path}{path}", is_here=path == section)
        for path, name in _PLACES.items()
        if path in served
    ]
