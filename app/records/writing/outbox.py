"""The outbox: ended dials whose event is still to be sent.

The journal adds a dial in the transaction that ends it, so that no event is lost or invented. A sender claims dials for
a while; when its process dies, they fall due again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.model.tables import outbox
from app.records.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One dial to send; `attempts` includes the current one."""

    dial_key: int
    attempts: int


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
            return [Claim(dial_key=key, attempts=attempts) for key, attempts in connection.execute(claiming)]
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable("the store did not let the outbox be claimed") from error


def remove(store: Store, dial_keys: Sequence[int]) -> None:
    """Remove dials that were sent or given up. Raises `StoreUnavailable`."""
    try:
        with store.engine.connect() as connection:
            connection.execute(delete(outbox).where(outbox.c.dial_key.in_(dial_keys)))
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable("the store did not let the outbox be emptied") from error


def postpone(store: Store, dial_key: int, *, seconds: float) -> None:
    """Make a dial due again later. Raises `StoreUnavailable`."""
    try:
        with store.engine.connect() as connection:
            due_at = now() + round(seconds * 1000)
            connection.execute(update(outbox).where(outbox.c.dial_key == dial_key).values(due_at=due_at))
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable("the store did not let the outbox be changed") from error
