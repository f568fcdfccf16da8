"""The outbox: ended dials whose event is still to be sent.

The journal adds a dial in the transaction that ends it or changes its outcome, so that no event is lost or invented. A
sender claims dials for a while; when its process dies, they fall due again. A dial that changes while it is being sent
gets another due time, by which the sender's claim no longer removes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.model.tables import outbox, receipts
from app.records.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One dial to send; `attempts` includes the current one, `due_at` is when the claim expires."""

    dial_key: int
    attempts: int
    due_at: int


def claim(store: Store, *, limit: int, lease: int) -> list[Claim]:
    """Claim due dials, oldest first, for `lease` milliseconds. Raises `StoreUnavailable`."""
    at = now()
    is_due = outbox.c.due_at <= at
    oldest = select(outbox.c.dial_key).where(is_due).order_by(outbox.c.due_at).limit(limit)
    claiming = (
        update(outbox)
        # Checked again here: of two processes that chose the same rows, the second finds them claimed.
        .where(outbox.c.dial_key.in_(oldest), is_due)
        .values(due_at=at + lease, attempts=outbox.c.attempts + 1)
        .returning(outbox.c.dial_key, outbox.c.attempts)
    )
    try:
        with store.engine.connect() as connection:
            # Most of the time nothing is due, and a read takes no write lock.
            if connection.execute(oldest.limit(1)).first() is None:
                return []
            rows = connection.execute(claiming)
            return [Claim(dial_key=key, attempts=attempts, due_at=at + lease) for key, attempts in rows]
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable("the store did not let the outbox be claimed") from error


def remove(store: Store, claims: Sequence[Claim]) -> None:
    """Remove dials that were sent or given up, unless they changed since. Raises `StoreUnavailable`."""
    if not claims:
        return
    try:
        with store.engine.connect() as connection:
            connection.execute(delete(outbox).where(or_(*map(_is_unchanged, claims))))
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable("the store did not let the outbox be emptied") from error


def postpone(store: Store, one: Claim, *, seconds: float) -> None:
    """Make a dial due again later, unless it changed since. Raises `StoreUnavailable`."""
    try:
        with store.engine.connect() as connection:
            due_at = now() + round(seconds * 1000)
            connection.execute(update(outbox).where(_is_unchanged(one)).values(due_at=due_at))
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable("the store did not let the outbox be changed") from error


def count_receipts(connection: Connection, call_key: int) -> int:
    """Return the number of receipts of a call: the revision of its events, since only a receipt changes an outcome."""
    return connection.scalar(select(func.count()).where(receipts.c.call_key == call_key)) or 0


def _is_unchanged(one: Claim) -> ColumnElement[bool]:
    return and_(outbox.c.dial_key == one.dial_key, outbox.c.due_at == one.due_at)
