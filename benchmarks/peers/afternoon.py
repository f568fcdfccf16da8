"""Shared by the afternoon's work on either framework: two tables in SQLAlchemy and one commit per request.

The guarantees are ours: the signature is checked, the receipt is kept once and synced to disk before the answer, and
the state of its call and dial with it.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from plivo.utils import validate_v3_signature
from sqlalchemy import ForeignKey, UniqueConstraint, create_engine, event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

TOKEN = os.environ["PLIVO_AUTH_TOKEN"]
PUBLIC_URL = os.environ["PUBLIC_URL"]

engine = create_engine(os.environ["DATABASE_URL"], connect_args={"timeout": 10}, pool_size=40)


@event.listens_for(engine, "connect")
def set_pragmas(connection: Any, _record: object) -> None:
    """Sync each commit, as ours does."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.isolation_level = None


@event.listens_for(engine, "begin")
def begin_immediate(connection: Any) -> None:
    """Take the write lock at once; SQLite does not wait for a lock that is upgraded later."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class Base(DeclarativeBase):
    """The tables."""


class Call(Base):
    """One call."""

    __tablename__ = "calls"
    id: Mapped[int] = mapped_column(primary_key=True)
    call_uuid: Mapped[str] = mapped_column(unique=True)
    from_number: Mapped[str | None]
    to_number: Mapped[str | None]
    status: Mapped[str | None]


class Dial(Base):
    """One dial of a call."""

    __tablename__ = "dials"
    id: Mapped[int] = mapped_column(primary_key=True)
    dial_id: Mapped[str] = mapped_column(unique=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("calls.id"), index=True)
    status: Mapped[str | None] = mapped_column(index=True)
    ring_status: Mapped[str | None]
    hangup_cause: Mapped[str | None] = mapped_column(index=True)
    b_leg_uuid: Mapped[str | None]
    ended_at: Mapped[datetime | None]


class Receipt(Base):
    """One webhook as received."""

    __tablename__ = "receipts"
    __table_args__ = (UniqueConstraint("call_id", "digest"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[int] = mapped_column(ForeignKey("calls.id"))
    digest: Mapped[str]
    params: Mapped[str]
    received_at: Mapped[datetime]


Base.metadata.create_all(engine)
engine.dispose()  # Connections are opened after the fork.


def is_signed(method: str, target: str, params: Mapping[str, str], signature: str, nonce: str) -> bool:
    """Check the signature with the SDK."""
    return bool(validate_v3_signature(method, PUBLIC_URL + target, nonce, TOKEN, signature, dict(params)))


def keep(dial_id: str, params: Mapping[str, str]) -> None:
    """Store one report in its own transaction."""
    text = json.dumps(params)
    digest = hashlib.sha256(text.encode()).hexdigest()
    with Session(engine) as session:
        call = session.scalar(select(Call).where(Call.call_uuid == params["CallUUID"]))
        if call is None:
            call = Call(call_uuid=params["CallUUID"], from_number=params["From"], to_number=params["To"])
            session.add(call)
        call.status = params["CallStatus"]
        dial = session.scalar(select(Dial).where(Dial.dial_id == dial_id))
        if dial is None:
            session.flush()
            dial = Dial(dial_id=dial_id, call_id=call.id)
            session.add(dial)
        dial.status, dial.hangup_cause = params["DialStatus"], params["DialHangupCause"]
        dial.ring_status, dial.b_leg_uuid = params["DialRingStatus"], params["DialBLegUUID"]
        dial.ended_at = datetime.now(UTC)
        session.add(Receipt(call_id=call.id, digest=digest, params=text, received_at=datetime.now(UTC)))
        try:
            session.commit()
        except IntegrityError:
            session.rollback()  # A duplicate.
