"""The page `/events`: the last deliveries of events and notices."""

from flask import render_template

from app.context import services
from app.records.reading.deliveries import find_deliveries, oldest_waiting
from app.records.reading.read_session import read_session

_SHOWN = 200


def events_page() -> str:
    """Return the page: the newest deliveries with their state and latency."""
    with read_session(services().store) as connection:
        found = find_deliveries(connection, limit=_SHOWN)
        oldest = oldest_waiting(connection)
    return render_template("reports/events.html", found=found, oldest=oldest // 1000)
