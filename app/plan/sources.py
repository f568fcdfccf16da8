"""Which calendars and holidays a plan names."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.plan.model import Plan
from app.plan.snapshot import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedUse:
    """A calendar or a country's holidays, and the table of the plan that names it."""

    place: str
    source: Source
    is_rota: bool = False
    is_holidays: bool = False


def uses(plan: Plan) -> Iterator[FeedUse]:
    """Yield each use in the order of the plan."""
    for route in plan.routes.values():
        hours, place = route.hours, f"routes.{route.name}"
        if hours is not None and hours.calendar is not None:
            yield FeedUse(place=f"{place}.hours", source=hours.source(hours.calendar.url))
        if hours is not None and hours.holidays is not None:
            yield FeedUse(place=f"{place}.hours", source=hours.source(hours.holidays), is_holidays=True)
        for step in route.steps.values():
            for target in step.ring:
                if target.rota is not None:
                    yield FeedUse(place=f"{place}.steps.{step.name}", source=target.source, is_rota=True)
