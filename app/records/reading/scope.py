"""Which calls somebody may see."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement

from app.records.model.ids import first_key
from app.records.model.state import CallState


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Bounds on every report; None for no bound. `since` and `until` (excluded) are milliseconds since 1970 UTC."""

    routes: tuple[str, ...] | None = None
    call_uuid: str | None = None
    since: int | None = None
    until: int | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is hidden."""
        return self == EVERYTHING

    def sees(self, call: CallState) -> bool:
        """Return whether a call is within the bounds."""
        return (
            self.sees_route(call.route)
            and (self.call_uuid is None or call.call_uuid == self.call_uuid)
            and (self.since is None or call.call_key >= first_key(self.since))
            and (self.until is None or call.call_key < first_key(self.until))
        )

    def sees_route(self, route: str | None) -> bool:
        """Return whether a route is within the bounds."""
        return self.routes is None or route in self.routes

    def on_route(self, column: Column[str | None]) -> Sequence[ColumnElement[bool]]:
        """Return the condition that a row's route is within the bounds; none where every route is."""
        return [] if self.routes is None else [column.in_(self.routes)]

    def narrow(self, since: int | None, until: int | None) -> tuple[int | None, int | None]:
        """Return a range of time within the bounds."""
        return (
            max((one for one in (since, self.since) if one is not None), default=None),
            min((one for one in (until, self.until) if one is not None), default=None),
        )


EVERYTHING = Scope()
NOTHING = Scope(routes=())
