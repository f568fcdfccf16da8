"""Deliveries: each event waits for each of its addresses until it is delivered, dropped or given up.

A sender claims deliveries for a while; when its process dies, they fall due again. To one address the events of one
call go out in their order: the next one waits until the one before is settled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, exists, or_, select, text, update

from app.records.model.ids import first_key, now
from app.records.model.tables_events import deliveries, events, job_facts
from app.records.store.store import Store
from app.records.writing.audit import record_change

WAITING, DELIVERED, DROPPED, DEAD = "waiting", "delivered", "dropped", "dead"
_KEPT = 7 * 86_400_000  # Milliseconds that settled deliveries stay on the page.
_DEAD_KEPT = 30 * 86_400_000
_PRUNED_AT_ONCE = 500
_SET_FACT = (
    "INSERT INTO job_facts (name, value, at) VALUES (:name, :value, :at) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = excluded.at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One delivery to make; `attempts` includes the current one, `due_at` is when the claim expires."""

    event_key: int
    address: str
    type: str
    subject: str
    call_key: int | None
    route: str | None
    revision: int
    body: str
    attempts: int
    due_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How an attempt ended. `retry_in` is in milliseconds, for a delivery that still waits."""

    claim: Claim
    state: str
    milliseconds: int | None = None
    reason: str | None = None
    retry_in: int | None = None


def addresses_due(connection: Connection, at: int) -> set[str]:
    """Return the addresses for which a delivery is due at a time."""
    due = select(deliveries.c.address).where(deliveries.c.state == WAITING, deliveries.c.due_at <= at).distinct()
    return set(connection.scalars(due))


def claim(store: Store, address: str, *, limit: int, lease: int) -> list[Claim]:
    """Claim what is due at an address, oldest first, for `lease` milliseconds. Raises `StoreUnavailable`."""
    earlier = deliveries.alias("earlier")
    waits_for_another = exists().where(
        earlier.c.call_key == deliveries.c.call_key,
        earlier.c.address == address,
        earlier.c.state == WAITING,
        earlier.c.event_key < deliveries.c.event_key,
    )
    due = (
        select(deliveries.c.event_key)
        .where(deliveries.c.address == address, deliveries.c.state == WAITING, ~waits_for_another)
        .order_by(deliveries.c.due_at, deliveries.c.event_key)
        .limit(limit)
    )
    with store.transaction() as connection:
        at = store.clock(connection)
        due = due.where(deliveries.c.due_at <= at)
        keys = list(connection.scalars(due if store.is_sqlite else due.with_for_update(skip_locked=True)))
        if not keys:
            return []
        mine = and_(deliveries.c.address == address, deliveries.c.event_key.in_(keys))
        connection.execute(
            update(deliveries).where(mine).values(due_at=at + lease, attempts=deliveries.c.attempts + 1, reason=None)
        )
        rows = connection.execute(
            select(events, deliveries.c.address, deliveries.c.attempts, deliveries.c.due_at)
            .join(deliveries, deliveries.c.event_key == events.c.event_key)
            .where(mine)
            .order_by(events.c.event_key)
        )
        return [Claim(**row) for row in rows.mappings()]


def settle(store: Store, attempts: Sequence[Attempt]) -> None:
    """Store how attempts ended, unless their claim expired meanwhile. Raises `StoreUnavailable`."""
    with store.transaction() as connection:
        at = store.clock(connection)
        for one in attempts:
            same = (deliveries.c[name] == getattr(one.claim, name) for name in ("event_key", "address", "due_at"))
            due_at = one.claim.due_at if one.retry_in is None else at + one.retry_in
            new = {"state": one.state, "due_at": due_at, "tried_at": at}
            new |= {"milliseconds": one.milliseconds, "reason": one.reason}
            connection.execute(update(deliveries).where(*same, deliveries.c.state == WAITING).values(new))


def resend(
    store: Store, event_keys: Sequence[int], *, states: Sequence[str] = (), address: str | None = None, actor: str
) -> int:
    """Make deliveries due again, with all their attempts: those of these events, and all in these states.

    Returns how many. Raises `StoreUnavailable`.
    """
    is_between_attempts = or_(deliveries.c.state != WAITING, deliveries.c.reason.is_not(None))
    chosen = [or_(deliveries.c.event_key.in_(event_keys), and_(deliveries.c.state.in_(states), is_between_attempts))]
    if address is not None:
        chosen.append(deliveries.c.address == address)
    with store.transaction() as connection:
        again = update(deliveries).where(*chosen).values(state=WAITING, due_at=store.clock(connection), attempts=0)
        count = connection.execute(again).rowcount
        record_change(
            connection, actor=actor, action="events.resent", subject=address or "all", detail={"count": count}
        )
    return count


def drop_all(store: Store, address: str, *, reason: str) -> None:
    """Drop what waits for an address. Raises `StoreUnavailable`."""
    mine = and_(deliveries.c.address == address, deliveries.c.state == WAITING)
    with store.transaction() as connection:
        connection.execute(update(deliveries).where(mine).values(state=DROPPED, reason=reason))


def prune_events(store: Store) -> int:
    """Delete events whose deliveries were settled long ago, a few at a time; return how many."""
    old, dead = first_key(now() - _KEPT), first_key(now() - _DEAD_KEPT)
    is_kept = exists().where(
        deliveries.c.event_key == events.c.event_key,
        or_(deliveries.c.state == WAITING, and_(deliveries.c.state == DEAD, deliveries.c.event_key >= dead)),
    )
    chosen = select(events.c.event_key).where(events.c.event_key < old, ~is_kept).limit(_PRUNED_AT_ONCE)
    with store.transaction() as connection:
        keys = list(connection.scalars(chosen))
        for table in (deliveries, events):
            connection.execute(delete(table).where(table.c.event_key.in_(keys)))
    return len(keys)


def lead(store: Store, name: str, holder: str, *, lease: int) -> bool:
    """Return whether `holder` may do a job for `lease` milliseconds; of all processes and nodes one may.

    Raises `StoreUnavailable`.
    """
    taking = text(f"{_SET_FACT} WHERE job_facts.value = excluded.value OR job_facts.at < :now")
    with store.transaction() as connection:
        at = store.clock(connection)
        return bool(connection.execute(taking, {"name": name, "value": holder, "at": at + lease, "now": at}).rowcount)


def find_fact(connection: Connection, name: str) -> str | None:
    """Return what a job noted under a name."""
    return connection.scalar(select(job_facts.c.value).where(job_facts.c.name == name))


def set_fact(connection: Connection, name: str, value: str) -> None:
    """Note a fact for later runs of a job, on any node."""
    connection.execute(text(_SET_FACT), {"name": name, "value": value, "at": now()})
