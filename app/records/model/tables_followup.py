"""The tables of follow-ups: who must be called back, and what people did about it.

`followups` and `followup_calls` are derived from the calls of a caller and from `followup_marks`; see
`writing/followups.py`.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from app.records.model.tables import KEY, metadata

# A caller on one route who reached nobody, from the first such call until they were reached.
followups = Table(
    "followups",
    metadata,
    Column("followup_key", KEY, primary_key=True, autoincrement=False),  # the key of its first call
    Column("caller", Text, nullable=False),
    Column("route", Text),
    Column("state", Text, nullable=False),  # open, reached or done
    Column("caller_name", Text),
    Column("opened_at", BigInteger, nullable=False),
    Column("first_call_uuid", Text, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("last_call_uuid", Text, nullable=False),
    Column("call_count", Integer, nullable=False),
    Column("closed_at", BigInteger),
    Column("closed_by", Text),  # the person who marked it done
    Column("closing_call_uuid", Text),  # the call that reached the caller
    Column("taken_at", BigInteger),
    Column("taken_by", Text),
    Column("note", Text),
    Index(None, "caller"),
    Index(None, "state", "followup_key"),
)

followup_calls = Table(
    "followup_calls",
    metadata,
    Column("call_key", KEY, primary_key=True, autoincrement=False),
    Column("followup_key", BigInteger, nullable=False),
    Index(None, "followup_key"),
)

# What people did: taken, done, reopened or noted, each kept with who and when.
followup_marks = Table(
    "followup_marks",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("route", Text),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("note", Text),
    sqlite_with_rowid=False,
)

# What happened to a recording after it was made.
recording_marks = Table(
    "recording_marks",
    metadata,
    Column("call_key", BigInteger, primary_key=True, autoincrement=False),
    Column("recording_id", Text, primary_key=True),
    Column("heard_at", BigInteger),
    Column("heard_by", Text),
    Column("deleted_at", BigInteger),  # when Plivo was asked to delete it, and did
    sqlite_with_rowid=False,
)
