"""The last deliveries of events and notices, and how long the oldest waits."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from app.records.model.ids import key_time, now
from app.records.model.tables_events import deliveries, events, outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDelivery:
    """One event on its way to one address. Times are in milliseconds since 1970 UTC."""

    event_key: int
    type: str
    subject: str
    route: str | None
    address: str
    state: str
    due_at: int
    attempts: int
    tried_at: int | None
    milliseconds: int | None
    reason: str | None

    @property
    def created_at(self) -> int:
        """When the event was made."""
        return key_time(self.event_key)


def find_deliveries(
    connection: Connection,
    *,
    state: str | None = None,
    address: str | None = None,
    route: str | None = None,
    limit: int,
) -> list[FoundDelivery]:
    """Return the newest deliveries of a state, to an address, about a route; of all where None is given."""
    columns = [column for column in deliveries.columns if column.name != "call_key"]
    query = select(events.c.type, events.c.subject, events.c.route, *columns).join(
        deliveries, deliveries.c.event_key == events.c.event_key
    )
    for column, value in ((deliveries.c.state, state), (deliveries.c.address, address), (events.c.route, route)):
        if value is not None:
            query = query.where(column == value)
    newest = query.order_by(deliveries.c.event_key.desc(), deliveries.c.address).limit(limit)
    return [FoundDelivery(**row) for row in connection.execute(newest).mappings()]


def count_deliveries(connection: Connection) -> dict[str, int]:
    """Return how many deliveries wait and how many were given up."""
    counted = select(func.count()).select_from(deliveries)
    states = ("waiting", "dead")
    return {state: connection.scalar(counted.where(deliveries.c.state == state)) or 0 for state in states}


def oldest_waiting(connection: Connection) -> int:
    """Return for how many milliseconds the oldest event has waited; 0 for none.

    Those that wait for their next attempt count, notices that wait for the end of quiet hours do not.
    """
    at = now()
    is_waiting = (deliveries.c.state == "waiting", or_(deliveries.c.attempts > 0, deliveries.c.due_at <= at))
    waiting = connection.scalar(select(func.min(deliveries.c.event_key)).where(*is_waiting))
    overdue = connection.scalar(select(func.min(outbox.c.due_at)).where(outbox.c.due_at <= at))
    moments = [at if waiting is None else key_time(waiting), at if overdue is None else overdue]
    return max(0, at - min(moments))
