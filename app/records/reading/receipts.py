"""Receipts in the order of their calls, for reports about what was received."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, func, select

from app.records.model.ids import first_key
from app.records.model.receipt import first_params
from app.records.model.tables import calls, receipts
from app.records.reading.read_session import read_session
from app.records.store.store import Store

_BATCH = 500  # Calls, and rows fetched at once.


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedReceipt:
    """What came in one webhook: its kind, the verdict about its signature, the first value of each parameter."""

    kind: str
    signature: str
    params: Mapping[str, str]


def count_calls(connection: Connection, *, since: int) -> int:
    """Return the number of calls first heard of since a time in milliseconds."""
    count: int = connection.execute(
        select(func.count()).select_from(calls).where(calls.c.call_key >= first_key(since))
    ).scalar_one()
    return count


def receipts_by_call(store: Store, *, since: int) -> Iterator[Iterator[ReceivedReceipt]]:
    """Yield for each call first heard of since a time in milliseconds its receipts, in the order received.

    Take the receipts of a call before the next call: they are streamed. Every batch of calls is read in a session of
    its own, so that a long walk holds no snapshot.
    """
    start = first_key(since)
    while True:
        with read_session(store) as connection:
            keys = connection.scalars(
                select(calls.c.call_key).where(calls.c.call_key >= start).order_by(calls.c.call_key).limit(_BATCH)
            ).all()
            if not keys:
                return
            rows = connection.execution_options(yield_per=_BATCH).execute(
                select(receipts.c.call_key, receipts.c.kind, receipts.c.signature, receipts.c.params)
                .where(receipts.c.call_key.between(keys[0], keys[-1]))
                .order_by(receipts.c.call_key, receipts.c.received_at, receipts.c.receipt_key)
            )
            for _, group in groupby(rows, key=lambda row: row.call_key):
                yield map(_received, group)
        start = keys[-1] + 1


def _received(row: Row[*tuple[Any, ...]]) -> ReceivedReceipt:
    return ReceivedReceipt(kind=row.kind, signature=row.signature, params=first_params(row.params))
