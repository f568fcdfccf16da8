"""How an attempt to deliver ended, and when the next one is made."""

import logging
import random
import re

from app.records.writing.deliveries import DEAD, DELIVERED, WAITING, Attempt, Claim

log = logging.getLogger(__name__)

# Seconds until each next attempt, as Standard Webhooks proposes: three days in all.
_RETRIES = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)


def message_id_of(event_key: int) -> str:
    """Return the id by which a receiver recognises a repeated event."""
    return f"msg_{event_key:016x}"


def event_key_of(message_id: str) -> int:
    """Return the key in an id. Raises ValueError."""
    if not re.fullmatch(r"msg_[0-9a-f]{16}", message_id):
        raise ValueError(f"{message_id!r} is no id of an event; flask events list shows them")
    return int(message_id[4:], 16)


def ended(one: Claim, *, reason: str | None, milliseconds: int) -> Attempt:
    """Return how an attempt ended, and log it. `reason` is why it failed, None where it did not."""
    about = {"address": one.address, "type": one.type, "id": message_id_of(one.event_key), "attempts": one.attempts}
    if reason is None:
        log.info("event_delivered", extra=about)
        return Attempt(claim=one, state=DELIVERED, milliseconds=milliseconds)
    if one.attempts > len(_RETRIES):
        log.error("event_given_up", extra={**about, "reason": reason})
        return Attempt(claim=one, state=DEAD, milliseconds=milliseconds, reason=reason)
    log.warning("event_not_delivered", extra={**about, "reason": reason})
    # Spread, so that a receiver that comes back does not get everything at once.
    wait_seconds = _RETRIES[one.attempts - 1] * random.uniform(1, 1.2)  # noqa: S311 - Not for security.
    retry_in = round(wait_seconds * 1000)
    return Attempt(claim=one, state=WAITING, milliseconds=milliseconds, reason=reason, retry_in=retry_in)
