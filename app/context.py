"""What every entry room shares: the services that the factory made, and the check of bearer tokens."""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from flask import Request, current_app, g

from app.plan.model import Plan
from app.plan.snapshot import LiveState
from app.records.model.state import FollowupState
from app.records.reading.scope import EVERYTHING, NOTHING, Scope
from app.records.spool.drainer import Drainer
from app.records.spool.spool import Spool
from app.records.store.store import Store
from app.records.writing.access_tokens import Role
from app.records.writing.followups import Action, Rules
from app.records.writing.journal import Journal
from app.records.writing.mark_followup import mark_followup
from config import Config

EXTENSION = "dialstatus"
REFUSED = "dialstatus-refused"

_SCHEME = "bearer "


class Refused(SystemExit):
    """The settings, or the plan that they name, are refused. It ends the process with the reasons, unless caught."""

    def __init__(self, of: str, problems: tuple[str, ...], reasons: str) -> None:
        super().__init__(reasons)
        self.of = of  # "settings" or "plan"
        self.problems = problems


class Meter(Protocol):
    """Counts what the rooms report, for all processes of this machine."""

    def count_reply(self, *, kind: str, signature: str, status: int, seconds: float) -> None:
        """Count a reply on one of Plivo's routes and the time it took."""

    def count_ended(self, outcomes: Iterable[str | None]) -> None:
        """Count dials that ended, by outcome."""

    def count_trouble(self, event: str, level: str) -> None:
        """Count a warning or an error that was logged."""

    def count_wrong_token(self, way: str) -> None:
        """Count a wrong reports token, by the way it came: link, form or bearer."""

    def total(self) -> Mapping[tuple[str, ...], float]:
        """Return the sums over all processes, by metric and labels."""

    def stop(self, patience: float = 1.0) -> None:
        """Write this process's counts to disk for the last time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What one application holds: its settings, its plan and the state it knows, its store, and what writes to it."""

    config: Config
    plan: Plan
    live: LiveState
    store: Store
    journal: Journal
    spool: Spool
    drainer: Drainer
    meter: Meter

    def mark_followup(
        self, call_key: int, action: Action, *, actor: str, note: str | None = None
    ) -> FollowupState | None:
        """Record what a person does about the follow-up of a call, by the settings; see `mark_followup`."""
        announce = self.journal.announces
        return mark_followup(self.store, call_key, action, actor=actor, note=note, rules=self.rules, announce=announce)

    @property
    def rules(self) -> Rules:
        """Which calls need a follow-up."""
        return followup_rules(self.config)


def followup_rules(config: Config) -> Rules:
    """Return which calls need a follow-up, by the settings."""
    return Rules(patience=config.followup_wait, is_closed_counted=config.followup_closed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody who may see reports: the owner of REPORTS_TOKEN, of a named token, or of a share link."""

    name: str
    role: Role
    scope: Scope = EVERYTHING
    is_guest: bool = False  # Of a share link.
    until: int | None = None  # When a share link ends, in milliseconds since 1970 UTC.

    def may(self, role: Role) -> bool:
        """Return whether their role includes another."""
        return self.role.includes(role)


NOBODY = Viewer(name="nobody", role=Role.READ, scope=NOTHING)


def viewer() -> Viewer:
    """Return who looks at a report, as the guard of the blueprint has found out; `NOBODY` before that."""
    return cast(Viewer, g.get("viewer", NOBODY))


def is_admin() -> bool:
    """Return whether the viewer may everything."""
    return viewer().may(Role.ADMIN)


def services() -> Services:
    """Return the services of the running application."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def refused() -> Mapping[str, tuple[str, ...]]:
    """Return the problems of refused settings or of a refused plan, by which of the two; empty where all is well."""
    return cast(Mapping[str, tuple[str, ...]], current_app.extensions.get(REFUSED, {}))


def has_token(request: Request, token: str) -> bool:
    """Return whether the Authorization header bears the token."""
    given = bearer_of(request)
    return given is not None and is_token(given, token)


def bearer_of(request: Request) -> str | None:
    """Return the bearer token of the Authorization header, None without one."""
    given = request.headers.get("Authorization", "")
    return given[len(_SCHEME) :].strip() if given[: len(_SCHEME)].lower() == _SCHEME else None


def is_token(given: str, token: str) -> bool:
    """Compare in a time that reveals nothing about the token."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
