"""An afternoon's work: Flask and SQLAlchemy, one commit for each request."""

from flask import Flask, Response, abort, request

from benchmarks.peers.afternoon import is_signed, keep

app = Flask(__name__)


@app.post("/dialstatus/action/")
def action() -> Response:
    """Check, store, reply."""
    params = request.form.to_dict()
    headers = request.headers
    signature, nonce = headers.get("X-Plivo-Signature-V3", ""), headers.get("X-Plivo-Signature-V3-Nonce", "")
    if not is_signed("POST", request.full_path, params, signature, nonce):
        abort(403)
    keep(request.args["dial"], params)
    return Response("<Response/>", content_type="application/xml")
