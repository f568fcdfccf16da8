"""The text of a recording."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, which takes no time."""
    op.add_column("recordings", sa.Column("transcription", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("recordings", "transcription")
