"""The replies' outer form: always valid XML, whatever the status."""

from flask import Response

from app.voice.xml import EMPTY


def xml_reply(document: str = EMPTY, *, status: int = 200) -> Response:
    """Answer with a document that Plivo can read."""
    return Response(document, status=status, content_type="application/xml")
