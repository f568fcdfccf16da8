"""Signed requests to other servers, as Standard Webhooks describes them, that cannot be turned inward.

Redirects are not followed, and only the status of the response is read.
"""

import base64
import hmac
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from http.client import HTTPException

from app.notify.addresses import Address
from app.notify.attempts import ended, message_id_of
from app.records.store.store import Store
from app.records.writing.deliveries import Attempt, Claim, settle
from settings.outgoing import PrivateAddress, ask, public_or_any

_LONGEST = 15.0  # Seconds for everything after the connection, however slowly the other side sends.
_AT_ONCE = 8


class NotAccepted(Exception):
    """The other side did not accept the request; the text says why and holds no secret."""


class WebhookSender:
    """Sends the events of one address."""

    batch = _AT_ONCE
    lease = 30_000  # Milliseconds; longer than a send can take.

    def __init__(self, store: Store, address: Address) -> None:
        self._store = store
        self._address = address

    def send(self, claims: Sequence[Claim]) -> None:
        """Post events, several at once; store how each ended as soon as it has. Raises `StoreUnavailable`."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=self._address.name) as pool:
            pending = {pool.submit(self._attempt, one) for one in claims}
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                settle(self._store, [future.result() for future in done])

    def _attempt(self, one: Claim) -> Attempt:
        address, body, timestamp = self._address, one.body.encode(), int(time.time())
        message_id = message_id_of(one.event_key)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Dialstatus",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(address.secret or "", message_id=message_id, timestamp=timestamp, body=body),
        }
        started, reason = time.monotonic(), None
        try:
            send(address.url, body, headers, allow_private=address.allow_private)
        except NotAccepted as error:
            reason = str(error)
        return ended(one, reason=reason, milliseconds=round((time.monotonic() - started) * 1000))


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the Standard Webhooks signature: v1, HMAC-SHA256 of id, time and body. `secret` is whsec_ and base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def send(url: str, body: bytes, headers: dict[str, str], *, allow_private: bool) -> None:
    """Post `body`; return once the other side replied 2xx. Raises NotAccepted in every other case."""
    allows = public_or_any(allow_private=allow_private)
    try:
        with ask("POST", url, headers=headers, body=body, allows=allows, longest=_LONGEST) as response:
            status = response.status
    except PrivateAddress as error:
        raise NotAccepted("the address is private; set EVENTS_ALLOW_PRIVATE=true to allow it") from error
    except (OSError, HTTPException, ValueError) as error:
        raise NotAccepted(type(error).__name__) from error
    if not 200 <= status < 300:
        raise NotAccepted(f"status {status}")
