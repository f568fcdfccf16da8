"""The shape of Plivo's sample: the report's values read and printed, the answer's XML built for each request."""

from flask import Flask, Response, request
from plivo import plivoxml

app = Flask(__name__)


@app.route("/dialstatus/action/", methods=["GET", "POST"])
def action() -> str:
    """Read three values, print them, reply OK; nothing is checked or stored."""
    status = request.values.get("DialStatus")
    a_leg = request.values.get("DialALegUUID")
    b_leg = request.values.get("DialBLegUUID")
    print(f"Status = {status} , Aleg UUID = {a_leg} , Bleg UUID = {b_leg}")
    return "OK"


@app.route("/dialstatus/", methods=["GET", "POST"])
def answer() -> Response:
    """Build a Dial with the SDK's elements."""
    response = plivoxml.ResponseElement()
    dial = plivoxml.DialElement(
        action=request.url_root + "dialstatus/action/",
        method="POST",
        redirect=True,
        caller_id=request.values.get("From"),
    )
    response.add(dial.add(plivoxml.NumberElement("+14155550123")))
    return Response(response.to_string(), mimetype="application/xml")
