"""Where a call stands in its plan, signed and carried in the query of our own URLs.

Any worker on any node can go on with the call from the ticket alone; one that was altered is no ticket.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass

_KEYS = ("dial", "route", "step", "round", "since")
_SEAL_BYTES = 15  # 120 bits: nobody guesses it, and base64 needs no padding.


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """One dial of a call: the step that rings, the count of dials so far, and when the first began.

    `step` is the name of a step, or of an ending that asks us again (a voicemail); `started_at` is in
    whole seconds since 1970.
    """

    dial_id: str
    route: str
    step: str
    round: int
    started_at: int

    def to_query(self, secret: str) -> dict[str, str]:
        """Return the query of the ticket: its values in readable form, and the seal over them.

        The keys are lower case, since Plivo's own names are in mixed case and must not meet ours.
        """
        values = {
            "dial": self.dial_id,
            "route": self.route,
            "step": self.step,
            "round": str(self.round),
            "since": str(self.started_at),
        }
        return {**values, "seal": _seal(values, secret)}

    @classmethod
    def from_query(cls, query: Mapping[str, str], secret: str) -> "Ticket | None":
        """Read a ticket from a request's query; None when it is missing, incomplete or altered."""
        values = {key: query.get(key, "") for key in _KEYS}
        if not hmac.compare_digest(_seal(values, secret).encode(), _bytes(query.get("seal", ""))):
            return None
        # Only what we sealed ourselves comes here, so the counts are numbers.
        return cls(
            dial_id=values["dial"],
            route=values["route"],
            step=values["step"],
            round=int(values["round"]),
            started_at=int(values["since"]),
        )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _seal(values: Mapping[str, str], secret: str) -> str:
    """Sign the values, each behind its length, so that none can lend letters to its neighbour."""
    message = "dial ticket" + "".join([f"{len(value)}:{value}" for value in values.values()])
    digest = hmac.digest(secret.encode(), _bytes(message), "sha256")
    return urlsafe_b64encode(digest[:_SEAL_BYTES]).decode()
