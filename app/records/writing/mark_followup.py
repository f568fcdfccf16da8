"""Record what a person does about a follow-up, and derive it again in the same transaction."""

from typing import NamedTuple

from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.model.state import FollowupState
from app.records.store.statements import Cursor, Statements
from app.records.store.store import Store
from app.records.writing.followup_rows import Touch, events_of, lock_name, update_followups
from app.records.writing.followups import Action, Followup, Rules

LONGEST_NOTE = 1000  # characters
# In which state of a follow-up an action changes it; a note fits any.
_FITS = {Action.TAKE: Followup.OPEN, Action.DONE: Followup.OPEN, Action.REOPEN: Followup.DONE}


def mark_followup(
    store: Store,
    call_key: int,
    action: Action,
    *,
    actor: str,
    note: str | None = None,
    rules: Rules,
    announce: bool = False,
) -> FollowupState | None:
    """Return the follow-up that a call belongs to, after this action; None where the call belongs to none.

    A note replaces the one before, and an empty one removes it. An action that does not fit the state, such as the
    second of two people who take the same caller off the list, changes nothing. `announce` puts what opens or closes
    into the outbox. Raises `StoreUnavailable`.
    """
    try:
        writer = store.connect_writer()
        try:
            writer.begin([])
            try:
                mark = _Mark(action, actor, note, rules, announce)
                found = _mark(writer.cursor, store.statements, call_key, mark)
                writer.commit()
            except Exception:
                writer.rollback()
                raise
            return found
        finally:
            writer.close()
    except store.errors as error:
        raise StoreUnavailable(f"the store did not take the change: {error}") from error


class _Mark(NamedTuple):
    action: Action
    actor: str
    note: str | None
    rules: Rules
    announce: bool


def _mark(cursor: Cursor, sql: Statements, call_key: int, given: _Mark) -> FollowupState | None:
    followup = _find(cursor, sql, call_key)
    if followup is None:
        return None
    sql.take_turns(cursor, [lock_name(followup.caller)])
    cursor.execute(sql.followups_of_callers, (sql.many([followup.caller]),))
    of_caller = [sql.followups.read(row) for row in cursor.fetchall()]
    followup = _find(cursor, sql, call_key)  # Another transaction may have changed it meanwhile.
    if followup is None:
        return None
    action, actor, note, rules, announce = given
    is_newest = all(one.opened_at <= followup.opened_at for one in of_caller if one.route == followup.route)
    if not is_newest or _FITS.get(action, followup.state) != followup.state:
        return followup
    cursor.execute(sql.marks_of_callers, (sql.many([followup.caller]),))
    latest = max([followup.last_at, *(row[1] for row in cursor.fetchall())])
    # No store takes NUL, and no encoding writes a lone surrogate.
    text = None if note is None else note.replace("\0", "\ufffd").encode(errors="replace").decode().strip()
    mark = (followup.caller, max(now(), latest + 1), followup.route, action.value, actor, text and text[:LONGEST_NOTE])
    cursor.execute(sql.add_mark, mark)
    changes = update_followups(cursor, sql, {followup.caller: Touch()}, rules)
    if announce:
        sql.queue(cursor, events_of(changes))
    return _find(cursor, sql, call_key)


def _find(cursor: Cursor, sql: Statements, call_key: int) -> FollowupState | None:
    cursor.execute(sql.followup_of_call, (call_key,))
    row = cursor.fetchone()
    return sql.followups.read(row) if row is not None else None
