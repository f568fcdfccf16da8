"""The current state of the records, for metrics; cheap at any size, because it is read often."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC

from sqlalchemy import Column, Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from app.records.model.ids import first_key, now
from app.records.model.receipt import StoreUnavailable
from app.records.model.tables import calls, dials
from app.records.model.tables_events import outbox
from app.records.model.target_state import target_states
from app.records.reading.call_filters import CallFilters
from app.records.reading.deliveries import count_deliveries, oldest_waiting
from app.records.reading.figures import GroupBy
from app.records.reading.followups import FollowupFigures, FollowupFilters, read_figures
from app.records.reading.incomplete import count_orphans
from app.records.reading.summaries import summarise
from app.records.store.store import Store
from app.voice.outcome import Outcome

_DAY = 24 * 60 * 60 * 1000  # milliseconds; the longest that a dial lasts (timeLimit of Dial)
_NEWEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """The current state of the records.

    `calls` counts those that began within the last 24 hours, by outcome, as the dashboard does. `outgoing` counts the
    deliveries still to be made, `dead_deliveries` those given up, and `oldest_waiting` is for how many milliseconds the
    oldest has waited. `orphan_receipts` counts the receipts of the last day that name no call. `newest_report_at` is
    in milliseconds since 1970 UTC, and None when no dial among the newest has a report.
    """

    open_dials: int
    calls: Mapping[str, int]
    outgoing: int
    dead_deliveries: int
    oldest_waiting: int
    orphan_receipts: int
    followups: FollowupFigures
    newest_report_at: int | None
    targets_down: int
    targets_out: int


def read_gauges(store: Store) -> Gauges:
    """Return the current state of the records. Raises `StoreUnavailable`."""
    open_dials = (
        select(func.count())
        .select_from(dials)
        .where(dials.c.outcome == Outcome.IN_PROGRESS, dials.c.dial_key >= first_key(now() - _DAY))
    )
    queued = select(func.count()).select_from(outbox)
    newest = select(dials.c.reported_at).order_by(dials.c.dial_key.desc()).limit(_NEWEST).subquery()
    try:
        with store.engine.connect() as connection:
            counts = count_deliveries(connection)
            return Gauges(
                calls=summarise(connection, CallFilters(since=now() - _DAY), GroupBy.OUTCOME, UTC).whole.outcomes,
                open_dials=connection.execute(open_dials).scalar_one(),
                outgoing=(connection.scalar(queued) or 0) + counts["waiting"],
                dead_deliveries=counts["dead"],
                oldest_waiting=oldest_waiting(connection),
                followups=read_figures(connection, FollowupFilters()),
                orphan_receipts=count_orphans(connection, since=now() - _DAY),
                targets_down=_count_targets(connection, target_states.c.down_since),
                targets_out=_count_targets(connection, target_states.c.out_at),
                newest_report_at=connection.execute(select(func.max(newest.c.reported_at))).scalar_one(),
            )
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable("the store cannot be reached") from error


def has_calls(connection: Connection) -> bool:
    """Return whether any call has been recorded."""
    return connection.execute(select(calls.c.call_key).limit(1)).first() is not None


def _count_targets(connection: Connection, since: Column[int]) -> int:
    return connection.scalar(select(func.count()).where(since.is_not(None))) or 0
