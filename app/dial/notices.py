"""The notice routes: Plivo tells, and nobody waits on the line.

A notice that cannot be kept is answered 503, so that Plivo brings it again.
"""

from flask import Response, json

from app.dial.answers import xml_reply
from app.dial.request import Arrival, at_hand
from app.dial.store_receipt import keep_notice, translate
from app.records.model.receipt import StoredReceipt


def notice() -> Response:
    """Keep what Plivo tells."""
    arrival: Arrival = at_hand().arrival
    if arrival.method == "HEAD":
        return xml_reply()
    return keep_notice(arrival, translate(arrival), _say_nothing)


def phlo() -> Response:
    """Keep what a PHLO reports about its Call Forward."""
    arrival: Arrival = at_hand().arrival
    if arrival.method == "HEAD":
        return Response(_recorded(None), content_type="application/json")
    return keep_notice(arrival, translate(arrival), _say_recorded)


def _say_nothing(_response: Response, _kept: StoredReceipt | None) -> None:
    """Leave the reply as it is: the empty response."""


def _say_recorded(response: Response, kept: StoredReceipt | None) -> None:
    response.content_type = "application/json"
    response.set_data(_recorded(kept))


def _recorded(kept: StoredReceipt | None) -> str:
    return json.dumps({"recorded": kept is not None, "dial_id": kept.dial.dial_id if kept and kept.dial else None})
