"""Health: is the process alive, which version is it, and could it store a report now? Open to all."""

import logging
from typing import cast

from flask import Blueprint, Response, current_app, jsonify
from flask.blueprints import BlueprintSetupState

from app.context import EXTENSION, Services
from app.ops.cached_probe import Bounded
from app.records.model.receipt import StoreUnavailable
from app.records.store.readiness import prove_write
from config import VERSION

log = logging.getLogger(__name__)
bp = Blueprint("health", __name__)

_EXTENSION = "dialstatus-readiness"


@bp.record
def _make_readiness(setup: BlueprintSetupState) -> None:
    store = cast(Services, setup.app.extensions[EXTENSION]).store
    # Each proof is a write that webhooks wait for, and anybody may ask for one.
    proof = Bounded(lambda: prove_write(store), timeout=store.timeout, name="readiness")
    setup.app.extensions[_EXTENSION] = proof


@bp.get("/healthz")
def healthz() -> Response:
    """Return 200: the process answers. No store is touched, since a restart does not bring a store back."""
    return _uncached(jsonify(status="ok", version=VERSION))


@bp.get("/readyz")
def readyz() -> Response:
    """Say whether a report could be kept now, proved by a write."""
    proof: Bounded[None] = current_app.extensions[_EXTENSION]
    try:
        proof.ask()
    except StoreUnavailable as error:
        log.error("not_ready", extra={"reason": str(error)})  # noqa: TRY400  # The reason says all.
        return _uncached(jsonify(status="unavailable", reason=str(error)), status=503)
    return _uncached(jsonify(status="ok"))


def _uncached(response: Response, *, status: int = 200) -> Response:
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
