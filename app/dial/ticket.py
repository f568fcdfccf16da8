"""Where a call stands in its plan, sealed and carried in the query of our own URLs.

Any worker on any node can go on with the call from the ticket alone. A control URL carries a whole ticket, the URL of a
notice the dial id and a seal. An altered query is the same as none.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote_plus

_KEYS = ("dial", "route", "step", "round", "since")
# Our part of a URL's query. The names are lower case, since Plivo's are in mixed case and must not meet ours.
_TURN = "turn"  # Only where a step rings its targets in turn.
OWN_NAMES = frozenset({*_KEYS, _TURN, "seal"})
_SEAL_BYTES = 15  # 120 bits are beyond guessing, and base64 needs no padding.

_quoted = lru_cache(maxsize=1024)(quote_plus)  # A plan has few names.


class Ticket(NamedTuple):
    """One dial of a call: the step that rings, the count of dials so far, and when the first began.

    `step` is the name of a step, or of an ending that asks us again (a voicemail); `started_at` is in
    whole seconds since 1970. `turn` is what the call remembers of the targets that rang, empty for most plans.
    """

    dial_id: str
    route: str
    step: str
    round: int
    started_at: int
    turn: str = ""

    def to_query(self, secret: str) -> str:
        """Return the query of the ticket, encoded: its values in readable form, and the seal over them."""
        dial_id, route, step, count, since, turn = self
        seal = _seal("ticket", (dial_id, route, step, str(count), str(since), *([turn] if turn else ())), secret)
        return (
            f"dial={quote_plus(dial_id)}&route={_quoted(route)}&step={_quoted(step)}"
            f"&round={count}&since={since}{f'&{_TURN}={quote_plus(turn)}' if turn else ''}&seal={seal.decode()}"
        )

    @classmethod
    def from_query(cls, query: Mapping[str, str], secret: str) -> "Ticket | None":
        """Return the ticket in a request's decoded query; None when it is missing, incomplete or altered."""
        dial_id, route, step, count, since = values = [query.get(key, "") for key in _KEYS]
        turn = query.get(_TURN, "")
        seal = _seal("ticket", [*values, turn] if turn else values, secret)
        if not hmac.compare_digest(seal, _bytes(query.get("seal", ""))):
            return None
        return cls(dial_id, route, step, int(count), int(since), turn)  # Sealed by us, so these are numbers.


def notice_query(dial_id: str, secret: str) -> str:
    """Return the query of a notice's URL: the dial and the seal over it."""
    return f"dial={quote_plus(dial_id)}&seal={_seal('notice', (dial_id,), secret).decode()}"


def dial_of_notice(query: Mapping[str, str], secret: str) -> str | None:
    """Return the dial in a notice's decoded query; None when it is missing or altered."""
    dial_id = query.get("dial", "")
    is_ours = hmac.compare_digest(_seal("notice", (dial_id,), secret), _bytes(query.get("seal", "")))
    return dial_id if dial_id and is_ours else None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _seal(what: str, values: Iterable[str], secret: str) -> bytes:
    """Return the seal over the values, each after its length, so that no letter can move to its neighbour."""
    message = f"dial {what}" + "".join([f"{len(value)}:{value}" for value in values])
    digest = hmac.digest(secret.encode(), _bytes(message), "sha256")
    return urlsafe_b64encode(digest[:_SEAL_BYTES])
