"""The switches: by hand, on a page or by a command, a route is closed or opened and a phone taken out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from http import HTTPStatus

from flask import Response, abort, request

from app.context import Services, services, viewer
from app.plan.dates import parse_until
from app.plan.describe import describe_state
from app.plan.model import Plan, Route
from app.plan.snapshot import SWITCH, Switch
from app.records.model.target_state import TargetState
from app.records.reading.read_session import explained, read_session
from app.records.writing.audit import read_plan_state, set_plan_state
from app.records.writing.target_states import read_targets, set_out
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneState:
    """A number or SIP user of the plan: its state in a word, since when in milliseconds, and whether it is out."""

    target: str
    word: str
    since: int | None
    is_out: bool


def phone_states() -> list[PhoneState]:
    """Return the state of every phone of the plan as the store has it, and of those taken out that it does not name."""
    shared = services()
    with explained(shared.store):
        known = {state.target: state for state in read_targets(shared.store)}
    names = dict.fromkeys(phones_of(shared.plan)) | {
        name: None for name, one in known.items() if one.out_at is not None
    }
    return [phone_state(known.get(name, TargetState(name))) for name in names]


def phones_of(plan: Plan) -> Iterator[str]:
    """Yield the number or SIP user of every target; a rota's are not known before it rings."""
    for route in plan.routes.values():
        for step in route.steps.values():
            yield from (target.address for target in step.ring if target.address)


def phone_state(state: TargetState) -> PhoneState:
    """Return the state of a phone in a word."""
    word, since = "alive", state.reached_at
    if state.out_at is not None:
        word, since = f"out, by {state.out_by}", state.out_at
    elif state.down_since is not None:
        word, since = "dead", state.down_since
    elif state.talks_since:
        word, since = "talking", min(state.talks_since.values())
    return PhoneState(target=state.target, word=word, since=since, is_out=state.out_at is not None)


def switch_phone() -> Response:
    """Take a phone out of the plan, or put it back in, by the form of the dashboard."""
    target, change = request.form.get("target", ""), request.form.get("change", "")
    if change not in {"out", "in"} or target not in {one.target for one in phone_states()}:
        abort(HTTPStatus.NOT_FOUND, "The plan has no such phone.")
    set_out(services().store, target, is_out=change == "out", actor=viewer().name)
    return redirect_to(request.form.get("next", "/"))


def switch() -> Response:
    """Change the switch of a route by the form of the dashboard."""
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
