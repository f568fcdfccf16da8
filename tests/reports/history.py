"""Calls of past days, stored through the journal as if received then."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC

from app.records.model.receipt import Receipt
from app.records.model.state import Placement
from app.voice.events import Kind
from app.voice.parsing import parse

TARGETS = {
    "sales": ("+14155550123", "+14155550124"),
    "support": ("+14155550125",),
    "night": ("sip:alice@phone.plivo.com",),
}
NUMBERS = {"sales": "+14155550100", "support": "+14155550101", "night": "+14155550102"}
ENDS = {
    "no-answer": ("NO_ANSWER", "true"),
    "busy": ("USER_BUSY", "true"),
    "cancel": ("ORIGINATOR_CANCEL", "true"),
    "failed": ("NORMAL_TEMPORARY_FAILURE", "false"),
    "splendid": ("", "true"),
}


def make_receipt(
    kind: Kind, at: int, params: dict[str, str], *, dial_id: str | None = None, placement: Placement | None = None
) -> Receipt:
    """Return a receipt received at `at`, in milliseconds since 1970 UTC."""
    return Receipt(
        kind=kind,
        method="POST",
        path=f"/dialstatus/{kind.value}/",
        query="",
        params=tuple(params.items()),
        signature="valid",
        sender="192.0.2.1",
        request_id=None,
        received_at=at,
        dial_id=dial_id,
        event=parse(kind, params, at=at, zone=UTC),
        placement=placement,
    )


def make_call(number: int, at: int, chance: random.Random) -> Iterator[Receipt]:
    """Yield the receipts of a call that we answered, rang, and that ended by chance in one way or another."""
    call_uuid, dial_id = f"call-{number}", f"dial{number}"
    route = chance.choice(list(TARGETS))
    base = {"CallUUID": call_uuid, "From": f"+1415555{chance.randint(0, 30):04d}", "To": NUMBERS[route]}
    # Some dials have no place in a call, and some are second dials whose first dial is missing.
    placement = Placement(dial_id=dial_id, targets=TARGETS[route], route=route, round=(1, None, 1, 2)[number % 4])
    yield make_receipt(Kind.ANSWER, at, {**base, "CallStatus": "ringing"}, placement=placement)
    if chance.random() < 0.7:  # Without it nobody knows how long the dial rang.
        yield _leg("answer", number, at + chance.randint(1, 40) * 1000, route)
    if chance.random() < 0.1:
        return
    yield end_call(number, at, chance, base)


def _leg(word: str, number: int, at: int, route: str) -> Receipt:
    """Return a report on a leg."""
    call_uuid = f"call-{number}"
    leg = {"DialALegUUID": call_uuid, "DialBLegUUID": f"leg-{number}", "DialBLegTo": TARGETS[route][-1]}
    return make_receipt(Kind.CALLBACK, at, {"CallUUID": call_uuid, "DialAction": word, **leg}, dial_id=f"dial{number}")


def make_rounds(number: int, moments: Sequence[int], statuses: Sequence[str]) -> Iterator[Receipt]:
    """Yield the receipts of a call with one dial per moment and status; the last report ends the call."""
    base = {"CallUUID": f"call-{number}", "From": "+14155550199", "To": NUMBERS["sales"]}
    dial_ids = [f"dial{number}-{dial}" for dial in range(len(statuses))]
    placements: list[Placement | None] = [
        Placement(dial_id=dial_id, targets=TARGETS["sales"], route="sales", round=dial + 1)
        for dial, dial_id in enumerate(dial_ids)
    ]
    yield make_receipt(Kind.ANSWER, moments[0], base, placement=placements[0])
    ends = zip([*moments[1:], moments[-1] + 60_000], dial_ids, statuses, [*placements[1:], None], strict=True)
    for at, dial_id, status, following in ends:
        leg = {"DialBLegUUID": f"leg-{dial_id}"} if status == "completed" else {}
        params = {**base, **leg, "DialALegUUID": base["CallUUID"], "DialStatus": status, "DialRingStatus": "true"}
        yield make_receipt(Kind.ACTION, at, params, dial_id=dial_id, placement=following)


def end_call(number: int, at: int, chance: random.Random, base: dict[str, str] | None = None) -> Receipt:
    """Return the report that ends a call's dial."""
    call_uuid, dial_id = f"call-{number}", f"dial{number}"
    params = {**(base or {}), "CallUUID": call_uuid, "DialALegUUID": call_uuid}
    after = at + chance.randint(2, 90) * 1000
    if chance.random() < 0.5:
        answered = {"DialStatus": "completed", "DialRingStatus": "true", "DialBLegUUID": f"leg-{number}"}
        return make_receipt(Kind.ACTION, after, {**params, **answered}, dial_id=dial_id)
    status = chance.choice(list(ENDS))
    cause, rang = ENDS[status]
    fields = {"DialStatus": status, "DialRingStatus": rang, "DialHangupCause": cause}
    return make_receipt(Kind.ACTION, after, {**params, **fields}, dial_id=dial_id)
