"""What people changed: the audit log, newest first."""

import json
from typing import Any

from sqlalchemy import Connection, select

from app.records.model.tables_plan import audit_log


def read_changes(connection: Connection, *, limit: int) -> list[dict[str, Any]]:
    """Return the newest changes: `at` in milliseconds since 1970 UTC, `actor`, `action`, `subject` and `detail`."""
    newest = select(audit_log).order_by(audit_log.c.audit_key.desc()).limit(limit)
    return [
        {
            "at": row.at,
            "actor": row.actor,
            "action": row.action,
            "subject": row.subject,
            "detail": json.loads(row.detail),
        }
        for row in connection.execute(newest)
    ]
