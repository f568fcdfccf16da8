"""Health: whether the process is alive, and whether it could store a report now. Open to all; it reveals no more."""

import logging
from typing import cast

from flask import Blueprint, Response, current_app, jsonify
from flask.blueprints import BlueprintSetupState

from app.context import EXTENSION, Services
from app.ops.cached_probe import CachedProbe
from app.records.model.receipt import StoreUnavailable
from app.records.store.readiness import prove_write
from config import VERSION

log = logging.getLogger(__name__)
bp = Blueprint("health", __name__)

_EXTENSION = "dialstatus-readiness"


@bp.record
def _make_probe(setup: BlueprintSetupState) -> None:
    store = cast(Services, setup.app.extensions[EXTENSION]).store
    # Anybody may ask, and each proof is a write that webhooks wait for.
    probe = CachedProbe(lambda: prove_write(store), timeout=store.timeout, name="readiness")
    setup.app.extensions[_EXTENSION] = probe


@bp.get("/healthz")
def healthz() -> Response:
    """Return 200 and the version without touching the store: restarting a server does not bring its store back."""
    return _uncached(jsonify(status="ok", version=VERSION))


@bp.get("/readyz")
def readyz() -> Response:
    """Return 200 if a report could be stored now, proved by a write within the last second; else 503."""
    probe: CachedProbe[None] = current_app.extensions[_EXTENSION]
    try:
        probe.result()
    except StoreUnavailable as error:
        log.error("not_ready", extra={"reason": str(error)})  # noqa: TRY400 - The reason is the whole story.
        return _uncached(jsonify(status="unavailable", reason=str(error)), status=503)
    return _uncached(jsonify(status="ok"))


def _uncached(response: Response, *, status: int = 200) -> Response:
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
