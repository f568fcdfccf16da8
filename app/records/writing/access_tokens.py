"""Named tokens, of which only the hash is stored, and sessions and share links that were ended before their time."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Select, delete, insert, select

from app.records.model.ids import now
from app.records.model.tables_access import access_tokens, revocations
from app.records.store.store import Store
from app.records.writing.audit import record_change


class Role(StrEnum):
    """What a token is for, each role including those before it."""

    READ = "read"  # sees
    WORK = "work"  # takes and closes follow-ups
    ADMIN = "admin"  # may everything

    def includes(self, other: "Role") -> bool:
        """Return whether this role may do what the other one may."""
        return list(Role).index(self) >= list(Role).index(other)


class NameTaken(ValueError):
    """A token of this name exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A named token. `routes` is None for all, `until` (milliseconds since 1970 UTC) None for ever."""

    name: str
    token_hash: str
    role: Role
    routes: tuple[str, ...] | None
    until: int | None
    created_at: int

    @property
    def is_valid(self) -> bool:
        """Whether it has not expired."""
        return self.until is None or now() < self.until


def hash_of(token: str) -> str:
    """Return what is stored of a token: its SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def add_token(
    store: Store, name: str, token: str, *, role: Role, routes: Sequence[str] | None, until: int | None, actor: str
) -> None:
    """Store a token's hash under a new name. Raises `NameTaken` and `StoreUnavailable`."""
    kept = {"role": role.value, "routes": json.dumps(list(routes)) if routes is not None else None, "until": until}
    with store.transaction() as connection:
        if find_by_name(connection, name) is not None:
            raise NameTaken(f"there is a token named {name}; revoke it first, or choose another name")
        connection.execute(insert(access_tokens).values(name=name, token_hash=hash_of(token), created_at=now(), **kept))
        record_change(connection, actor=actor, action="token.added", subject=name, detail=kept)


def revoke_token(store: Store, name: str, *, actor: str) -> bool:
    """Delete a token and return whether there was one. Raises `StoreUnavailable`."""
    with store.transaction() as connection:
        is_gone = connection.execute(delete(access_tokens).where(access_tokens.c.name == name)).rowcount > 0
        if is_gone:
            record_change(connection, actor=actor, action="token.revoked", subject=name)
    return is_gone


def revoke_subject(store: Store, subject: str, *, until: int, actor: str | None = None) -> None:
    """Record on every node that a session or share link has ended; `until` is when it would have expired anyway.

    With an actor the change is in the audit log. Raises `StoreUnavailable`.
    """
    with store.transaction() as connection:
        connection.execute(
            delete(revocations).where((revocations.c.until < now()) | (revocations.c.subject == subject))
        )
        connection.execute(insert(revocations).values(subject=subject, until=until))
        if actor is not None:
            record_change(connection, actor=actor, action="share.revoked", subject=subject)


def is_revoked(connection: Connection, subject: str) -> bool:
    """Return whether a session or share link was ended."""
    return connection.execute(select(1).where(revocations.c.subject == subject)).first() is not None


def find_by_name(connection: Connection, name: str) -> AccessToken | None:
    """Return the token of this name."""
    return next(iter(_read(connection, select(access_tokens).where(access_tokens.c.name == name))), None)


def list_tokens(connection: Connection) -> list[AccessToken]:
    """Return every token by name, expired ones included."""
    return _read(connection, select(access_tokens).order_by(access_tokens.c.name))


def _read(connection: Connection, query: Select[tuple[object, ...]]) -> list[AccessToken]:
    return [
        AccessToken(**{**row, "role": Role(row["role"]), "routes": row["routes"] and tuple(json.loads(row["routes"]))})
        for row in connection.execute(query).mappings()
    ]
