"""What reports select: dials newest first, one dial, one call with everything about it."""

from dataclasses import dataclass
from itertools import islice

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, func, or_, select, text, union_all

from app.records.model.state import CallState, DialState, LegState, RecordingState
from app.records.model.tables import REQUEST_DIFFERS, calls, dials, legs, receipts, recordings
from app.records.reading.filters import Branches, DialFilters, alternatives, in_time
from app.records.reading.read_session import call_of, dial_of, leg_of, recording_of

# How many dials a page may look at where one filter finds them and another throws them away. A page that would
# look at more ends early and says where to go on, so that no page is slow, however rarely the filters meet.
LOOKED_AT = 1000
RECEIPTS_SHOWN = 1000  # More webhooks than that of one call are no report that anybody reads.


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDial:
    """A dial with what its report's receipt says: the signature's verdict and how often it was delivered."""

    dial: DialState
    call_uuid: str
    signature: str | None
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Dials, newest first, and the key to go on before; None at the end."""

    dials: list[FoundDial]
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCall:
    """One call whole. Receipts are rows of their table, in the order received."""

    call: CallState
    dials: list[FoundDial]
    legs: list[LegState]
    receipts: list[RowMapping]
    recordings: list[RecordingState]


def find_dials(connection: Connection, filters: DialFilters, *, limit: int, before: int | None = None) -> Page:
    """Find the newest dials that are wanted, of those with a smaller key than `before`.

    A page may hold fewer than `limit` and yet not be the last.
    """
    walks_of_filters = alternatives(connection, filters)
    if not all(walks_of_filters):
        return Page(dials=[], before=None)
    bounds = in_time(filters)
    if before is not None:
        bounds.append(dials.c.dial_key < before)
    floor = None
    if len(walks_of_filters) > 1:
        walks_of_filters, floor = _rarest_first(connection, walks_of_filters, bounds)
    walks, others = (walks_of_filters[0], walks_of_filters[1:]) if walks_of_filters else ([and_(True)], [])
    if floor is not None:
        bounds = [*bounds, dials.c.dial_key >= floor]
    keys = _fitting(_walk(walks, bounds, LOOKED_AT), others, limit + 1) if others else _walk(walks, bounds, limit + 1)
    found = _whole(connection, _dials(keys))
    if len(found) > limit:
        return Page(dials=found[:limit], before=found[limit - 1].dial.dial_key)
    return Page(dials=found, before=floor)


def find_dial(connection: Connection, dial_id: str) -> FoundDial | None:
    """Find one dial by its id."""
    found = _whole(connection, _joined().where(dials.c.dial_id == dial_id))
    return found[0] if found else None


def find_dial_by_key(connection: Connection, dial_key: int) -> FoundDial | None:
    """Find one dial by its row's key."""
    found = _whole(connection, _joined().where(dials.c.dial_key == dial_key))
    return found[0] if found else None


def find_call(connection: Connection, call_uuid: str) -> FoundCall | None:
    """Find one call with its dials, legs, receipts and recordings, each in the order of time.

    It may be named by the request that placed it, too: that is all that is known when a call is placed.
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
    return FoundCall(
        call=call,
        dials=_whole(connection, _joined().where(dials.c.call_key == call.call_key).order_by(dials.c.dial_key)),
        legs=sorted(map(leg_of, found_legs), key=lambda leg: (leg.position or 0, leg.b_leg_uuid)),
        receipts=sorted(arrived, key=lambda receipt: (receipt["received_at"], receipt["receipt_key"])),
        recordings=sorted(map(recording_of, found_recordings), key=lambda recording: recording.recorded_at),
    )


def _call(connection: Connection, claim: ColumnElement[bool]) -> RowMapping | None:
    return connection.execute(select(calls).where(claim).order_by(calls.c.call_key).limit(1)).mappings().first()


def find_receipt(connection: Connection, receipt_key: int) -> RowMapping | None:
    """Find one receipt: the row of its table."""
    return connection.execute(select(receipts).where(receipts.c.receipt_key == receipt_key)).mappings().first()


def _rarest_first(
    connection: Connection, walks_of_filters: list[Branches], bounds: Branches
) -> tuple[list[Branches], int | None]:
    """Put the filter first that reaches back the furthest with so many rows; give the smallest key it reaches.

    That key is None where the filter reaches its end.
    """
    floors = _floors(connection, walks_of_filters, bounds)
    first = min(range(len(walks_of_filters)), key=lambda place: floors[place] or 0)
    return [walks_of_filters[first], *walks_of_filters[:first], *walks_of_filters[first + 1 :]], floors[first]


def _floors(connection: Connection, walks_of_filters: list[Branches], bounds: Branches) -> list[int | None]:
    """Find for each filter the smallest key down to which all of its walks may go, of so many rows."""
    ends = [
        select(dials.c.dial_key)
        .where(walk, *bounds)
        .order_by(dials.c.dial_key.desc())
        .offset(max(LOOKED_AT // len(walks), 1) - 1)
        .limit(1)
        .scalar_subquery()
        for walks in walks_of_filters
        for walk in walks
    ]
    reached = iter(connection.execute(select(*ends)).one())
    return [
        max((key for key in islice(reached, len(walks)) if key is not None), default=None) for walks in walks_of_filters
    ]


def _walk(walks: Branches, bounds: Branches, rows: int) -> Select[tuple[int]]:
    """Select the newest keys of several index walks, each key once."""
    newest = [
        select(dials.c.dial_key).where(walk, *bounds).order_by(dials.c.dial_key.desc()).limit(rows) for walk in walks
    ]
    if len(newest) == 1:
        return newest[0]
    every = union_all(*(select(one.subquery()) for one in newest)).subquery()
    return select(every.c.dial_key).distinct().order_by(every.c.dial_key.desc()).limit(rows)


def _fitting(keys: Select[tuple[int]], others: list[Branches], rows: int) -> Select[tuple[int]]:
    """Select the newest of a walk's keys whose dials the other filters let through."""
    walked = keys.cte("walked").prefix_with("MATERIALIZED")
    # Asked dial by dial. As plain conditions PostgreSQL would look them up in their own indexes, which are read from
    # end to end for that.
    fits = (
        select(and_(*(or_(*branches) for branches in others)))
        .where(dials.c.dial_key == walked.c.dial_key)
        .scalar_subquery()
    )
    return select(walked.c.dial_key).where(fits).order_by(walked.c.dial_key.desc()).limit(rows)


def _dials(keys: Select[tuple[int]]) -> Select[tuple[object, ...]]:
    # Fixed as a table of its own, it is walked by the index that was meant, whatever the planner believes.
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


def _whole(connection: Connection, statement: Select[tuple[object, ...]]) -> list[FoundDial]:
    return [
        FoundDial(
            dial=dial_of(row),
            call_uuid=row["call_uuid"],
            signature=row["signature"],
            deliveries=row["deliveries"],
        )
        for row in connection.execute(statement).mappings()
    ]
