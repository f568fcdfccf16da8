"""What is known of the targets that a plan watches."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "target_states",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("failed_at", sa.Text(), nullable=False),
        sa.Column("reached_at", sa.BigInteger(), nullable=True),
        sa.Column("down_since", sa.BigInteger(), nullable=True),
        sa.Column("tried_by", sa.Text(), nullable=True),
        sa.Column("tried_until", sa.BigInteger(), nullable=True),
        sa.Column("talking", sa.Text(), nullable=False),
        sa.Column("idle_since", sa.BigInteger(), nullable=True),
        sa.Column("out_at", sa.BigInteger(), nullable=True),
        sa.Column("out_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("target", name="pk_target_states"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("target_states")
