"""The switch: a route is closed or opened by hand, on a page or by a command."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from http import HTTPStatus

from flask import Response, abort, request

from app.context import Services, services, viewer
from app.plan.dates import parse_until
from app.plan.describe import describe_state
from app.plan.model import Route
from app.plan.snapshot import SWITCH, Switch
from app.records.reading.read_session import read_session
from app.records.writing.audit import read_plan_state, set_plan_state
from app.reports.access.login import redirect_to
from app.voice.xml_values import sentence


def zone_of(route: Route) -> tzinfo:
    """Return the time zone in which people speak about a route: that of its hours, else that of the settings."""
    return route.hours.time_zone if route.hours is not None else services().config.timezone


def change_switch(
    shared: Services, route: str, *, is_open: bool | None, until: datetime | None, say: str | None, actor: str
) -> None:
    """Store that a route is open or closed until a moment; None lets the plan decide again.

    Raises ValueError for a sentence that cannot be said, and StoreUnavailable.
    """
    value = None if is_open is None else {"open": is_open, **({"say": sentence("say", say)} if say else {})}
    set_plan_state(
        shared.store,
        f"{SWITCH}{route}",
        value,
        until=round(until.timestamp() * 1000) if until is not None else None,
        actor=actor,
        action={None: "route.follows_plan", True: "route.opened", False: "route.closed"}[is_open],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteState:
    """Whether a route is open, in words, and whether that was switched by hand."""

    name: str
    text: str
    zone: str
    is_by_hand: bool
    say: str | None


def route_states() -> list[RouteState]:
    """Return the state of every route as the store has it: the page after a change already shows it."""
    shared, now = services(), datetime.now(UTC)
    with read_session(shared.store) as connection:
        found = read_plan_state(connection, SWITCH)
    switches = {name: Switch.read(one.value, one.until) for name, one in found.items()}
    snapshot = shared.live.at(now)._replace(switches=switches)
    states = []
    for route in shared.plan.routes.values():
        zone, by_hand = zone_of(route), switches.get(route.name)
        text = describe_state(route, snapshot, zone)
        say = by_hand.say if by_hand is not None else None
        states.append(RouteState(name=route.name, text=text, zone=str(zone), is_by_hand=by_hand is not None, say=say))
    return states


def switch() -> Response:
    """Change the switch by the form of the dashboard."""
    shared, name = services(), request.form.get("route", "")
    route = shared.plan.routes.get(name)
    if route is None:
        abort(HTTPStatus.NOT_FOUND, "The plan has no such route.")
    is_open = {"close": False, "open": True}.get(request.form.get("change", ""))
    text = request.form.get("until", "").strip()
    try:
        until = parse_until(text, zone_of(route), datetime.now(UTC)) if text and is_open is not None else None
        say = request.form.get("say", "").strip() if is_open is False else ""
        change_switch(shared, name, is_open=is_open, until=until, say=say or None, actor=viewer().name)
    except ValueError as error:
        abort(HTTPStatus.BAD_REQUEST, f"{error}.")
    return redirect_to(request.form.get("next", "/"))
