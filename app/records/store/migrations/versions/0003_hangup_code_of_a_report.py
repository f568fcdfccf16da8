"""The hangup code of an action report, and whether a prompt is played before a dial rings."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Dials that are stored already have neither."""
    op.add_column("dials", sa.Column("report_code", sa.Integer(), nullable=True))
    op.add_column("dials", sa.Column("starts_with_prompt", sa.Boolean(), nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("dials", "starts_with_prompt")
    op.drop_column("dials", "report_code")
