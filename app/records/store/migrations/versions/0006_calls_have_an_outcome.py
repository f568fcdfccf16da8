"""The outcome of a call, and what the plan decided about it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TEXTS = ("turned_away", "ending", "route", "outcome", "answered_by", "recording_id")
_NUMBERS = ("waited_seconds", "talk_seconds")


def upgrade() -> None:
    """Add the columns, which takes no time. `derive_calls` fills those of stored calls, a few at a time."""
    for name in _TEXTS:
        op.add_column("calls", sa.Column(name, sa.Text(), nullable=True))
    for name in _NUMBERS:
        op.add_column("calls", sa.Column(name, sa.Integer(), nullable=True))
    op.add_column("calls", sa.Column("dial_count", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_calls_outcome_call_key", "calls", ["outcome", "call_key"])


def downgrade() -> None:
    """Drop the columns."""
    op.drop_index("ix_calls_outcome_call_key", "calls")
    for name in (*_TEXTS, *_NUMBERS, "dial_count"):
        op.drop_column("calls", name)
