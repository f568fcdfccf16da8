"""The tables: receipts as received, and the state folded from them.

The writing node makes row keys (`ids.py`): 63-bit integers that begin with the time, so rows of all nodes sort by time
without a sequence, and new rows go to the end of the index. Times are milliseconds since 1970 UTC. The only indexes on
random values are those on call UUIDs and nonces, and a rare one on request UUIDs that differ.
"""

from typing import Any

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

# In SQLite only an INTEGER primary key is the rowid; BIGINT would add a second index.
KEY = BigInteger().with_variant(Integer(), "sqlite")

SUFFIX_LENGTH = 4
IS_OUTGOING = "direction = 'outbound'"
WAS_CALLED = "(answered_by = to_number OR direction = 'outbound')"  # We called the person who answered.
HAS_NONCE = "nonce_key IS NOT NULL"  # The condition of the partial index on nonces.
REQUEST_DIFFERS = "request_uuid <> call_uuid"  # The condition of the partial index on request UUIDs.
HAS_NO_DIAL = "dial_count = 0"  # The condition of the partial indexes on numbers of calls without a dial.


def suffix_of(column: str) -> str:
    """Return the SQL for the last four characters of a column, padded with zeros on the left.

    Both databases index this expression: people search for a number by its last digits.
    """
    return f"substr('0000' || {column}, length({column}) + 1)"


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


receipts = Table(
    "receipts",
    metadata,
    Column("receipt_key", KEY, primary_key=True, autoincrement=False),
    Column("call_key", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # 16 bytes; identifies the receipt within its call
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
    Column("reply_micros", Integer, nullable=False),  # from request to decided reply, commit excluded
    Column("placement", Text),  # a JSON object: the dial or the ending that our reply started
    Column("nonce_key", BigInteger),  # 63 bits of the hash of a valid signature's nonce
    Index(None, "call_key", "digest", unique=True),
    Index(None, "nonce_key", **_where(HAS_NONCE)),
)

calls = Table(
    "calls",
    metadata,
    Column("call_key", KEY, primary_key=True, autoincrement=False),
    Column("call_uuid", Text, nullable=False),
    *(Column(name, Text) for name in ("from_number", "to_number", "direction", "call_status", "caller_name")),
    *(Column(name, Text) for name in ("forwarded_from", "request_uuid")),
    Column("started_at", BigInteger, nullable=False),
    *(Column(name, BigInteger) for name in ("answered_at", "ended_at")),
    Column("ended_by", Text),  # the source of the end: webhook or cdr
    *(Column(name, Text) for name in ("hangup_cause", "hangup_name")),
    Column("hangup_code", Integer),
    Column("hangup_source", Text),
    *(Column(name, Integer) for name in ("duration", "bill_duration")),
    Column("cost", Text),
    Column("heard_from", Text, nullable=False),  # the best source that named it: webhook, phlo or cdr
    Column("turned_away", Text),  # by the plan: blocked or closed
    Column("ending", Text),  # the kind of the plan's ending, once the caller got it
    Column("contact_name", Text),  # the caller's name in the address book, when they called
    Column("route", Text),  # This column and those below are derived.
    Column("outcome", Text),  # None until `derive_calls` has reached a call of an older version
    Column("answered_by", Text),
    *(Column(name, Integer) for name in ("waited_seconds", "talk_seconds")),
    Column("dial_count", Integer, nullable=False, server_default="0"),
    Column("recording_id", Text),  # the first recording of a second or more: the message where nobody talked
    Index(None, "outcome", "call_key"),
    Index(None, "call_uuid", unique=True),
    # The calls between a number and us. Most calls come in, so the last two are small.
    Index(None, "from_number", "call_key"),
    Index(None, "to_number", "call_key", sqlite_where=text(IS_OUTGOING), postgresql_where=text(IS_OUTGOING)),
    Index(None, "answered_by", "call_key", sqlite_where=text(WAS_CALLED), postgresql_where=text(WAS_CALLED)),
    # Usually equal; a partial index saves a random write.
    Index(None, "request_uuid", **_where(REQUEST_DIFFERS)),
    # Calls with dials are found by the numbers of their dials.
    Index("ix_calls_ending_of_from_number", text(suffix_of("from_number")), "from_number", **_where(HAS_NO_DIAL)),
    Index("ix_calls_ending_of_to_number", text(suffix_of("to_number")), "to_number", **_where(HAS_NO_DIAL)),
)

dials = Table(
    "dials",
    metadata,
    Column("dial_key", KEY, primary_key=True, autoincrement=False),
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
    Column("report_code", Integer),  # a hangup code in that report, which Plivo documents for legs only
    Column("starts_with_prompt", Boolean),  # true where the caller hears something before the targets ring
    Column("reported_by", Text),  # the source of that report: webhook or phlo
    # The columns below are derived from those above, the legs and the call.
    Column("outcome", Text, nullable=False),
    Column("from_number", Text),
    Column("to_number", Text),
    Column("answered_by", Text),
    Column("hangup_name", Text),
    Column("hangup_code", Integer),
    Column("hangup_source", Text),
    *(Column(name, BigInteger) for name in ("answered_at", "ended_at")),
    *(Column(name, Integer) for name in ("ring_seconds", "talk_seconds")),
    Index(None, "dial_id", unique=True),
    Index(None, "call_key"),
    # Lists are newest first, by key; each filter walks its own index in that order.
    Index(None, "outcome", "dial_key"),
    Index(None, "dial_status", "dial_key"),
    Index(None, "dial_hangup_cause", "dial_key"),
    Index(None, "route", "targets", "dial_key"),
    Index("ix_dials_ending_of_from_number", text(suffix_of("from_number")), "from_number", "dial_key"),
    Index("ix_dials_ending_of_to_number", text(suffix_of("to_number")), "to_number", "dial_key"),
)

# The last receipt taken from each spool, written with the receipts, so that no receipt is stored twice.
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
    *(Column(name, BigInteger) for name in ("answered_at", "connected_at", "answer_time", "ended_at")),
    Column("ended_by", Text),
    *(Column(name, Text) for name in ("hangup_cause", "hangup_name")),
    Column("hangup_code", Integer),
    Column("hangup_source", Text),
    *(Column(name, Integer) for name in ("duration", "bill_duration")),
    Column("cost", Text),
    Column("digits", Text),  # the patterns pressed, each once, comma-separated
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
    Column("transcription", Text),
    sqlite_with_rowid=False,
)

# One row, rewritten by the readiness check.
readiness = Table(
    "readiness",
    metadata,
    Column("readiness_key", KEY, primary_key=True, autoincrement=False),
    Column("proved_at", BigInteger, nullable=False),
)

# Rollups of past hours keep figures fast at any size. `kind` is what a row counts (`rollups.counting.Kind`); a column
# that the kind does not have is null.
WAIT_BOUNDS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 28, 36, 47, 60, 80, 105, 140, 180, 240, 300)  # seconds

call_rollups = Table(
    "call_rollups",
    metadata,
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # its beginning
    Column("number", Integer, primary_key=True, autoincrement=False),
    *(Column(name, Text) for name in ("direction", "route", "to_number", "outcome", "answered_by")),
    *(Column(name, Text) for name in ("target", "dial_status", "cause", "reason")),
    Column("calls", Integer, nullable=False),
    Column("dials", Integer, nullable=False),
    Column("talk_seconds", BigInteger, nullable=False),
    # How many were answered within so many seconds, and in more than the bound before.
    *(Column(f"waits_{bound}", Integer, nullable=False) for bound in (*WAIT_BOUNDS, "longer")),
    sqlite_with_rowid=False,
)

# The hours that are counted. Calls of a pruned hour may be deleted, so it is never counted again.
rollup_hours = Table(
    "rollup_hours",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("is_pruned", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# Calls that changed when their hour may have been counted already. Several rows may name one hour: a writer adds a row
# of its own, so that no two writers wait for each other and no count takes a change for counted that it has not seen.
late_changes = Table(
    "late_changes",
    metadata,
    Column("change_key", KEY, primary_key=True, autoincrement=False),
    Column("call_key", BigInteger, nullable=False),
)
