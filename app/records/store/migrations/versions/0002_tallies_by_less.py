"""What was counted, also told apart by less than everything."""

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
_APART = {
    0: _TEXTS,
    1: _TEXTS[:2],
    2: (*_TEXTS[:2], "targets", "answered_by"),
    3: (*_TEXTS[:2], "dial_hangup_cause"),
    4: (*_TEXTS[:2], "to_number"),
    5: (*_TEXTS[:2], "route"),
}


def upgrade() -> None:
    """Change the schema. What is counted is added up anew from itself: of some of it the dials are gone."""
    apart = sa.Column("apart", sa.SmallInteger(), autoincrement=False, nullable=False)
    before, tallies = _make_anew(apart, waits=sa.LargeBinary())
    for found in _spans(before):
        for row in found:
            row["waits"] = {int(seconds): times for seconds, times in json.loads(row["waits"] or "{}").items()}
        op.bulk_insert(tallies, [row for apart in _APART for row in _told_apart(found, apart)])
    op.drop_table("tallies_before")


def downgrade() -> None:
    """Change it back."""
    before, tallies = _make_anew(waits=sa.Text())
    for found in _spans(before, before.c.apart == 0):
        for row in found:
            del row["apart"]
            counts = [times for (times,) in struct.iter_unpack("<I", row["waits"] or b"")]
            waits = {seconds: times for seconds, times in enumerate(counts) if times}
            row["waits"] = json.dumps(waits, separators=(",", ":")) if waits else None
        op.bulk_insert(tallies, found)
    op.drop_table("tallies_before")


def _spans(before: sa.Table, *conditions: sa.ColumnElement[bool]) -> Iterator[list[dict[str, Any]]]:
    """Give what was counted, a span at a time."""
    connection = op.get_bind()
    for level, start in connection.execute(sa.text("SELECT level, start FROM tally_spans")).all():
        of_span = sa.select(before).where(before.c.level == level, before.c.start == start, *conditions)
        found = [dict(row) for row in connection.execute(of_span.order_by(before.c.number)).mappings()]
        if found:
            yield found


def _make_anew(*apart: sa.Column[Any], waits: sa.types.TypeEngine[Any]) -> tuple[sa.Table, sa.Table]:
    """Make the table beside the old one, which is then called `tallies_before`: its primary key is another."""
    before = sa.Table("tallies", sa.MetaData(), autoload_with=op.get_bind()).to_metadata(
        sa.MetaData(), name="tallies_before"
    )
    op.rename_table("tallies", "tallies_before")
    if op.get_bind().dialect.name != "sqlite":  # There, a constraint's name is taken in the whole schema.
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


def _told_apart(found: Sequence[Mapping[str, Any]], apart: int) -> list[dict[str, Any]]:
    """Add up the rows of a span that are alike in some columns."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in found:
        alike = tuple(row[name] for name in _APART[apart])
        if alike not in sums:
            kept = {"level": row["level"], "apart": apart, "start": row["start"], "number": len(sums)}
            columns = {**dict.fromkeys(_TEXTS), **dict(zip(_APART[apart], alike, strict=True))}
            sums[alike] = {**kept, **columns, **dict.fromkeys(_ADDED, 0), "waits": Counter()}
        into = sums[alike]
        for name in _ADDED:
            into[name] += row[name]
        into["waits"].update(row["waits"])
    return [{**row, "waits": _packed(row["waits"])} for row in sums.values()]


def _packed(waits: Counter[int]) -> bytes | None:
    """Write how many waited for n seconds as the n-th four bytes, an hour at most."""
    counts = [0] * (min(max(waits, default=-1), _LONGEST) + 1)
    for seconds, times in waits.items():
        counts[min(seconds, _LONGEST)] += times
    return struct.pack(f"<{len(counts)}I", *counts) if counts else None
