"""Events of several types, for several addresses, each with its own deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    """Create the tables; dials that wait in the old outbox move to the new one."""
    _create_outbox()
    _create_events()
    _create_deliveries()
    op.create_table(
        "announced",
        sa.Column("call_key", _key(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("answered_by", "message_id")),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("call_key", name="pk_announced"),
    )
    op.create_table(
        "job_facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_job_facts"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back to an outbox of dials; events that wait are lost."""
    for name in ("job_facts", "announced", "deliveries", "events", "outbox"):
        op.drop_table(name)
    op.create_table(
        "outbox",
        sa.Column("dial_key", _key(), autoincrement=False, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dial_key", name="pk_outbox"),
    )
    op.create_index("ix_outbox_due_at", "outbox", ["due_at"])


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _create_outbox() -> None:
    waiting = op.get_bind().execute(
        sa.text("SELECT o.dial_key, d.call_key, o.due_at FROM outbox o JOIN dials d ON d.dial_key = o.dial_key")
    )
    rows = [
        {"subject_key": dial_key, "type": "dial.ended", "call_key": call_key, "due_at": due_at}
        for dial_key, call_key, due_at in waiting
    ]
    op.drop_table("outbox")
    outbox = op.create_table(
        "outbox",
        sa.Column("subject_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("call_key", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("route", "body")),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_key", "type", name="pk_outbox"),
        sqlite_with_rowid=False,
    )
    for column in ("due_at", "call_key"):
        op.create_index(f"ix_outbox_{column}", "outbox", [column])
    op.bulk_insert(outbox, rows)


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("event_key", _key(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("type", "subject")),
        sa.Column("call_key", sa.BigInteger(), nullable=True),
        sa.Column("route", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_key", name="pk_events"),
    )
    op.create_index("ix_events_call_key", "events", ["call_key"])


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("event_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("call_key", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("event_key", "address", name="pk_deliveries"),
        sqlite_with_rowid=False,
    )
    for columns in (["address", "due_at"], ["call_key", "address"]):
        name = f"ix_deliveries_{'_'.join(columns)}"
        op.create_index(name, "deliveries", columns, sqlite_where=_WAITING, postgresql_where=_WAITING)
    op.create_index("ix_deliveries_state_event_key", "deliveries", ["state", "event_key"])
