"""What was counted, also told apart by less than everything."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TEXTS = ("outcome", "dial_status", "dial_hangup_cause", "route", "to_number", "targets", "answered_by")
_KEPT = "level, start, number, " + ", ".join(_TEXTS) + ", dials, calls, talk_seconds, waits"
_APART = {
    1: (),
    2: ("targets", "answered_by"),
    3: ("dial_hangup_cause",),
    4: ("to_number",),
    5: ("route",),
}


def upgrade() -> None:
    """Change the schema. What is counted is added up anew from itself: of some of it the dials are gone."""
    tallies = _make_anew(sa.Column("apart", sa.SmallInteger(), autoincrement=False, nullable=False))
    op.execute(f"INSERT INTO tallies (apart, {_KEPT}) SELECT 0, {_KEPT} FROM tallies_before")  # noqa: S608
    op.drop_table("tallies_before")
    connection = op.get_bind()
    for level, start in connection.execute(sa.text("SELECT level, start FROM tally_spans")).all():
        of_span = sa.select(tallies).where(tallies.c.level == level, tallies.c.apart == 0, tallies.c.start == start)
        found = connection.execute(of_span.order_by(tallies.c.number)).mappings().all()
        rows = [row for apart in _APART for row in _by_less(found, apart)]
        if rows:
            connection.execute(sa.insert(tallies), rows)


def downgrade() -> None:
    """Change it back."""
    _make_anew()
    op.execute(f"INSERT INTO tallies ({_KEPT}) SELECT {_KEPT} FROM tallies_before WHERE apart = 0")  # noqa: S608
    op.drop_table("tallies_before")


def _make_anew(*apart: sa.Column[Any]) -> sa.Table:
    """Make the table beside the old one, which is then called `tallies_before`: its primary key is another."""
    op.rename_table("tallies", "tallies_before")
    if op.get_bind().dialect.name != "sqlite":  # There, a constraint's name is taken in the whole schema.
        op.drop_constraint("pk_tallies", "tallies_before")
    return op.create_table(
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
        sa.Column("waits", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("level", *(column.name for column in apart), "start", "number", name="pk_tallies"),
        sqlite_with_rowid=False,
    )


def _by_less(found: Sequence[sa.RowMapping], apart: int) -> list[dict[str, Any]]:
    """Add up the rows of a span that are alike in outcome, status and the columns of `apart`."""
    names = (*_TEXTS[:2], *_APART[apart])
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in found:
        alike = tuple(row[name] for name in names)
        if alike not in sums:
            kept = {"level": row["level"], "apart": apart, "start": row["start"], "number": len(sums)}
            columns = {**dict.fromkeys(_TEXTS), **dict(zip(names, alike, strict=True))}
            sums[alike] = {**kept, **columns, "dials": 0, "calls": 0, "talk_seconds": 0, "waits": {}}
        into = sums[alike]
        for name in ("dials", "calls", "talk_seconds"):
            into[name] += row[name]
        for seconds, times in json.loads(row["waits"] or "{}").items():
            into["waits"][seconds] = into["waits"].get(seconds, 0) + times
    return [
        {**row, "waits": json.dumps(row["waits"], separators=(",", ":")) if row["waits"] else None}
        for row in sums.values()
    ]
