"""What the factory made, for the entry rooms: settings, store and journal in one place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask.globals import _cv_app

from app.plan.model import Plan
from app.records.spool.spool import Drainer, Spool
from app.records.store.store import Store
from app.records.writing.journal import Journal
from config import Config

EXTENSION = "dialstatus"
REFUSED = "dialstatus-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What one application holds: its settings, its plan, its store, and what writes to it."""

    config: Config
    plan: Plan
    store: Store
    journal: Journal
    spool: Spool
    drainer: Drainer


def services() -> Services:
    """Give the running application's services."""
    return cast(Services, extensions()[EXTENSION])


def refused() -> Mapping[str, tuple[str, ...]]:
    """Give what is refused, settings or plan, with its problems; nothing where there are services."""
    return cast(Mapping[str, tuple[str, ...]], extensions().get(REFUSED, {}))


def extensions() -> dict[str, Any]:
    """Give what the running application holds. A look through Flask's proxy costs several times as much."""
    return _cv_app.get().app.extensions
