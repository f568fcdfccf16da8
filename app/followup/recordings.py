"""Play recordings: a signed link of our own, valid for an hour, leads to Plivo's recording host.

The link carries nothing of the account. Only https URLs at plivo.com are followed, since reports may be forged.
"""

import logging
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Response, abort, redirect, url_for
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from app.context import services
from app.records.model.receipt import StoreUnavailable
from app.records.reading.messages import Message, find_message, mark_heard
from app.records.reading.read_session import read_session

log = logging.getLogger(__name__)

LIFETIME = 3600  # seconds
_HOST = "plivo.com"


def is_playable(message: Message) -> bool:
    """Return whether the audio is still at Plivo."""
    return message.deleted_at is None and is_at_plivo(message.recording.url)


def is_at_plivo(url: str | None) -> bool:
    """Return whether a URL is on Plivo's recording host, without credentials or a port of its own."""
    try:
        parts = urlsplit(url or "")
        return parts.scheme == "https" and parts.netloc.lower().endswith(f".{_HOST}") and "@" not in parts.netloc
    except ValueError:
        return False


def play_url(message: Message, *, listener: str | None) -> str:
    """Return the link that plays a message for an hour; playing it marks the message heard by `listener`."""
    return url_for("recordings.play", token=_signer().dumps([message.call.call_key, listener]))


def play(token: str) -> Response:
    """Redirect to the audio of the recording that a valid token names."""
    try:
        call_key, listener = _signer().loads(token, max_age=LIFETIME)
    except SignatureExpired:
        abort(HTTPStatus.GONE, "This link has expired. Open the list of messages again.")
    except (BadSignature, ValueError, TypeError):
        abort(HTTPStatus.NOT_FOUND, "There is no recording at this address.")
    with read_session(services().store) as connection:
        message = find_message(connection, call_key)
    if message is None or not is_playable(message):
        abort(HTTPStatus.GONE, "This recording has been deleted.")
    if listener is not None and message.heard_at is None:
        try:
            mark_heard(services().store, message, actor=listener)
        except StoreUnavailable as error:
            log.warning("message_not_marked", extra={"error": str(error)})
    response: Response = redirect(message.recording.url or "")  # type: ignore[assignment]
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(services().config.secret_key, salt="recording")
