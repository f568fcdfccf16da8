"""Rollups in several groupings."""

import json
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TEXTS = ("outcome", "dial_status", "dial_hangup_cause", "route", "to_number", "targets", "answered_by")
_LONGEST = 3600  # seconds
_ADDED = ("dials", "calls", "talk_seconds")
_GROUPINGS = {
    0: _TEXTS,
    1: _TEXTS[:2],
    2: (*_TEXTS[:2], "targets", "answered_by"),
    3: (*_TEXTS[:2], "dial_hangup_cause"),
    4: (*_TEXTS[:2], "to_number"),
    5: (*_TEXTS[:2], "route"),
}


def upgrade() -> None:
    """Add the groupings, and sum existing rollups for them: some of their dials are deleted."""
    apart = sa.Column("apart", sa.SmallInteger(), autoincrement=False, nullable=False)
    before, tallies = _recreate(apart, waits=sa.LargeBinary())
    for found in _periods(before):
        for row in found:
            row["waits"] = {int(seconds): times for seconds, times in json.loads(row["waits"] or "{}").items()}
        op.bulk_insert(tallies, [row for apart in _GROUPINGS for row in _regroup(found, apart)])
    op.drop_table("tallies_before")


def downgrade() -> None:
    """Keep the full-detail rollups only."""
    before, tallies = _recreate(waits=sa.Text())
    for found in _periods(before, before.c.apart == 0):
        for row in found:
            del row["apart"]
            counts = [times for (times,) in struct.iter_unpack("<I", row["waits"] or b"")]
            waits = {seconds: times for seconds, times in enumerate(counts) if times}
            row["waits"] = json.dumps(waits, separators=(",", ":")) if waits else None
        op.bulk_insert(tallies, found)
    op.drop_table("tallies_before")


def _periods(before: sa.Table, *conditions: sa.ColumnElement[bool]) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of one period at a time."""
    connection = op.get_bind()
    for level, start in connection.execute(sa.text("SELECT level, start FROM tally_spans")).all():
        of_span = sa.select(before).where(before.c.level == level, before.c.start == start, *conditions)
        found = [dict(row) for row in connection.execute(of_span.order_by(before.c.number)).mappings()]
        if found:
            yield found


def _recreate(*apart: sa.Column[Any], waits: sa.types.TypeEngine[Any]) -> tuple[sa.Table, sa.Table]:
    """Create the table with another primary key; the old one is renamed to `tallies_before`."""
    before = sa.Table("tallies", sa.MetaData(), autoload_with=op.get_bind()).to_metadata(
        sa.MetaData(), name="tallies_before"
    )
    op.rename_table("tallies", "tallies_before")
    if op.get_bind().dialect.name != "sqlite":  # On PostgreSQL names of constraints are unique in the schema.
        op.drop_constraint("pk_tallies", "tallies_before")
    return before, op.create_table(
        "tallies",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        *apart,
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in _TEXTS[1:]),
        sa.Column("dials", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("talk_seconds", sa.BigInteger(), nullable=False),
        sa.Column("waits", waits, nullable=True),
        sa.PrimaryKeyConstraint("level", *(column.name for column in apart), "start", "number", name="pk_tallies"),
        sqlite_with_rowid=False,
    )


def _regroup(found: Sequence[Mapping[str, Any]], apart: int) -> list[dict[str, Any]]:
    """Return the rows of a period re-aggregated by fewer columns."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in found:
        group = tuple(row[name] for name in _GROUPINGS[apart])
        if group not in sums:
            kept = {"level": row["level"], "apart": apart, "start": row["start"], "number": len(sums)}
            columns = {**dict.fromkeys(_TEXTS), **dict(zip(_GROUPINGS[apart], group, strict=True))}
            sums[group] = {**kept, **columns, **dict.fromkeys(_ADDED, 0), "waits": Counter()}
        into = sums[group]
        for name in _ADDED:
            into[name] += row[name]
        into["waits"].update(row["waits"])
    return [{**row, "waits": _packed(row["waits"])} for row in sums.values()]


def _packed(waits: Counter[int]) -> bytes | None:
    """Return counts by seconds as packed 32-bit numbers, up to an hour."""
    counts = [0] * (min(max(waits, default=-1), _LONGEST) + 1)
    for seconds, times in waits.items():
        counts[min(seconds, _LONGEST)] += times
    return struct.pack(f"<{len(counts)}I", *counts) if counts else None
