"""The tables of the sending side: what is to be sent, what was sent, and how each address took it."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from app.records.model.tables import KEY, metadata

IS_WAITING = "state = 'waiting'"  # The condition of the partial indexes that the sender walks.

# What has happened and is not yet an event: written in the transaction that stores it. A call or a dial has one row of
# a type, which falls due a little later again whenever the call changes.
outbox = Table(
    "outbox",
    metadata,
    Column("subject_key", BigInteger, primary_key=True, autoincrement=False),  # a call's, a dial's, or one of its own
    Column("type", Text, primary_key=True),
    Column("subject", Text),  # None for a call or a dial, whose event is made from the records
    Column("call_key", BigInteger),  # events of one call are sent in their order, and erased with it
    Column("route", Text),
    Column("body", Text),  # JSON, like `events.body`
    Column("due_at", BigInteger, nullable=False),
    Index(None, "due_at"),
    Index(None, "call_key"),
    sqlite_with_rowid=False,
)

# Events as sent. The id that receivers see is made from `event_key`.
events = Table(
    "events",
    metadata,
    Column("event_key", KEY, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("call_key", BigInteger),
    Column("route", Text),
    Column("revision", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "call_key"),
)

# One row for each event and address.
deliveries = Table(
    "deliveries",
    metadata,
    Column("event_key", BigInteger, primary_key=True, autoincrement=False),
    Column("address", Text, primary_key=True),
    Column("call_key", BigInteger),
    Column("state", Text, nullable=False),  # waiting, delivered, dropped or dead
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_at", BigInteger),
    Column("milliseconds", Integer),  # of the last attempt
    Column("reason", Text),  # why the last attempt failed
    Index(None, "address", "due_at", sqlite_where=text(IS_WAITING), postgresql_where=text(IS_WAITING)),
    Index(None, "call_key", "address", sqlite_where=text(IS_WAITING), postgresql_where=text(IS_WAITING)),
    Index(None, "state", "event_key"),
    sqlite_with_rowid=False,
)

# What was announced of each call, so that a later event is a correction, and an unchanged call is no event.
announced = Table(
    "announced",
    metadata,
    Column("call_key", KEY, primary_key=True, autoincrement=False),
    Column("outcome", Text, nullable=False),
    Column("answered_by", Text),
    Column("message_id", Text),
    Column("revision", Integer, nullable=False),
)

# Facts that all nodes share about jobs: which process sends, when a digest was sent, whether webhooks are quiet.
job_facts = Table(
    "job_facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
