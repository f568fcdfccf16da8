"""Keep in memory what decisions may know of targets and callers: read once a second, so that no webhook waits."""

import logging
import time
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from app.context import Services
from app.plan.contacts import ContactsError, read_contacts
from app.plan.health import Health
from app.plan.snapshot import LiveState
from app.records.model.periodic_job import PeriodicJob
from app.records.model.receipt import StoreUnavailable
from app.records.model.target_state import TargetState
from app.records.writing.target_states import read_targets

log = logging.getLogger(__name__)

_PAUSE = 1.0  # Seconds.
_LONGEST_TALK = 14_400_000  # Milliseconds: a conversation whose end was never reported does not count for longer.


class TargetRefresh(PeriodicJob):
    """Reads the states of targets; while the store is away, what was read last holds."""

    name = "targets"

    def __init__(self, shared: Services) -> None:
        super().__init__()
        self._shared = shared
        self._contacts_stamp: int | None = None

    def work(self) -> float:
        """Read them now, and the address book where its file has changed."""
        self._read_contacts()
        try:
            refresh(self._shared.live, read_targets(self._shared.store), now=time.time_ns() // 1_000_000)
        except (SQLAlchemyError, OSError, StoreUnavailable):
            log.debug("targets_not_read")  # Whether the store answers is logged where it matters.
        return _PAUSE

    def _read_contacts(self) -> None:
        path, stamp = self._shared.plan.contacts_path, 0
        if path is None:
            return
        with suppress(OSError):  # Reading it says why.
            stamp = path.stat().st_mtime_ns
        if stamp == self._contacts_stamp:
            return
        self._contacts_stamp = stamp
        try:
            self._shared.live.contacts = read_contacts(path)
        except ContactsError as error:
            log.error("contacts_refused", extra={"reason": str(error)[:1000]})  # noqa: TRY400 - The sentences say all.


def refresh(live: LiveState, states: list[TargetState], *, now: int) -> None:
    """Put the states of targets in the place of those known before."""
    live.health = {
        state.target: Health(
            failed_at=max(state.failures, default=0), down_since=state.down_since, tried_until=state.tried_until or 0
        )
        for state in states
        if state.down_since is not None
    }
    live.idleness = {state.target: state.idle_since for state in states if state.idle_since is not None}
    live.busy_targets = frozenset(
        state.target for state in states if any(since > now - _LONGEST_TALK for since in state.talks_since.values())
    )
    live.out = frozenset(state.target for state in states if state.out_at is not None)
