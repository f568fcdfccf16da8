"""The URLs we hand out: absolute, with a ticket or a dial id, sealed, and with Plivo's retry fragment.

Plivo never sends the fragment back and does not sign it (Plivo, callback configuration).
"""

from app.plan.document import Urls
from config import Config

PREFIX = "/dialstatus"


def urls(config: Config, base_url: str, *, ticket: str, dial: str) -> Urls:
    """Return the URLs of one document; `ticket` and `dial` are the queries of control and of notice URLs."""
    control, notice = config.retry_control, config.retry_notice
    return Urls(
        action_url=_url(base_url, "action", ticket, control),
        confirm_url=_url(base_url, "confirm", ticket, control),
        music_url=_url(base_url, "music", ticket, control),
        voicemail_url=_url(base_url, "voicemail", ticket, control),
        callback_url=_url(base_url, "callback", dial, notice),
        recording_url=_url(base_url, "recording", dial, notice),
        sounds_url=sounds_url(base_url),
        method=config.dial_method,
    )


def sounds_url(base_url: str) -> str:
    """Return the URL that the name of an audio file is appended to."""
    return f"{base_url}{PREFIX}/music/"


def _url(base_url: str, name: str, query: str, fragment: str) -> str:
    return f"{base_url}{PREFIX}/{name}/?{query}#{fragment}"
