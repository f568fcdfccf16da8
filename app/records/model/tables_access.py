"""The tables of access: named tokens, and what was revoked before its time."""

from sqlalchemy import BigInteger, Column, Table, Text

from app.records.model.tables import metadata

# Who may see and do what. A token itself is stored nowhere.
access_tokens = Table(
    "access_tokens",
    metadata,
    Column("name", Text, primary_key=True),
    Column("token_hash", Text, nullable=False),  # SHA-256 in hexadecimal: a random token needs no slower hash
    Column("role", Text, nullable=False),
    Column("routes", Text),  # a JSON array of route names; None for all
    Column("until", BigInteger),  # None for ever
    Column("created_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Sessions that were logged out and share links that were revoked, until they would have expired.
revocations = Table(
    "revocations",
    metadata,
    Column("subject", Text, primary_key=True),  # "session:" or "share:" and an id
    Column("until", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
