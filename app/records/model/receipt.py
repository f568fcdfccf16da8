"""Receipts: webhooks as they were received, each with our reply."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from hashlib import blake2b
from typing import NamedTuple, Protocol

from pydantic_core import to_json

from app.records.model.state import DialState, Placement
from app.voice.cdr import parse_any
from app.voice.events import DialEnded, Event, Kind, LegEvent
from app.voice.xml import EMPTY


class StoreUnavailable(Exception):
    """The store cannot be used now. Spool the receipt, or let Plivo send the webhook again."""


class StoreReplaced(StoreUnavailable):
    """The file at the database's path is no longer the file that is open."""


class ReceiptRefused(StoreUnavailable):
    """The store works and rejects this receipt; a retry would not help, so spool it."""


class Reply(NamedTuple):
    """What a control request gets: the document, and the dial or the ending that it starts, if any.

    Where the dial tries a dead phone again, `otherwise` makes the reply for the case that another call does so already.
    """

    document: str
    placement: Placement | None = None
    otherwise: "Callable[[], Reply] | None" = None


class DecideAgain(Protocol):
    """Decides what the caller gets once the whole record is known."""

    def __call__(self, outcome: str, *, call_has_ended: bool, legs: Mapping[str, str]) -> Reply | None:
        """Return the reply and what it starts for the outcome of the record; None to keep what was decided.

        `legs` has the outcome of each target that ended with a hangup code of its own.
        """


class Receipt(NamedTuple):
    """One webhook as received, its event, and the reply that was decided.

    `params` are Plivo's decoded parameters in the order received, `query` is the raw query of our URL. `received_at` is
    in milliseconds since 1970 UTC, `reply_micros` in microseconds. `reply` is None for the empty response. The journal
    calls `decide_again`, if there is one, before it stores the receipt, and `otherwise` where `Reply` says so.
    """

    kind: Kind
    method: str
    path: str
    query: str
    params: tuple[tuple[str, str], ...]
    signature: str
    sender: str | None
    request_id: str | None
    received_at: int
    dial_id: str | None
    event: Event
    placement: Placement | None = None
    reply_status: int = 200
    reply: str | None = None
    reply_micros: int = 0
    decide_again: DecideAgain | None = None
    nonce: str | None = None
    otherwise: Callable[[], Reply] | None = None

    def with_reply(self, reply: Reply) -> "Receipt":
        """Return the receipt with another reply."""
        document = None if reply.document == EMPTY else reply.document
        return self._replace(reply=document, placement=reply.placement, otherwise=reply.otherwise)

    @property
    def nonce_key(self) -> int | None:
        """Return what the store keeps of the nonce of a valid signature: 63 bits of its hash."""
        if self.nonce is None:
            return None
        return int.from_bytes(blake2b(self.nonce.encode(), digest_size=8).digest()) >> 1

    def digest(self) -> bytes:
        """Return the receipt's identity: 16 bytes over kind, dial id and Plivo's parameters in any order."""
        # Lengths make the text unambiguous.
        pairs = "".join([f"{len(name)}:{name}{len(value)}:{value}" for name, value in sorted(self.params)])
        text = f"{self.kind.value},{self.dial_id},{pairs}"  # Neither a kind nor a dial id contains a comma.
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def names(self) -> dict[str, str | None]:
        """Return what `flask plivo reconcile` needs to find the call again, as fields of a log line."""
        event = self.event
        return {
            "call_uuid": event.call.call_uuid,
            "dial_status": event.status if isinstance(event, DialEnded) else None,
            "dial_hangup_cause": event.cause if isinstance(event, DialEnded) else None,
            "dial_b_leg_uuid": event.b_leg_uuid if isinstance(event, DialEnded | LegEvent) else None,
        }


class StoredReceipt(NamedTuple):
    """A receipt as committed: how often it was delivered, its first reply, and the state of its dial."""

    deliveries: int
    reply_status: int
    reply: str | None
    call_uuid: str
    dial: DialState | None


REUSED_NONCE = StoredReceipt(0, 403, None, "", None)  # Not stored: its nonce came before with other content.


def _compact(fields: Mapping[str, object]) -> str:
    """Return a JSON object in ASCII. Pydantic's encoder takes half the time of Python's."""
    try:
        return to_json(fields, ensure_ascii=True).decode("ascii")
    except ValueError:  # A lone surrogate: JSON can escape it, UTF-8 cannot encode it.
        return json.dumps(fields, separators=(",", ":"))


def params_to_json(params: Iterable[tuple[str, str]]) -> str:
    """Return parameters as a JSON object in their order; a repeated name gets an array."""
    pairs = list(params)
    fields: dict[str, str | list[str]] = dict(pairs)
    if len(fields) == len(pairs):
        return _compact(fields)
    fields.clear()
    for name, value in pairs:
        known = fields.get(name)
        if known is None:
            fields[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            fields[name] = [known, value]
    return _compact(fields)


def first_params(text: str) -> dict[str, str]:
    """Return the first value of each name in the output of `params_to_json`."""
    return {name: value[0] if isinstance(value, list) else value for name, value in json.loads(text).items()}


def placement_to_json(placement: Placement) -> str:
    """Return a placement as JSON."""
    # Most values are absent; omit them to keep receipts small.
    return _compact({name: value for name, value in placement._asdict().items() if value})


def placement_from_json(text: str | None) -> Placement | None:
    """Return the placement that `placement_to_json` wrote."""
    fields = json.loads(text) if text else None
    tuples = {name: tuple(fields.get(name, ())) for name in ("targets", "trials")} if fields else {}
    return Placement(**{"dial_id": None, **fields, **tuples}) if fields else None


def receipt_to_json(receipt: Receipt) -> str:
    """Return a receipt as JSON, without its event, which the parameters contain."""
    return json.dumps(
        {
            "kind": receipt.kind,
            "method": receipt.method,
            "path": receipt.path,
            "query": receipt.query,
            "params": receipt.params,
            "signature": receipt.signature,
            "sender": receipt.sender,
            "request_id": receipt.request_id,
            "received_at": receipt.received_at,
            "dial_id": receipt.dial_id,
            "placement": placement_to_json(receipt.placement) if receipt.placement else None,
            "reply_status": receipt.reply_status,
            "reply": receipt.reply,
            "reply_micros": receipt.reply_micros,
            "nonce": receipt.nonce,
        }
    )


def receipt_from_json(text: str, zone: tzinfo) -> Receipt:
    """Return the receipt that `receipt_to_json` wrote. `zone` is the time zone of the Plivo account.

    Raises ValueError, LookupError or TypeError for any other text.
    """
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise TypeError("a receipt is a JSON object")
    kind = Kind(fields.pop("kind"))
    params = tuple((name, value) for name, value in fields.pop("params"))
    placement = placement_from_json(fields.pop("placement"))
    event = parse_any(kind, dict(reversed(params)), at=fields["received_at"], zone=zone)
    return Receipt(kind=kind, params=params, placement=placement, event=event, **fields)
