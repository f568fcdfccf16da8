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
    zone = config.timezone
    return {
        "theme": session.get("theme", "auto"),
        "csrf": csrf_token(),
        "here": request.full_path.rstrip("?"),
        "home": url_for("reports.dashboard"),
        "places": _places(),
        "zone": zone,
        "words": formatting,
        "number": show_number,
        "hide": hide_numbers,
        "clock": lambda at, **how: formatting.clock(at, zone, **how),
        "iso": lambda at: formatting.iso(at, zone),
        "precise": lambda at: formatting.precise(at, zone),
        "masks": config.mask_numbers,
    }


def show_number(text: str | None) -> str:
    """Return a number as pages write it, masked where MASK_NUMBERS says so."""
    return formatting.number(text, masked=services().config.mask_numbers)


def hide_numbers(text: str) -> str:
    """Return free text with the numbers in it masked where MASK_NUMBERS says so."""
    return formatting.hide_numbers(text, masked=services().config.mask_numbers)


def _places() -> list[Place]:
    """Return the navigation: the places that this application has, and which of them this page belongs to."""
    served = {rule.rule for rule in current_app.url_map.iter_rules()}
    section = "/" if request.path.startswith("/calls/") else request.path.rstrip("/") or "/"
    return [
        Place(name=name, url=f"{request.root_path}{path}", is_here=path == section)
        for path, name in _PLACES.items()
        if path in served
    ]
