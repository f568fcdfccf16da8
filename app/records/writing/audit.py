"""State of the plan that people change by hand, and the log of everything that people change."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from app.records.model.ids import KeyMaker, now
from app.records.model.tables_plan import audit_log, plan_state
from app.records.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanState:
    """A value that holds beside the plan; times in milliseconds since 1970, `until` None until somebody changes it."""

    value: Mapping[str, Any]
    until: int | None
    changed_at: int
    changed_by: str


def record_change(
    connection: Connection, *, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Add a line to the audit log, in the transaction that makes the change."""
    at = now()
    key = KeyMaker().make(at)
    values = {"audit_key": key, "at": at, "actor": actor, "action": action, "subject": subject}
    connection.execute(insert(audit_log).values(**values, detail=json.dumps(detail or {}, ensure_ascii=False)))


def set_plan_state(
    store: Store, key: str, value: Mapping[str, Any] | None, *, until: int | None = None, actor: str, action: str
) -> None:
    """Store what holds beside the plan, None to let the plan decide again. Raises `StoreUnavailable`."""
    with store.transaction() as connection:
        connection.execute(delete(plan_state).where(plan_state.c.key == key))
        if value is not None:
            row = {"key": key, "value": json.dumps(value, ensure_ascii=False), "until": until}
            connection.execute(insert(plan_state).values(**row, changed_at=now(), changed_by=actor))
        detail = {**(value or {}), **({"until": until} if until is not None else {})}
        record_change(connection, actor=actor, action=action, subject=key, detail=detail)


def read_plan_state(connection: Connection, kind: str) -> dict[str, PlanState]:
    """Return what holds beside the plan at the moment under keys that begin with `kind`, by the rest of the key."""
    rows = connection.execute(select(plan_state))
    return {
        row.key.removeprefix(kind): PlanState(
            value=json.loads(row.value), until=row.until, changed_at=row.changed_at, changed_by=row.changed_by
        )
        for row in rows
        if row.key.startswith(kind) and (row.until is None or row.until > now())
    }
