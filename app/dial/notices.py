"""The notice routes: Plivo tells, and nobody waits on the line.

A notice that cannot be kept is answered 503, so that Plivo brings it again.
"""

import logging

from flask import Response, g, jsonify

from app.dial.answers import xml_reply
from app.dial.arrival import Arrival
from app.dial.keeping import keep_notice, translate
from app.records.receipt import StoreUnavailable

log = logging.getLogger(__name__)


def notice() -> Response:
    """Keep what Plivo tells."""
    arrival: Arrival = g.arrival
    try:
        keep_notice(arrival, translate(arrival))
    except StoreUnavailable as error:
        log.warning("notice_not_kept", extra={"kind": arrival.kind.value, "error": str(error)})
        return xml_reply(status=503)
    return xml_reply()


def phlo() -> Response:
    """Keep what a PHLO reports about its Call Forward."""
    arrival: Arrival = g.arrival
    try:
        kept = keep_notice(arrival, translate(arrival))
    except StoreUnavailable as error:
        log.warning("notice_not_kept", extra={"kind": arrival.kind.value, "error": str(error)})
        return xml_reply(status=503)
    dial = kept.dial if kept else None
    return jsonify(recorded=kept is not None, dial_id=dial.dial_id if dial else None)
