"""Compare the server's records with what happened: every call, every dial, every leg.

The server need not know what a fault kept from arriving.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from app.simulator.ground_truth import CallTruth, DialTruth, LegTruth, RequestKind
from app.simulator.reports_api import JsonObject, as_object
from app.voice.outcome import Outcome

# A shorter call cannot show whether the server follows the simulated clock.
_SHORTEST_CLOCK_CHECK_SECONDS = 2.0

_CLOSED = frozenset(Outcome) - {Outcome.IN_PROGRESS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field of one call whose record is not what happened."""

    call_uuid: str
    scenario: str
    where: str
    field: str
    happened: str
    recorded: str

    def as_dict(self) -> dict[str, str]:
        """Return the fields for JSON."""
        return asdict(self)


def compare(truth: CallTruth, record: JsonObject | None) -> list[Difference]:
    """Return every difference between a call and its record on the server."""
    found = list(_compare(truth, record))
    return [
        Difference(
            call_uuid=truth.call_uuid,
            scenario=truth.scenario,
            where=where,
            field=field,
            happened=happened,
            recorded=recorded,
        )
        for where, field, happened, recorded in found
    ]


_Found = Iterator[tuple[str, str, str, str]]


def _compare(truth: CallTruth, record: JsonObject | None) -> _Found:
    if record is None:
        if any(sent.acknowledged and sent.kind in _RECORDED for sent in truth.requests):
            yield "call", "record", "requests were acknowledged", "no record"
        return
    yield from _compare_end(truth, as_object(record.get("call")))
    yield from _compare_receipts(truth, _rows(record, "receipts"))
    dials = sorted(_rows(record, "dials"), key=lambda row: str(row.get("started_at")))
    legs = {str(row.get("b_leg_uuid")): row for row in _rows(record, "legs")}
    placed = [dial for dial in truth.dials if dial.has_action or dial.has_callback or _count_reports(truth, dial)]
    recordings = _rows(record, "recordings")
    if truth.count_acknowledged(RequestKind.RECORDING) and len(recordings) < truth.recordings:
        yield "call", "recordings", str(truth.recordings), str(len(recordings))
    if len(dials) != len(placed) and _heard_every_reply(truth):
        yield "call", "dials", str(len(placed)), str(len(dials))
    simulated = _follows_simulated_time(truth, _rows(record, "receipts"))
    for dial, row in _pair(placed, dials, legs):
        yield from _compare_dial(truth, dial, row, simulated=simulated)
    for leg in (leg for dial in truth.dials for leg in dial.legs):
        yield from _compare_leg(truth, leg, legs.get(leg.b_leg_uuid))


def _pair(
    placed: list[DialTruth], dials: list[JsonObject], legs: Mapping[str, JsonObject]
) -> Iterator[tuple[DialTruth, JsonObject]]:
    """Yield each dial with its record: matched by a leg, else by its place among those without."""
    left = {str(row.get("dial_id")): row for row in dials}
    unknown = []
    for dial in placed:
        rows = [legs[leg.b_leg_uuid] for leg in dial.legs if leg.b_leg_uuid in legs]
        row = left.pop(str(rows[0].get("dial_id")), None) if rows else None
        if row is None:
            unknown.append(dial)
        else:
            yield dial, row
    yield from zip(unknown, left.values(), strict=False)


def _compare_end(truth: CallTruth, call: JsonObject) -> _Found:
    if not truth.reached(RequestKind.HANGUP) or truth.end is None:
        return
    yield from _differ("call", call, "call_status", truth.end.call_status)
    yield from _differ("call", call, "hangup_code", truth.end.code)
    yield from _differ("call", call, "duration", truth.seconds)


def _compare_receipts(truth: CallTruth, receipts: list[JsonObject]) -> _Found:
    """Every acknowledged request is stored, and each of its copies counted."""
    for kind in _RECORDED:
        acknowledged = truth.count_acknowledged(kind)
        stored = sum(_number(row.get("deliveries")) for row in receipts if row.get("kind") == kind.value)
        if stored < acknowledged:
            yield "receipts", kind.value, f"{acknowledged} acknowledged", f"{stored} stored"


def _compare_dial(truth: CallTruth, dial: DialTruth, row: JsonObject, *, simulated: bool) -> _Found:
    where = f"dial {dial.number + 1}"
    reports = _count_reports(truth, dial)
    allowed = allowed_outcomes(truth, dial)
    if row.get("outcome") not in allowed:
        yield where, "outcome", " or ".join(sorted(allowed)), str(row.get("outcome"))
    if reports:
        yield from _differ(where, row, "dial_status", dial.status)
        yield from _differ(where, row, "dial_ring_status", dial.rang)
        yield from _differ(where, row, "dial_hangup_cause", dial.cause)
        yield from _differ(where, row, "b_leg_uuid", dial.b_leg_uuid or None)
        if _number(row.get("deliveries")) < reports:
            yield where, "deliveries", f"{reports} acknowledged", str(row.get("deliveries"))
    winner = dial.winner
    if winner is None or not _reached_leg(truth, winner, "hangup"):
        return
    if reports or (truth.reached(RequestKind.HANGUP) and _reached_leg(truth, winner, "answer")):
        yield from _differ(where, row, "talk_seconds", winner.seconds)
        if winner.end is not None:
            yield from _differ(where, row, "hangup_code", winner.end.code)
    if simulated and winner.answered_at is not None and _reached_leg(truth, winner, "answer"):
        yield from _compare_ringing(dial, winner.answered_at - dial.started_at, row.get("ring_seconds"), where)


def _compare_ringing(dial: DialTruth, rang_for: float, recorded: object, where: str) -> _Found:
    """Compare seconds of ringing; after a greeting the server cannot know when it began, and may record none."""
    if recorded is None and dial.started_at > dial.handed_out_at:
        return
    if abs(_number(recorded) - rang_for) > 1:
        yield where, "ring_seconds", f"{rang_for:g}", str(recorded)


def _compare_leg(truth: CallTruth, leg: LegTruth, row: JsonObject | None) -> _Found:
    if leg.end is None or not _reached_leg(truth, leg, "hangup"):
        return
    where = f"leg {leg.b_leg_uuid}"
    if row is None:
        yield where, "record", "its hangup was acknowledged", "no record"
        return
    yield from _differ(where, row, "hangup_code", leg.end.code)
    yield from _differ(where, row, "duration", leg.seconds)


def allowed_outcomes(truth: CallTruth, dial: DialTruth) -> frozenset[Outcome]:
    """Return the outcomes that follow from what reached the server.

    The action, or every leg's hangup, decides the outcome. After the call's hangup alone the dial must be
    closed. Otherwise any outcome is allowed.
    """
    hangups = [_reached_leg(truth, leg, "hangup") for leg in dial.legs]
    if _count_reports(truth, dial):
        return dial.outcomes if all(hangups) else dial.outcomes | _outcomes_without_code(dial)
    is_closed = truth.reached(RequestKind.HANGUP)
    if dial.winner is not None and _reached_leg(truth, dial.winner, "hangup") and is_closed:
        return frozenset({Outcome.ANSWERED})
    if all(hangups) and is_closed and dial.winner is None:
        needs_action = any(leg.end.needs_action for leg in dial.legs if leg.end)
        return _CLOSED - {Outcome.ANSWERED} if needs_action else dial.outcomes
    return _CLOSED if is_closed else frozenset(Outcome)


def _outcomes_without_code(dial: DialTruth) -> frozenset[Outcome]:
    """Return the outcomes that the action report alone suggests."""
    if dial.winner is not None or Outcome.CALLER_GAVE_UP in dial.outcomes:
        return dial.outcomes
    return frozenset(leg.end.outcome_without_code for leg in dial.legs if leg.end)


def _count_reports(truth: CallTruth, dial: DialTruth) -> int:
    """Return how often the server acknowledged a report of the dial's end."""
    kinds = (RequestKind.ACTION, RequestKind.PHLO)
    return sum(truth.count_acknowledged(kind, str(dial.number)) for kind in kinds)


def _reached_leg(truth: CallTruth, leg: LegTruth, event: str) -> bool:
    return truth.reached(RequestKind.CALLBACK, f"{leg.b_leg_uuid} {event}")


def _follows_simulated_time(truth: CallTruth, receipts: list[JsonObject]) -> bool:
    """Return whether the server follows the simulated clock, so that ringing times can be compared."""
    received = [str(row.get("received_at")) for row in receipts]
    last = max((sent.at for sent in truth.requests if sent.acknowledged), default=0.0)
    if not received or last < _SHORTEST_CLOCK_CHECK_SECONDS:
        return False
    latest = datetime.fromisoformat(max(received)) - truth.begun_at
    return abs(latest.total_seconds() - last) < _SHORTEST_CLOCK_CHECK_SECONDS / 2


def _heard_every_reply(truth: CallTruth) -> bool:
    """Return whether the call got every document it requested: only then does each Dial exist."""
    asked = [sent for sent in truth.requests if not sent.kind.is_notice]
    return bool(asked) and all(sent.acknowledged and sent.heard for sent in asked)


def _differ(where: str, row: JsonObject, field: str, happened: object) -> _Found:
    if row.get(field) != happened:
        yield where, field, str(happened), str(row.get(field))


def _rows(record: JsonObject, name: str) -> list[JsonObject]:
    rows = record.get(name)
    return [as_object(row) for row in rows] if isinstance(rows, list) else []


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0


_RECORDED = (
    RequestKind.ANSWER,
    RequestKind.ACTION,
    RequestKind.CALLBACK,
    RequestKind.HANGUP,
    RequestKind.RING,
    RequestKind.RECORDING,
    RequestKind.PHLO,
)
