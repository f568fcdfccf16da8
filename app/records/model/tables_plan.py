"""The tables of what people change while the server runs: state of the plan, and who changed what."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from app.records.model.tables import KEY, metadata

# What holds beside the plan's file: `switch:ROUTE`.
plan_state = Table(
    "plan_state",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),  # a JSON object
    Column("until", BigInteger),  # None until somebody changes it
    Column("changed_at", BigInteger, nullable=False),
    Column("changed_by", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What people changed, on pages, over the API and by commands; never changed itself.
audit_log = Table(
    "audit_log",
    metadata,
    Column("audit_key", KEY, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),  # admin, cli or the name of a token
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),  # a JSON object
    Index(None, "subject"),
)
