"""Sessions and share links that were ended before their time."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, empty."""
    op.create_table(
        "revocations",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_revocations"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop it: sessions and links that were ended open again until they expire."""
    op.drop_table("revocations")
