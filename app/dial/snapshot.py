"""The state that a decision may know: held in memory, so that a webhook waits for neither the store nor a network."""

from datetime import UTC, datetime

from app.context import Services
from app.plan.snapshot import Snapshot
from app.voice.events import Event


def snapshot_of(event: Event, shared: Services) -> Snapshot:
    """Return what is known at the moment of an event."""
    return shared.live.at(datetime.fromtimestamp(event.at / 1000, UTC))
