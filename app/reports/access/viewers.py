"""Who looks at a report, what they may open and which calls they see."""

import hashlib
import hmac
import secrets
from dataclasses import replace
from typing import TypeVar

from itsdangerous import BadSignature, Signer, URLSafeTimedSerializer
from itsdangerous.exc import SignatureExpired

from app.context import Viewer, services, viewer
from app.records.reading.call_filters import CallFilters
from app.records.reading.filters import DialFilters
from app.records.reading.read_session import read_session
from app.records.reading.scope import Scope
from app.records.writing.access_tokens import AccessToken, Role, find_by_name, hash_of, is_revoked

Filters = TypeVar("Filters", CallFilters, DialFilters)

ADMIN_NAME = "admin"
LONGEST_SHARE_DAYS = 90
_TOKEN_MARK = "ds_"  # noqa: S105 - What every named token begins with.


ADMIN = Viewer(name=ADMIN_NAME, role=Role.ADMIN)


def bounded(filters: Filters) -> Filters:
    """Return filters that find only what the viewer may see."""
    return replace(filters, scope=viewer().scope)


def make_named_token(name: str, random: str) -> str:
    """Return the token of a name. Its signature lets a server refuse an invented one without a look at the store."""
    return _TOKEN_MARK + _signer().sign(f"{name}.{random}").decode()


def find_named(token: str) -> Viewer | None:
    """Return who owns a named token; None for an unknown, expired or revoked one. Raises `StoreUnavailable`."""
    if not token.startswith(_TOKEN_MARK):
        return None
    try:
        name = _signer().unsign(token.removeprefix(_TOKEN_MARK)).decode().rpartition(".")[0]
    except BadSignature:
        return None
    found = _find(name)
    return _viewer(found) if found and hmac.compare_digest(found.token_hash, hash_of(token)) else None


def session_mark(token: str) -> str:
    """Return what ties a session to a named token."""
    return hmac.new(services().config.secret_key.encode(), b"named\0" + hash_of(token).encode(), "sha256").hexdigest()


def find_by_mark(name: str, mark: str) -> Viewer | None:
    """Return who opened a session with a named token, None where it has ended since. Raises `StoreUnavailable`."""
    found = _find(name)
    if found is None:
        return None
    key = services().config.secret_key.encode()
    expected = hmac.new(key, b"named\0" + found.token_hash.encode(), "sha256").hexdigest()
    return _viewer(found) if hmac.compare_digest(expected, mark) else None


def make_share(scope: Scope, *, seconds: int) -> tuple[str, str]:
    """Return the subject by which a share link is revoked, and what the link holds: a call, or a range of time."""
    share_id = secrets.token_hex(6)
    what = {"call": scope.call_uuid, "since": scope.since, "until": scope.until, "routes": scope.routes}
    what |= {"id": share_id, "for": seconds}
    held = str(_shares().dumps({name: value for name, value in what.items() if value is not None}))
    return f"share:{share_id}", held


def find_share(text: str) -> Viewer | None:
    """Return who opened a share link; None where it has expired, was revoked or is not ours.

    Raises `StoreUnavailable`.
    """
    longest = LONGEST_SHARE_DAYS * 24 * 60 * 60
    try:
        what, begun = _shares().loads(text, max_age=longest, return_timestamp=True)
        what = _shares().loads(text, max_age=min(what["for"], longest))
    except (BadSignature, SignatureExpired):
        return None
    if "id" not in what or is_ended(f"share:{what['id']}"):
        return None
    routes = tuple(what["routes"]) if "routes" in what else None
    scope = Scope(call_uuid=what.get("call"), since=what.get("since"), until=what.get("until"), routes=routes)
    until = round(begun.timestamp() + min(what["for"], longest)) * 1000
    return Viewer(name=f"share of {begun:%Y-%m-%d}", role=Role.READ, scope=scope, is_guest=True, until=until)


def is_ended(subject: str) -> bool:
    """Return whether a session or a share link was ended, on whichever node. Raises `StoreUnavailable`."""
    with read_session(services().store) as connection:
        return is_revoked(connection, subject)


def _find(name: str) -> AccessToken | None:
    with read_session(services().store) as connection:
        found = find_by_name(connection, name)
    return found if found is not None and found.is_valid else None


def _viewer(token: AccessToken) -> Viewer:
    return Viewer(name=token.name, role=token.role, scope=Scope(routes=token.routes))


def _signer() -> Signer:
    return Signer(services().config.secret_key, salt="access-token", digest_method=hashlib.sha256)


def _shares() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(services().config.secret_key, salt="share")
