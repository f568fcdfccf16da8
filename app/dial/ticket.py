"""Where a call stands in its plan, signed and carried in the query of our own URLs.

Any worker on any node can go on with the call from the ticket alone; one that was altered is no ticket.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote_plus

from app.voice.keyed_hash import keyed_hash

_KEYS = ("dial", "route", "step", "round", "since")
_SEAL_BYTES = 15  # 120 bits: nobody guesses it, and base64 needs no padding.

_quoted = lru_cache(maxsize=1024)(quote_plus)  # A plan has few names.


class Ticket(NamedTuple):
    """One dial of a call: the step that rings, the count of dials so far, and when the first began.

    `step` is the name of a step, or of an ending that asks us again (a voicemail); `started_at` is in
    whole seconds since 1970.
    """

    dial_id: str
    route: str
    step: str
    round: int
    started_at: int

    def to_query(self, secret: str) -> str:
        """Return the query of the ticket, encoded: its values in readable form, and the seal over them.

        The keys are lower case, since Plivo's own names are in mixed case and must not meet ours.
        """
        dial_id, route, step, count, since = self
        seal = _seal((dial_id, route, step, str(count), str(since)), secret)
        return (
            f"dial={quote_plus(dial_id)}&route={_quoted(route)}&step={_quoted(step)}"
            f"&round={count}&since={since}&seal={seal.decode()}"
        )

    @classmethod
    def from_query(cls, query: Mapping[str, str], secret: str) -> "Ticket | None":
        """Read a ticket from a request's decoded query; None when it is missing, incomplete or altered."""
        dial_id, route, step, count, since = values = [query.get(key, "") for key in _KEYS]
        if not hmac.compare_digest(_seal(values, secret), _bytes(query.get("seal", ""))):
            return None
        return cls(dial_id, route, step, int(count), int(since))  # Only what we sealed ourselves comes here.


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _seal(values: Iterable[str], secret: str) -> bytes:
    """Sign the values, each behind its length, so that none can lend letters to its neighbour."""
    message = "dial ticket" + "".join([f"{len(value)}:{value}" for value in values])
    digest = keyed_hash(secret.encode(), _bytes(message))
    return urlsafe_b64encode(digest[:_SEAL_BYTES])
