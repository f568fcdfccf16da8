"""What people changed: the audit log and what they did about follow-ups, newest first."""

import json
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, select

from app.records.model.tables_followup import followup_marks
from app.records.model.tables_plan import audit_log

_FIELDS = ("at", "actor", "action", "subject", "detail")


def read_changes(connection: Connection, *, limit: int) -> list[dict[str, Any]]:
    """Return the newest changes: `at` in milliseconds since 1970 UTC, `actor`, `action`, `subject` and `detail`."""
    logged = connection.execute(select(audit_log).order_by(audit_log.c.audit_key.desc()).limit(limit))
    # The mark without a caller is not a person's: it says since when callers are followed up.
    by_people = select(followup_marks).where(followup_marks.c.caller != "")
    marks = connection.execute(by_people.order_by(followup_marks.c.at.desc()).limit(limit))
    found = [(row.at, row.actor, row.action, row.subject, json.loads(row.detail)) for row in logged]
    found += [
        (row.at, row.actor, f"followup.{row.action}", row.caller, {"route": row.route, "note": row.note})
        for row in marks
    ]
    newest = sorted(found, key=itemgetter(0), reverse=True)[:limit]
    return [dict(zip(_FIELDS, one, strict=True)) for one in newest]
