"""Indexes that find calls without a dial by their numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NUMBERS = ("from_number", "to_number")
_HAS_NO_DIAL = sa.text("dial_count = 0")


def upgrade() -> None:
    """Create the indexes, which hold only the calls without a dial and so are small."""
    for name in _NUMBERS:
        ending = sa.text(f"substr('0000' || {name}, length({name}) + 1)")
        op.create_index(
            f"ix_calls_ending_of_{name}",
            "calls",
            [ending, name],
            sqlite_where=_HAS_NO_DIAL,
            postgresql_where=_HAS_NO_DIAL,
        )


def downgrade() -> None:
    """Drop the indexes."""
    for name in _NUMBERS:
        op.drop_index(f"ix_calls_ending_of_{name}", "calls")
