"""Record what a person does about a follow-up, and derive it again in the same transaction."""

from app.records.model.ids import now
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
    sql = store.statements
    with store.write() as cursor:
        followup = _find(cursor, sql, call_key)
        if followup is None:
            return None
        sql.take_turns(cursor, [lock_name(followup.caller)])
        followup = _find(cursor, sql, call_key)  # Another transaction may have changed it meanwhile.
        if followup is None or not _fits(cursor, sql, followup, action):
            return followup
        cursor.execute(sql.marks_of_callers, (sql.many([followup.caller]),))
        latest = max([followup.last_at, *(row[1] for row in cursor.fetchall())])
        # No store takes NUL, and no encoding writes a lone surrogate.
        text = None if note is None else note.replace("\0", "\ufffd").encode(errors="replace").decode().strip()
        at = max(now(), latest + 1)
        mark = (followup.caller, at, followup.route, action.value, actor, text and text[:LONGEST_NOTE])
        cursor.execute(sql.add_mark, mark)
        changes = update_followups(cursor, sql, {followup.caller: Touch()}, rules)
        if announce:
            sql.queue(cursor, events_of(changes))
        return _find(cursor, sql, call_key)


def _fits(cursor: Cursor, sql: Statements, followup: FollowupState, action: Action) -> bool:
    """Return whether an action changes a follow-up: it fits its state, and no later one of caller and route exists."""
    cursor.execute(sql.followups_of_callers, (sql.many([followup.caller]),))
    others = [sql.followups.read(row) for row in cursor.fetchall()]
    is_newest = all(one.opened_at <= followup.opened_at for one in others if one.route == followup.route)
    return is_newest and _FITS.get(action, followup.state) == followup.state


def _find(cursor: Cursor, sql: Statements, call_key: int) -> FollowupState | None:
    cursor.execute(sql.followup_of_call, (call_key,))
    row = cursor.fetchone()
    return sql.followups.read(row) if row is not None else None
