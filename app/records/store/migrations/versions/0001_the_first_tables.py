"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_calls()
    _create_receipts()
    _create_dials()
    _create_legs()
    _create_recordings()
    _create_readiness()
    _create_spools()
    _create_outbox()
    _create_tally_spans()
    _create_tallies()
    _create_late_changes()


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False)


def _create_calls() -> None:
    op.create_table(
        "calls",
        _key("call_key"),
        sa.Column("call_uuid", sa.Text(), nullable=False),
        sa.Column("from_number", sa.Text(), nullable=True),
        sa.Column("to_number", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("call_status", sa.Text(), nullable=True),
        sa.Column("caller_name", sa.Text(), nullable=True),
        sa.Column("forwarded_from", sa.Text(), nullable=True),
        sa.Column("request_uuid", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("hangup_cause", sa.Text(), nullable=True),
        sa.Column("hangup_name", sa.Text(), nullable=True),
        sa.Column("hangup_code", sa.Integer(), nullable=True),
        sa.Column("hangup_source", sa.Text(), nullable=True),
        sa.Column("duration", sa.Integer(), nullable=True),
        sa.Column("bill_duration", sa.Integer(), nullable=True),
        sa.Column("cost", sa.Text(), nullable=True),
        sa.Column("heard_from", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("call_key", name=op.f("pk_calls")),
    )
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_calls_call_uuid"), ["call_uuid"], unique=True)
        batch_op.create_index(
            batch_op.f("ix_calls_request_uuid"),
            ["request_uuid"],
            unique=False,
            sqlite_where=sa.text("request_uuid <> call_uuid"),
            postgresql_where=sa.text("request_uuid <> call_uuid"),
        )


def _create_receipts() -> None:
    op.create_table(
        "receipts",
        _key("receipt_key"),
        sa.Column("call_key", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dial_id", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("last_received_at", sa.BigInteger(), nullable=False),
        sa.Column("reply_status", sa.SmallInteger(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("reply_micros", sa.Integer(), nullable=False),
        sa.Column("placement", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("receipt_key", name=op.f("pk_receipts")),
    )
    with op.batch_alter_table("receipts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receipts_call_key_digest"), ["call_key", "digest"], unique=True)


def _create_dials() -> None:
    op.create_table(
        "dials",
        _key("dial_key"),
        sa.Column("dial_id", sa.Text(), nullable=False),
        sa.Column("call_key", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=True),
        sa.Column("targets", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("dial_status", sa.Text(), nullable=True),
        sa.Column("dial_ring_status", sa.Boolean(), nullable=True),
        sa.Column("dial_hangup_cause", sa.Text(), nullable=True),
        sa.Column("b_leg_uuid", sa.Text(), nullable=True),
        sa.Column("reported_at", sa.BigInteger(), nullable=True),
        sa.Column("report_key", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("from_number", sa.Text(), nullable=True),
        sa.Column("to_number", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("hangup_name", sa.Text(), nullable=True),
        sa.Column("hangup_code", sa.Integer(), nullable=True),
        sa.Column("hangup_source", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ring_seconds", sa.Integer(), nullable=True),
        sa.Column("talk_seconds", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["call_key"], ["calls.call_key"], name=op.f("fk_dials_call_key_calls")),
        sa.PrimaryKeyConstraint("dial_key", name=op.f("pk_dials")),
    )
    _index_dials()


def _index_dials() -> None:
    with op.batch_alter_table("dials", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dials_call_key"), ["call_key"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_dials_dial_hangup_cause_dial_key"), ["dial_hangup_cause", "dial_key"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_dials_dial_id"), ["dial_id"], unique=True)
        batch_op.create_index(batch_op.f("ix_dials_dial_status_dial_key"), ["dial_status", "dial_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_dials_outcome_dial_key"), ["outcome", "dial_key"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_dials_route_targets_dial_key"), ["route", "targets", "dial_key"], unique=False
        )
        for column in ("from_number", "to_number"):
            batch_op.create_index(
                f"ix_dials_ending_of_{column}",
                [sa.text(f"substr('0000' || {column}, length({column}) + 1)"), column, "dial_key"],
                unique=False,
            )


def _create_legs() -> None:
    op.create_table(
        "legs",
        sa.Column("call_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("b_leg_uuid", sa.Text(), nullable=False),
        sa.Column("dial_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("connected_at", sa.BigInteger(), nullable=True),
        sa.Column("answer_time", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("hangup_cause", sa.Text(), nullable=True),
        sa.Column("hangup_name", sa.Text(), nullable=True),
        sa.Column("hangup_code", sa.Integer(), nullable=True),
        sa.Column("hangup_source", sa.Text(), nullable=True),
        sa.Column("duration", sa.Integer(), nullable=True),
        sa.Column("bill_duration", sa.Integer(), nullable=True),
        sa.Column("cost", sa.Text(), nullable=True),
        sa.Column("digits", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["call_key"], ["calls.call_key"], name=op.f("fk_legs_call_key_calls")),
        sa.PrimaryKeyConstraint("call_key", "b_leg_uuid", name=op.f("pk_legs")),
        sqlite_with_rowid=False,
    )


def _create_recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("call_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recording_id", sa.Text(), nullable=False),
        sa.Column("dial_id", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["call_key"], ["calls.call_key"], name=op.f("fk_recordings_call_key_calls")),
        sa.PrimaryKeyConstraint("call_key", "recording_id", name=op.f("pk_recordings")),
        sqlite_with_rowid=False,
    )


def _create_readiness() -> None:
    op.create_table(
        "readiness",
        _key("readiness_key"),
        sa.Column("proved_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("readiness_key", name=op.f("pk_readiness")),
    )


def _create_spools() -> None:
    op.create_table(
        "spools",
        sa.Column("spool_id", sa.Text(), nullable=False),
        sa.Column("brought", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("spool_id", name=op.f("pk_spools")),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        _key("dial_key"),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dial_key", name=op.f("pk_outbox")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_due_at"), ["due_at"], unique=False)


def _create_tally_spans() -> None:
    op.create_table(
        "tally_spans",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("finish", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("level", "start", name=op.f("pk_tally_spans")),
        sqlite_with_rowid=False,
    )


def _create_tallies() -> None:
    op.create_table(
        "tallies",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("dial_status", sa.Text(), nullable=True),
        sa.Column("dial_hangup_cause", sa.Text(), nullable=True),
        sa.Column("route", sa.Text(), nullable=True),
        sa.Column("to_number", sa.Text(), nullable=True),
        sa.Column("targets", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("dials", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("talk_seconds", sa.BigInteger(), nullable=False),
        sa.Column("waits", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("level", "start", "number", name=op.f("pk_tallies")),
        sqlite_with_rowid=False,
    )


def _create_late_changes() -> None:
    op.create_table(
        "late_changes",
        _key("change_key"),
        sa.Column("dial_key", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("change_key", name=op.f("pk_late_changes")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("late_changes")
    op.drop_table("tallies")
    op.drop_table("tally_spans")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_due_at"))

    op.drop_table("outbox")
    op.drop_table("readiness")
    op.drop_table("spools")
    op.drop_table("recordings")
    op.drop_table("legs")
    with op.batch_alter_table("dials", schema=None) as batch_op:
        batch_op.drop_index("ix_dials_ending_of_to_number")
        batch_op.drop_index("ix_dials_ending_of_from_number")
        batch_op.drop_index(batch_op.f("ix_dials_route_targets_dial_key"))
        batch_op.drop_index(batch_op.f("ix_dials_outcome_dial_key"))
        batch_op.drop_index(batch_op.f("ix_dials_dial_status_dial_key"))
        batch_op.drop_index(batch_op.f("ix_dials_dial_id"))
        batch_op.drop_index(batch_op.f("ix_dials_dial_hangup_cause_dial_key"))
        batch_op.drop_index(batch_op.f("ix_dials_call_key"))

    op.drop_table("dials")
    with op.batch_alter_table("receipts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_receipts_call_key_digest"))

    op.drop_table("receipts")
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_calls_request_uuid"))
        batch_op.drop_index(batch_op.f("ix_calls_call_uuid"))

    op.drop_table("calls")
