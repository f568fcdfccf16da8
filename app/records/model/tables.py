"""The tables: receipts as they came, and what was folded from them.

Keys are made by the node that writes (`keys.py`): 63-bit integers that begin with the time, so that rows of all nodes
sort by time without a sequence, and new rows land at the end of the index. Times are milliseconds since 1970 UTC.
The only index with a random key is the call's UUID; the request's, where it is another, is a rare one.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    case,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives only an INTEGER primary key the rowid's place; a BIGINT one would be a second index.
_Key = BigInteger().with_variant(Integer(), "sqlite")

SUFFIX_LENGTH = 4
REQUEST_DIFFERS = "request_uuid <> call_uuid"  # The calls that the index by the request holds.


def suffix_of(column: str) -> str:
    """Give the SQL for the last four characters of a column, zeros in front of what is shorter.

    An index holds it: people look for a number by its end. Both databases take the same text.
    """
    return f"substr('0000' || {column}, length({column}) + 1)"


receipts = Table(
    "receipts",
    metadata,
    Column("receipt_key", _Key, primary_key=True, autoincrement=False),
    Column("call_key", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # 16 bytes; the identity, with the call
    Column("kind", Text, nullable=False),
    Column("dial_id", Text),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("params", Text, nullable=False),  # a JSON object, in the order received
    Column("signature", Text, nullable=False),
    Column("sender", Text),
    Column("request_id", Text),
    Column("received_at", BigInteger, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("last_received_at", BigInteger, nullable=False),
    Column("reply_status", SmallInteger, nullable=False),
    Column("reply", Text),  # None for the empty response
    Column("reply_micros", Integer, nullable=False),  # from request to decided reply, without the commit
    Column("placement", Text),  # a JSON object: the dial that our reply started, and where in the plan
    Index(None, "call_key", "digest", unique=True),
)

calls = Table(
    "calls",
    metadata,
    Column("call_key", _Key, primary_key=True, autoincrement=False),
    Column("call_uuid", Text, nullable=False),
    Column("from_number", Text),
    Column("to_number", Text),
    Column("direction", Text),
    Column("call_status", Text),
    Column("caller_name", Text),
    Column("forwarded_from", Text),
    Column("request_uuid", Text),
    Column("started_at", BigInteger, nullable=False),
    Column("answered_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("ended_by", Text),  # which source said that it ended: webhook or cdr
    Column("hangup_cause", Text),
    Column("hangup_name", Text),
    Column("hangup_code", Integer),
    Column("hangup_source", Text),
    Column("duration", Integer),
    Column("bill_duration", Integer),
    Column("cost", Text),
    Column("heard_from", Text, nullable=False),  # webhook, or cdr where only a call detail record spoke of it
    Index(None, "call_uuid", unique=True),
    # As a rule the two are one, and a new call's row is spared an entry at a random place.
    Index(None, "request_uuid", sqlite_where=text(REQUEST_DIFFERS), postgresql_where=text(REQUEST_DIFFERS)),
)

dials = Table(
    "dials",
    metadata,
    Column("dial_key", _Key, primary_key=True, autoincrement=False),
    Column("dial_id", Text, nullable=False),
    Column("call_key", BigInteger, ForeignKey("calls.call_key"), nullable=False),
    Column("route", Text),
    Column("step", Text),
    Column("round", Integer),
    Column("targets", Text),  # a JSON array
    Column("started_at", BigInteger, nullable=False),
    Column("dial_status", Text),
    Column("dial_ring_status", Boolean),
    Column("dial_hangup_cause", Text),
    Column("b_leg_uuid", Text),
    Column("reported_at", BigInteger),
    Column("report_key", BigInteger),  # the receipt that reported it
    # What follows is found from the columns above, the legs and the call each time one of them changes.
    Column("outcome", Text, nullable=False),
    Column("from_number", Text),
    Column("to_number", Text),
    Column("answered_by", Text),
    Column("hangup_name", Text),
    Column("hangup_code", Integer),
    Column("hangup_source", Text),
    Column("answered_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("ring_seconds", Integer),
    Column("talk_seconds", Integer),
    Index(None, "dial_id", unique=True),
    Index(None, "call_key"),
    # Newest first is by key; each filter walks its own index in the same order.
    Index(None, "outcome", "dial_key"),
    Index(None, "dial_status", "dial_key"),
    Index(None, "dial_hangup_cause", "dial_key"),
    Index(None, "route", "targets", "dial_key"),
    Index("ix_dials_ending_of_from_number", text(suffix_of("from_number")), "from_number", "dial_key"),
    Index("ix_dials_ending_of_to_number", text(suffix_of("to_number")), "to_number", "dial_key"),
)

# How far each spool has been brought into the store: written with what is brought, so nothing comes in twice.
spools = Table(
    "spools",
    metadata,
    Column("spool_id", Text, primary_key=True),
    Column("brought", BigInteger, nullable=False),
)

legs = Table(
    "legs",
    metadata,
    Column("call_key", BigInteger, ForeignKey("calls.call_key"), primary_key=True, autoincrement=False),
    Column("b_leg_uuid", Text, primary_key=True),
    Column("dial_id", Text, nullable=False),
    Column("target", Text),
    Column("position", Integer),
    Column("answered_at", BigInteger),
    Column("connected_at", BigInteger),
    Column("answer_time", BigInteger),
    Column("ended_at", BigInteger),
    Column("ended_by", Text),
    Column("hangup_cause", Text),
    Column("hangup_name", Text),
    Column("hangup_code", Integer),
    Column("hangup_source", Text),
    Column("duration", Integer),
    Column("bill_duration", Integer),
    Column("cost", Text),
    Column("digits", Text),  # what was pressed, each pattern once, comma separated
    sqlite_with_rowid=False,
)

recordings = Table(
    "recordings",
    metadata,
    Column("call_key", BigInteger, ForeignKey("calls.call_key"), primary_key=True, autoincrement=False),
    Column("recording_id", Text, primary_key=True),
    Column("dial_id", Text),
    Column("url", Text),
    Column("milliseconds", Integer),
    Column("recorded_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# One row, written again and again by the readiness check.
readiness = Table(
    "readiness",
    metadata,
    Column("readiness_key", _Key, primary_key=True, autoincrement=False),
    Column("proved_at", BigInteger, nullable=False),
)

# Dials that ended and whose end has yet to be told; filled only where somebody is to be told. Times in milliseconds.
outbox = Table(
    "outbox",
    metadata,
    Column("dial_key", _Key, primary_key=True, autoincrement=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index(None, "due_at"),
)

# The first dial of a call, or one that no plan placed: with it the call is counted, 1 or else 0.
starts_call = case((dials.c.round > 1, 0), else_=1)

# What is counted of past hours and days, for figures that cost the same however many dials there are. A span is
# counted once it is over; a dial that changes after that leaves a mark, and a span with a mark is counted anew.
rollup_periods = Table(
    "tally_spans",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),  # 0 an hour, 1 a day
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("finish", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

rollups = Table(
    "tallies",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("apart", SmallInteger, primary_key=True, autoincrement=False),  # by what: 0 all of the columns, others less
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("outcome", Text, nullable=False),
    Column("dial_status", Text),
    Column("dial_hangup_cause", Text),
    Column("route", Text),
    Column("to_number", Text),
    Column("targets", Text),
    Column("answered_by", Text),
    Column("dials", Integer, nullable=False),
    Column("calls", Integer, nullable=False),  # of the dials those that are the first of their call
    Column("talk_seconds", BigInteger, nullable=False),
    Column("waits", LargeBinary),  # how many answered dials took how many seconds to answer, see `pack_waits`
    sqlite_with_rowid=False,
)

late_changes = Table(
    "late_changes",
    metadata,
    Column("change_key", _Key, primary_key=True, autoincrement=False),
    Column("dial_key", BigInteger, nullable=False),
)
