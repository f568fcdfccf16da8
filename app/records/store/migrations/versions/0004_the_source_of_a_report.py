"""The source of a dial's report: a signed webhook or a PHLO."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Reports that are stored already have no source and count as signed."""
    op.add_column("dials", sa.Column("reported_by", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("dials", "reported_by")
