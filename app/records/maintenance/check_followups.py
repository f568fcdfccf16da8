"""Check the follow-ups of every caller, and forget a person in what people wrote about them."""

import re

from sqlalchemy import ColumnElement, Connection, String, Table, cast, func, or_, select, update

from app.records.model.tables_followup import followup_marks, followups
from app.records.store.store import Store, Writer
from app.records.writing.followup_rows import EVERY_CALL, Touch, update_followups
from app.records.writing.followups import ANONYMOUS, Rules
from app.voice.outcome import CallOutcome

_CHUNK = 200


def check_followups(store: Store, writer: Writer, rules: Rules, *, repair: bool) -> int:
    """Derive the follow-ups of every caller; return how many callers had others, which `repair` writes."""
    sql, differing, last = store.statements, 0, ""
    while True:
        writer.cursor.execute(
            f"SELECT from_number FROM calls WHERE from_number > {sql.mark} "  # noqa: S608 - The driver's own mark.
            f"UNION SELECT caller FROM followups WHERE caller > {sql.mark} "
            f"UNION SELECT '{ANONYMOUS}' || call_uuid FROM calls WHERE outcome = '{CallOutcome.MESSAGE_LEFT}' AND "
            f"'{ANONYMOUS}' || call_uuid > {sql.mark} ORDER BY 1 LIMIT {_CHUNK}",
            (last,) * 3,
        )
        callers = [caller for (caller,) in writer.cursor.fetchall()]
        if not callers:
            return differing
        last = callers[-1]
        writer.begin([])
        try:
            changes = update_followups(writer.cursor, sql, dict.fromkeys(callers, Touch()), rules, limit=EVERY_CALL)
        except Exception:
            writer.rollback()
            raise
        if repair:
            writer.commit()
        else:
            writer.rollback()
        differing += len({one.caller for change in changes if (one := change.after or change.before)})


def forget_notes(connection: Connection, person: str, pattern: re.Pattern[str]) -> None:
    """Remove the notes that mention a person."""
    for table in (followups, followup_marks):
        found = connection.execute(select(table.c.note).where(_mentions(table, "note", person)).distinct()).scalars()
        naming = [text for text in found if pattern.search(text)]
        connection.execute(update(table).where(table.c.note.in_(naming)).values(note=None))


def count_mentions(connection: Connection, person: str, pattern: re.Pattern[str]) -> int:
    """Count the callers and notes that mention a person."""
    texts = [
        text
        for table in (followups, followup_marks)
        for row in connection.execute(
            select(table.c.caller, table.c.note).where(
                or_(_mentions(table, "caller", person), _mentions(table, "note", person))
            )
        )
        for text in row
    ]
    return sum(bool(text and pattern.search(text)) for text in texts)


def _mentions(table: Table, column: str, person: str) -> ColumnElement[bool]:
    needle = person.removeprefix("sip:").removeprefix("+").lower()
    return func.lower(cast(table.c[column], String)).contains(needle, autoescape=True)
