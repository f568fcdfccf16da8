"""Find targets that lead a call back to the number that was called: such a call would ring this server without end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.plan.raw import Mistake, Raw, addresses, tables_in
from app.plan.values import ANY_NUMBER
from app.voice.numbers import identities


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lead:
    """A target that is a number of ours, so that its call takes another route of this plan."""

    place: str
    address: str
    route: str


def circles(tables: Raw) -> Iterator[Mistake]:
    """Yield every target that its own route serves, and one target of each circle of routes that ring each other."""
    leads = {name: tuple(_leads(tables, name)) for name, _ in tables_in(tables, "routes")}
    reported: set[str] = set()
    for name in leads:
        for lead in leads[name]:
            if lead.route == name:
                yield (
                    lead.place,
                    f"ring has {lead.address}, a number of this route, so a call would ring itself without end; "
                    "write another target",
                )
            elif name not in reported and name in (reached := _reached(lead.route, leads)):
                reported |= {route for route in reached if name in _reached(route, leads)}
                yield (
                    lead.place,
                    f"ring has {lead.address}, a number of route {lead.route}, which leads back here, so a call would "
                    "go in circles; write another target",
                )


def _leads(tables: Raw, name: str) -> Iterator[_Lead]:
    serves = {
        party.casefold(): route
        for route, table in tables_in(tables, "routes")
        for called in addresses(table.get("called"))
        if called != ANY_NUMBER
        for party in identities(called)
    }
    for route, table in tables_in(tables, "routes"):
        for step, ring in tables_in(table, "steps") if route == name else ():
            for address in addresses(ring.get("ring")):
                # A SIP user of another server may be named after our number: only the address itself is ours.
                if (party := address.partition(";")[0].casefold()) in serves:
                    yield _Lead(place=f"routes.{name}.steps.{step}", address=address, route=serves[party])


def _reached(start: str, leads: Mapping[str, tuple[_Lead, ...]]) -> set[str]:
    """Return every route that calls of the route `start` can come to."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [lead.route for lead in leads.get(name, ())]
    return reached
