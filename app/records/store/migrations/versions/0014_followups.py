"""Follow-ups: who must be called back. They begin with the calls after this upgrade."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_OUTGOING = sa.text("direction = 'outbound'")
_CALLED = sa.text("(answered_by = to_number OR direction = 'outbound')")
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and the indexes by number: a second on a million calls with SQLite."""
    _create_followups()
    _create_marks()
    op.create_index("ix_calls_from_number_call_key", "calls", ["from_number", "call_key"])
    for name, condition in (("to_number", _OUTGOING), ("answered_by", _CALLED)):
        op.create_index(
            f"ix_calls_{name}_call_key",
            "calls",
            [name, "call_key"],
            sqlite_where=condition,
            postgresql_where=condition,
        )


def _create_followups() -> None:
    op.create_table(
        "followups",
        sa.Column("followup_key", _KEY, nullable=False, autoincrement=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("route", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("caller_name", sa.Text()),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("first_call_uuid", sa.Text(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("last_call_uuid", sa.Text(), nullable=False),
        sa.Column("call_count", sa.Integer(), nullable=False),
        sa.Column("closed_at", sa.BigInteger()),
        *(sa.Column(name, sa.Text()) for name in ("closed_by", "closing_call_uuid")),
        sa.Column("taken_at", sa.BigInteger()),
        *(sa.Column(name, sa.Text()) for name in ("taken_by", "note")),
        sa.PrimaryKeyConstraint("followup_key", name="pk_followups"),
    )
    op.create_index("ix_followups_caller", "followups", ["caller"])
    op.create_index("ix_followups_state_followup_key", "followups", ["state", "followup_key"])
    op.create_table(
        "followup_calls",
        sa.Column("call_key", _KEY, nullable=False, autoincrement=False),
        sa.Column("followup_key", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("call_key", name="pk_followup_calls"),
    )
    op.create_index("ix_followup_calls_followup_key", "followup_calls", ["followup_key"])


def _create_marks() -> None:
    op.create_table(
        "followup_marks",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("route", sa.Text()),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("action", "actor")),
        sa.Column("note", sa.Text()),
        sa.PrimaryKeyConstraint("caller", "at", name="pk_followup_marks"),
        sqlite_with_rowid=False,
    )
    op.execute(
        sa.text(
            "INSERT INTO followup_marks (caller, at, action, actor) SELECT '', :now, 'begin', 'upgrade' "
            "WHERE EXISTS (SELECT 1 FROM calls)"
        ).bindparams(now=time.time_ns() // 1_000_000)
    )
    op.create_table(
        "recording_marks",
        sa.Column("call_key", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("recording_id", sa.Text(), nullable=False),
        sa.Column("heard_at", sa.BigInteger()),
        sa.Column("heard_by", sa.Text()),
        sa.Column("deleted_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("call_key", "recording_id", name="pk_recording_marks"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("from_number", "to_number", "answered_by"):
        op.drop_index(f"ix_calls_{name}_call_key", "calls")
    for name in ("recording_marks", "followup_marks", "followup_calls", "followups"):
        op.drop_table(name)
