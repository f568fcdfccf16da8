"""The floor: a Flask view that reads nothing and keeps nothing."""

from flask import Flask, Response

app = Flask(__name__)


@app.route("/dialstatus/", methods=["GET", "POST"])
@app.route("/dialstatus/action/", methods=["GET", "POST"])
def answer() -> Response:
    """Answer XML that says nothing."""
    return Response("<Response/>", content_type="application/xml")
