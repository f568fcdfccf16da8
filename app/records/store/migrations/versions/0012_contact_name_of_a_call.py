"""The caller's name in the address book."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, which takes no time."""
    op.add_column("calls", sa.Column("contact_name", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("calls", "contact_name")
