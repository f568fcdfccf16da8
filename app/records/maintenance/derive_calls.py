"""Derive the outcome of calls that an older version stored, while webhooks are stored.

Those calls have no outcome, and the index on it finds them: an interrupted run goes on where it ended, and several
processes may run at once.
"""

import logging
import time
from collections.abc import Callable

from sqlalchemy import func, select

from app.records.model.ids import first_key, make_key, now
from app.records.model.periodic_job import PeriodicJob
from app.records.model.receipt import StoreUnavailable
from app.records.model.state import CallRecord
from app.records.model.tables import calls
from app.records.rollups.update import hour_of
from app.records.store.statements import Cursor, Statements
from app.records.store.store import Store
from app.records.store.version import tables_of_this_version
from app.records.writing.derive_call import derive_call

log = logging.getLogger(__name__)

OnProgress = Callable[[int], None]  # Called after each step with the calls derived since the last one.

_BATCH = 200
_PAUSE = 0.01  # Seconds between two transactions; webhooks write in between.


def count_without_outcome(store: Store) -> int:
    """Return how many calls are still to be derived. Raises `StoreUnavailable`."""
    with tables_of_this_version(store) as connection:
        return connection.execute(select(func.count()).where(calls.c.outcome.is_(None))).scalar_one()


def derive_calls(store: Store, step: OnProgress) -> int:
    """Derive every call that has no outcome yet, oldest first; return how many. Raises `StoreUnavailable`.

    What was derived by then stays derived, also when `step` raises.
    """
    derived = 0
    while count := _derive_some(store):
        derived += count
        step(count)
        time.sleep(_PAUSE)
    return derived


def _derive_some(store: Store) -> int:
    sql = store.statements
    with tables_of_this_version(store) as connection:
        waiting = (
            select(calls.c.call_key, calls.c.call_uuid).where(calls.c.outcome.is_(None)).order_by(calls.c.call_key)
        )
        found = {row.call_key: row.call_uuid for row in connection.execute(waiting.limit(_BATCH))}
    if not found:
        return 0
    with store.write(found.values()) as cursor:
        # Another process may have derived some of them meanwhile.
        records = [record for record in _read(cursor, sql, list(found)) if record.call.outcome is None]
        for record in records:
            before = sql.calls.values(record.call)
            derive_call(record)
            cursor.execute(*sql.calls.update_changed(before, sql.calls.values(record.call)))
        if records:
            # Their hours may have been counted already.
            hours = {hour_of(record.call.call_key) for record in records}
            cursor.executemany(sql.late_change, [(make_key(now()), first_key(hour)) for hour in hours])
    return len(found)


def _read(cursor: Cursor, sql: Statements, call_keys: list[int]) -> list[CallRecord]:
    """Return the records of calls without their legs, which say nothing more once the dials are derived."""
    keys = sql.many(call_keys)
    cursor.execute(sql.calls_by_key, (keys,))
    found = {call.call_key: CallRecord(call) for call in map(sql.calls.read, cursor.fetchall())}
    cursor.execute(sql.dials_of_calls, (keys,))
    for dial in map(sql.dials.read, cursor.fetchall()):
        found[dial.call_key].dials[dial.dial_id] = dial
    cursor.execute(sql.recordings_of_calls, (keys,))
    for recording in map(sql.recordings.read, cursor.fetchall()):
        found[recording.call_key].recordings[recording.recording_id] = recording
    return list(found.values())


class CallDerivation(PeriodicJob):
    """Derives the calls of an older version in the server, once after its start."""

    name = "call-derivation"

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def work(self) -> float | None:
        """Derive all that is left; rest for good after that."""
        try:
            derived = derive_calls(self._store, self.check_stop)
        except StoreUnavailable as error:
            log.info("call_derivation_waits", extra={"error": str(error)})
            return 60.0
        if derived:
            log.info("calls_derived", extra={"calls": derived})
        return None
