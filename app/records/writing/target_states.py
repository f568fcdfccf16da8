"""Keep the state of watched targets, in the transaction that stores what happened to them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update

from app.records.model.ids import now
from app.records.model.state import CallRecord, DialState, Placement
from app.records.model.target_state import DeadRule, TargetState, target_states
from app.records.store.statements import Cursor, Statements
from app.records.store.store import Store
from app.records.writing.audit import record_change
from app.records.writing.fold_receipt import leg_outcomes
from app.records.writing.outbox import EventType
from app.voice.outcome import Outcome

Watched = Mapping[tuple[str | None, str | None], DeadRule | None]
"""The steps whose targets are watched, by route and step, each with its rule for dead phones, if any."""

UNWATCHED: Watched = {}
_LONGEST_TRIAL = 660_000  # Milliseconds: the longest ring of a dial, and a minute for its report.


class _News(NamedTuple):
    """What a dial says about one of its targets; `outcome` is None where it says nothing of this one."""

    target: str
    dial: DialState
    outcome: str | None


class TargetStates:
    """The states of the targets of one transaction."""

    def __init__(self, cursor: Cursor, statements: Statements, watched: Watched) -> None:
        self._cursor = cursor
        self._sql = statements
        self._watched = watched

    def claim(self, placement: Placement | None) -> bool:
        """Claim the right to try dead phones again for the dial that is placed; one dial at a time has it."""
        at = now()
        for target in placement.trials if placement else ():
            dial_id = placement.dial_id if placement else None
            self._cursor.execute(self._sql.claim_target, (dial_id, at + _LONGEST_TRIAL, target, at))
            if self._cursor.fetchone() is None:
                self._cursor.execute(self._sql.release_targets, (dial_id,))
                return False
        return True

    def update(
        self, records: Iterable[CallRecord], stored: Mapping[int, tuple[Any, ...]]
    ) -> Iterator[tuple[EventType, TargetState]]:
        """Store what changed dials say about their targets; yield each target that went down or came up."""
        news = [item for record in records for item in self._news(record, stored)] if self._watched else []
        if not news:
            return
        names = sorted({item.target for item in news})
        self._cursor.executemany(self._sql.new_target, [(name, "[]", "{}") for name in names])
        self._cursor.execute(self._sql.targets_by_name, (self._sql.many(names),))
        rows = self._cursor.fetchall()
        states = {state.target: state for state in map(self._sql.targets.read, rows)}
        before = {name: state.down_since for name, state in states.items()}
        for item in news:
            _apply(states[item.target], item, self._watched.get((item.dial.route, item.dial.step)))
        self._cursor.executemany(
            self._sql.targets.update, [self._sql.targets.update_values(one) for one in states.values()]
        )
        for name, state in states.items():
            if (state.down_since is None) != (before[name] is None):
                yield (EventType.TARGET_UP if state.down_since is None else EventType.TARGET_DOWN), state

    def _news(self, record: CallRecord, stored: Mapping[int, tuple[Any, ...]]) -> Iterator[_News]:
        for dial in record.dials.values():
            is_watched = (dial.route, dial.step) in self._watched
            if not is_watched or dial.targets is None or self._sql.dials.values(dial) == stored.get(id(dial)):
                continue
            targets = json.loads(dial.targets)
            outcomes: dict[str, str] = {} if len(targets) > 1 else {targets[0]: dial.outcome}
            outcomes = leg_outcomes(record, dial.dial_id) | outcomes
            if dial.answered_by is not None:
                outcomes[dial.answered_by] = Outcome.ANSWERED.value
            if dial.ended_at is not None or dial.answered_by is not None:
                yield from (_News(target, dial, outcomes.get(target)) for target in targets)


def read_targets(store: Store) -> list[TargetState]:
    """Return the states of all targets that are watched or taken out. Raises the store's errors."""
    with store.engine.connect() as connection:
        return [TargetState(*row) for row in connection.execute(select(target_states).order_by(target_states.c.target))]


def set_out(store: Store, target: str, *, is_out: bool, actor: str) -> bool:
    """Take a target out or put it back in; return whether that changes anything. Raises `StoreUnavailable`."""
    columns = target_states.c
    with store.transaction() as connection:
        known = connection.execute(select(columns.out_at).where(columns.target == target)).first()
        if (known is not None and known.out_at is not None) == is_out:
            return False
        if known is None:
            connection.execute(insert(target_states).values(target=target, failed_at="[]", talking="{}"))
        values = {"out_at": now(), "out_by": actor} if is_out else {"out_at": None, "out_by": None}
        connection.execute(update(target_states).where(columns.target == target).values(values))
        record_change(connection, actor=actor, action="target.out" if is_out else "target.in", subject=target)
    return True


def _apply(state: TargetState, news: _News, rule: DeadRule | None) -> None:
    dial, has_talked = news.dial, news.outcome == Outcome.ANSWERED
    if dial.ended_at is None:
        if has_talked:
            state.talk(dial.dial_id, dial.answered_at or now())
        return
    state.finish(dial.dial_id, dial.ended_at, talked=has_talked)
    state.note(news.outcome, dial.ended_at, rule)
