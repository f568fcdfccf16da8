"""A receipt: one request of Plivo's as it came, with what we answered."""

import json
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from hashlib import blake2b
from typing import NamedTuple

from pydantic_core import to_json

from app.records.model.state import DialState, Placement
from app.voice.cdr import parse_any
from app.voice.events import Event, Kind


class StoreUnavailable(Exception):
    """The store did not take the receipt in time. Spool it, or have Plivo bring it again."""


class ReceiptRefused(StoreUnavailable):
    """The store is there and does not take this receipt: bringing it again would not help, so keep it elsewhere."""


class Receipt(NamedTuple):
    """One request as received, translated, and with the reply that was decided.

    `params` are Plivo's decoded parameters in the order received, `query` our own URL's raw query. `received_at` in
    milliseconds since 1970 UTC, `reply_micros` in microseconds. `reply` is None for the empty response.
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

    def digest(self) -> bytes:
        """Give the identity: 16 bytes over kind, dial id and Plivo's parameters in whatever order."""
        # Each value behind its length: so none can lend letters to its neighbour.
        pairs = "".join([f"{len(name)}:{name}{len(value)}:{value}" for name, value in sorted(self.params)])
        text = f"{self.kind._value_},{self.dial_id},{pairs}"  # Neither a kind nor a dial id has a comma.
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class StoredReceipt(NamedTuple):
    """What became of a receipt: how often it has come, the reply it got the first time, and its dial as committed."""

    deliveries: int
    reply_status: int
    reply: str | None
    call_uuid: str
    dial: DialState | None


def _compact(fields: Mapping[str, object]) -> str:
    """Write a JSON object in plain ASCII. Pydantic's writer takes half of the time of Python's."""
    try:
        return to_json(fields, ensure_ascii=True).decode("ascii")
    except ValueError:  # Half of a surrogate pair, which JSON can spell and UTF-8 cannot.
        return json.dumps(fields, separators=(",", ":"))


def params_to_json(params: Iterable[tuple[str, str]]) -> str:
    """Write parameters as a JSON object in their order; a name that came several times gets an array."""
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
    """Read what `params_to_json` wrote: the first value of each name."""
    return {name: value[0] if isinstance(value, list) else value for name, value in json.loads(text).items()}


def placement_to_json(placement: Placement) -> str:
    """Write down which dial a reply started."""
    return _compact(placement._asdict())


def placement_from_json(text: str | None) -> Placement | None:
    """Read what `placement_to_json` wrote."""
    fields = json.loads(text) if text else None
    return Placement(**{**fields, "targets": tuple(fields["targets"])}) if fields else None


def receipt_to_json(receipt: Receipt) -> str:
    """Write a receipt down; its event is left out, since it follows from the rest."""
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
        }
    )


def receipt_from_json(text: str, zone: tzinfo) -> Receipt:
    """Read a receipt that `receipt_to_json` wrote. `zone` is the Plivo account's.

    Raises ValueError, LookupError or TypeError when the text is no such receipt.
    """
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise TypeError("a receipt is a JSON object")
    kind = Kind(fields.pop("kind"))
    params = tuple((name, value) for name, value in fields.pop("params"))
    placement = placement_from_json(fields.pop("placement"))
    event = parse_any(kind, dict(reversed(params)), at=fields["received_at"], zone=zone)
    return Receipt(kind=kind, params=params, placement=placement, event=event, **fields)
