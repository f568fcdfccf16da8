"""Queries of reports: dials newest first, one dial, one call with all its records."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, func, or_, select, text, union_all

from app.records.model.state import CallState, DialState, LegState, RecordingState
from app.records.model.tables import REQUEST_DIFFERS, calls, dials, legs, receipts, recordings
from app.records.reading.filters import Branches, DialFilters, alternatives, time_bounds
from app.records.reading.followups import states_of
from app.records.reading.read_session import call_of, dial_of, leg_of, recording_of

# The most dials that a page reads when one filter finds them and another drops them. The page then ends early, with a
# cursor, so that no page is slow however few dials match.
LOOKED_AT = 1000
_WHOLE_SECOND = 2000  # Milliseconds: the second that Plivo cuts off, and the way of a webhook.
RECEIPTS_SHOWN = 1000  # The most webhooks shown of one call.


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDial:
    """A dial with the signature and the number of deliveries of its report."""

    dial: DialState
    call_uuid: str
    signature: str | None
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Dials, newest first, and the key before which the next page begins; None on the last page."""

    dials: list[FoundDial]
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCall:
    """One call with all its records. Receipts are rows of their table, in the order received."""

    call: CallState
    dials: list[FoundDial]
    legs: list[LegState]
    receipts: list[RowMapping]
    recordings: list[RecordingState]
    followup: str | None = None


def find_dials(connection: Connection, filters: DialFilters, *, limit: int, before: int | None = None) -> Page:
    """Return the newest dials that match, with keys smaller than `before`.

    A page may hold fewer than `limit` dials and still not be the last.
    """
    filter_walks = alternatives(connection, filters)
    if not all(filter_walks):
        return Page(dials=[], before=None)
    bounds = time_bounds(filters)
    if before is not None:
        bounds.append(dials.c.dial_key < before)
    floor = None
    if len(filter_walks) > 1:
        filter_walks, floor = _rarest_first(connection, filter_walks, bounds)
    walks, others = (filter_walks[0], filter_walks[1:]) if filter_walks else ([and_(True)], [])
    if floor is not None:
        bounds = [*bounds, dials.c.dial_key >= floor]
    keys = _fitting(_walk(walks, bounds, LOOKED_AT), others, limit + 1) if others else _walk(walks, bounds, limit + 1)
    found = _find_whole(connection, _dials_of_keys(keys))
    if len(found) > limit:
        return Page(dials=found[:limit], before=found[limit - 1].dial.dial_key)
    return Page(dials=found, before=floor)


def find_dial(connection: Connection, dial_id: str) -> FoundDial | None:
    """Return one dial by its id."""
    found = _find_whole(connection, _joined().where(dials.c.dial_id == dial_id))
    return found[0] if found else None


def find_dial_by_key(connection: Connection, dial_key: int) -> FoundDial | None:
    """Return one dial by its row key."""
    found = _find_whole(connection, _joined().where(dials.c.dial_key == dial_key))
    return found[0] if found else None


def find_call(connection: Connection, call_uuid: str) -> FoundCall | None:
    """Return one call with its dials, legs, receipts and recordings, each ordered by time.

    The UUID of the request that placed a call also finds it: the API returns only that when it places a call.
    """
    row = _call(connection, calls.c.call_uuid == call_uuid) or _call(
        connection, and_(calls.c.request_uuid == call_uuid, text(REQUEST_DIFFERS))
    )
    if row is None:
        return None
    call = call_of(row)
    of_call = (
        connection.execute(select(table).where(table.c.call_key == call.call_key)).mappings()
        for table in (legs, recordings)
    )
    found_legs, found_recordings = of_call
    arrived = connection.execute(
        select(receipts).where(receipts.c.call_key == call.call_key).limit(RECEIPTS_SHOWN)
    ).mappings()
    found_dials = _find_whole(connection, _joined().where(dials.c.call_key == call.call_key).order_by(dials.c.dial_key))
    return FoundCall(
        call=with_fitting_times(call, [found.dial for found in found_dials]),
        dials=found_dials,
        legs=sorted(map(leg_of, found_legs), key=lambda leg: (leg.position or 0, leg.b_leg_uuid)),
        receipts=sorted(arrived, key=lambda receipt: (receipt["received_at"], receipt["receipt_key"])),
        recordings=sorted(map(recording_of, found_recordings), key=lambda recording: recording.recorded_at),
        followup=states_of(connection, [call.call_key]).get(call.call_key),
    )


def with_fitting_times(call: CallState, of_call: Sequence[DialState]) -> CallState:
    """Return a call whose times in whole seconds, as Plivo writes them, fit the milliseconds of its dials.

    Nothing of a call happens after its end, and a caller is not answered by a callee who has yet to pick up.
    """
    ended_at, answered_at = call.ended_at, call.answered_at
    if ended_at is not None:
        ended_at = max([ended_at, *(dial.started_at for dial in of_call), *(dial.ended_at or 0 for dial in of_call)])
    picked_up = [dial.answered_at for dial in of_call if dial.answered_at is not None]
    if answered_at is not None and picked_up and 0 < min(picked_up) - answered_at < _WHOLE_SECOND:
        answered_at = min(picked_up)
    return replace(call, ended_at=ended_at, answered_at=answered_at)


def _call(connection: Connection, claim: ColumnElement[bool]) -> RowMapping | None:
    return connection.execute(select(calls).where(claim).order_by(calls.c.call_key).limit(1)).mappings().first()


def find_receipt(connection: Connection, receipt_key: int) -> RowMapping | None:
    """Return one receipt: the row of its table."""
    return connection.execute(select(receipts).where(receipts.c.receipt_key == receipt_key)).mappings().first()


def _rarest_first(
    connection: Connection, filter_walks: list[Branches], bounds: Branches
) -> tuple[list[Branches], int | None]:
    """Return the filters, the most selective first, and the smallest key that `LOOKED_AT` of its rows reach.

    The key is None when the filter has fewer rows.
    """
    floors = _floors(connection, filter_walks, bounds)
    first = min(range(len(filter_walks)), key=lambda place: floors[place] or 0)
    return [filter_walks[first], *filter_walks[:first], *filter_walks[first + 1 :]], floors[first]


def _floors(connection: Connection, filter_walks: list[Branches], bounds: Branches) -> list[int | None]:
    """Return for each filter the smallest key that all of its walks reach within `LOOKED_AT` rows."""
    ends = [
        select(dials.c.dial_key)
        .where(walk, *bounds)
        .order_by(dials.c.dial_key.desc())
        .offset(max(LOOKED_AT // len(walks), 1) - 1)
        .limit(1)
        .scalar_subquery()
        for walks in filter_walks
        for walk in walks
    ]
    reached = iter(connection.execute(select(*ends)).one())
    return [
        max((key for key in islice(reached, len(walks)) if key is not None), default=None) for walks in filter_walks
    ]


def _walk(walks: Branches, bounds: Branches, rows: int) -> Select[tuple[int]]:
    """Return the query for the newest keys of several index walks, each key once."""
    newest = [
        select(dials.c.dial_key).where(walk, *bounds).order_by(dials.c.dial_key.desc()).limit(rows) for walk in walks
    ]
    if len(newest) == 1:
        return newest[0]
    every = union_all(*(select(one.subquery()) for one in newest)).subquery()
    return select(every.c.dial_key).distinct().order_by(every.c.dial_key.desc()).limit(rows)


def _fitting(keys: Select[tuple[int]], others: list[Branches], rows: int) -> Select[tuple[int]]:
    """Return the query for the newest keys of a walk whose dials match the other filters."""
    walked = keys.cte("walked").prefix_with("MATERIALIZED")
    # A subquery per dial: with plain conditions PostgreSQL would read the whole indexes of the other filters.
    fits = (
        select(and_(*(or_(*branches) for branches in others)))
        .where(dials.c.dial_key == walked.c.dial_key)
        .scalar_subquery()
    )
    return select(walked.c.dial_key).where(fits).order_by(walked.c.dial_key.desc()).limit(rows)


def _dials_of_keys(keys: Select[tuple[int]]) -> Select[tuple[object, ...]]:
    # MATERIALIZED keeps the planner on the intended index.
    walk = keys.cte("walk").prefix_with("MATERIALIZED")
    return _joined().join(walk, walk.c.dial_key == dials.c.dial_key).order_by(dials.c.dial_key.desc())


def _joined() -> Select[tuple[object, ...]]:
    return (
        select(
            dials, calls.c.call_uuid, receipts.c.signature, func.coalesce(receipts.c.deliveries, 0).label("deliveries")
        )
        .select_from(dials)
        .join(calls, calls.c.call_key == dials.c.call_key)
        .outerjoin(receipts, receipts.c.receipt_key == dials.c.report_key)
    )


def _find_whole(connection: Connection, statement: Select[tuple[object, ...]]) -> list[FoundDial]:
    return [
        FoundDial(
            dial=dial_of(row),
            call_uuid=row["call_uuid"],
            signature=row["signature"],
            deliveries=row["deliveries"],
        )
        for row in connection.execute(statement).mappings()
    ]
