"""One table of counted hours, of calls and of dials."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BOUNDS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 28, 36, 47, 60, 80, 105, 140, 180, 240, 300, "longer")
_TEXTS = ("direction", "route", "to_number", "outcome", "answered_by", "target", "dial_status", "cause", "reason")
_BEFORE = ("outcome", "dial_status", "dial_hangup_cause", "route", "to_number", "targets", "answered_by")


def upgrade() -> None:
    """Replace the tables; the server counts the hours again in the background, the newest first."""
    for name in ("late_changes", "tallies", "tally_spans"):
        op.drop_table(name)
    op.create_table(
        "call_rollups",
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in _TEXTS),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("dials", sa.Integer(), nullable=False),
        sa.Column("talk_seconds", sa.BigInteger(), nullable=False),
        *(sa.Column(f"waits_{bound}", sa.Integer(), nullable=False) for bound in _BOUNDS),
        sa.PrimaryKeyConstraint("kind", "hour", "number", name=op.f("pk_call_rollups")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_hours",
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("is_pruned", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("hour", name=op.f("pk_rollup_hours")),
        sqlite_with_rowid=False,
    )
    _create_late_changes("call_key")


def downgrade() -> None:
    """Create the tables of before, empty: the version before counts every hour and day again."""
    for name in ("late_changes", "rollup_hours", "call_rollups"):
        op.drop_table(name)
    op.create_table(
        "tally_spans",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("finish", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("level", "start", name=op.f("pk_tally_spans")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tallies",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("apart", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=name != "outcome") for name in _BEFORE),
        sa.Column("dials", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("talk_seconds", sa.BigInteger(), nullable=False),
        sa.Column("waits", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("level", "apart", "start", "number", name="pk_tallies"),
        sqlite_with_rowid=False,
    )
    _create_late_changes("dial_key")


def _create_late_changes(column: str) -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "late_changes",
        sa.Column("change_key", key, autoincrement=False, nullable=False),
        sa.Column(column, sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("change_key", name=op.f("pk_late_changes")),
    )
