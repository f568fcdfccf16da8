"""The nonce of a receipt's signature, so that it cannot sign other content."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_HAS_NONCE = sa.text("nonce_key IS NOT NULL")


def upgrade() -> None:
    """Add the column and its index. Receipts that are stored already have no nonce."""
    op.add_column("receipts", sa.Column("nonce_key", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_receipts_nonce_key", "receipts", ["nonce_key"], sqlite_where=_HAS_NONCE, postgresql_where=_HAS_NONCE
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_receipts_nonce_key", "receipts")
    op.drop_column("receipts", "nonce_key")
