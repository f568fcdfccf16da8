"""Named tokens: who may see and do what."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, empty."""
    op.create_table(
        "access_tokens",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "token_hash", "role")),
        sa.Column("routes", sa.Text(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_access_tokens"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop it: everybody but the admin is locked out."""
    op.drop_table("access_tokens")
