"""The floor: a Flask view that reads nothing and stores nothing."""

from flask import Flask, Response

app = Flask(__name__)


@app.route("/dialstatus/", methods=["GET", "POST"])
@app.route("/dialstatus/action/", methods=["GET", "POST"])
def answer() -> Response:
    """Reply with empty XML."""
    return Response("<Response/>", content_type="application/xml")
