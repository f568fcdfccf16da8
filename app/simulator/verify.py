"""Compare what the server keeps with what really happened: every call, every dial, every leg.

What the server could not know, because a fault kept it from arriving, is not asked of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from app.simulator.ground_truth import CallTruth, DialTruth, Kind, LegTruth
from app.simulator.reports_api import Record, as_record
from app.voice.outcome import Outcome

# A call this long after its beginning tells the simulated clock from the real one.
_TELLING_SECONDS = 2.0

_CLOSED = frozenset(Outcome) - {Outcome.IN_PROGRESS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field of one call in which the server's records are not what happened."""

    call_uuid: str
    scenario: str
    where: str
    field: str
    happened: str
    recorded: str

    def as_dict(self) -> dict[str, str]:
        """Return the fields for JSON."""
        return asdict(self)


def compare(truth: CallTruth, record: Record | None) -> list[Difference]:
    """Return every difference between a call and what the server keeps of it."""
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


def _compare(truth: CallTruth, record: Record | None) -> _Found:
    if record is None:
        if any(sent.acknowledged and sent.kind in _RECORDED for sent in truth.sent):
            yield "call", "record", "requests were acknowledged", "nothing is kept"
        return
    yield from _compare_end(truth, as_record(record.get("call")))
    yield from _compare_receipts(truth, _rows(record, "receipts"))
    dials = sorted(_rows(record, "dials"), key=lambda row: str(row.get("started_at")))
    legs = {str(row.get("b_leg_uuid")): row for row in _rows(record, "legs")}
    placed = [dial for dial in truth.dials if dial.has_action or dial.has_callback or truth.reached(Kind.PHLO, "0")]
    recordings, told = _rows(record, "recordings"), truth.times(Kind.RECORDING)
    if told and len(recordings) < truth.recordings:
        yield "call", "recordings", str(truth.recordings), str(len(recordings))
    if len(dials) != len(placed) and _heard_every_reply(truth):
        yield "call", "dials", str(len(placed)), str(len(dials))
    simulated = _believes_simulated_time(truth, _rows(record, "receipts"))
    for dial, row in _pair(placed, dials, legs):
        yield from _compare_dial(truth, dial, row, simulated=simulated)
    for leg in (leg for dial in truth.dials for leg in dial.legs):
        yield from _compare_leg(truth, leg, legs.get(leg.b_leg_uuid))


def _pair(
    placed: list[DialTruth], dials: list[Record], legs: Mapping[str, Record]
) -> Iterator[tuple[DialTruth, Record]]:
    """Bring each dial together with its record: by its legs, else by its place among those without."""
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


def _compare_end(truth: CallTruth, call: Record) -> _Found:
    if not truth.reached(Kind.HANGUP) or truth.end is None:
        return
    yield from _differ("call", call, "call_status", truth.end.call_status)
    yield from _differ("call", call, "hangup_code", truth.end.code)
    yield from _differ("call", call, "duration", truth.seconds)


def _compare_receipts(truth: CallTruth, receipts: list[Record]) -> _Found:
    """Every acknowledged request is kept, and each of its copies counted."""
    for kind in _RECORDED:
        acknowledged = truth.times(kind)
        kept = sum(_number(row.get("deliveries")) for row in receipts if row.get("kind") == kind.value)
        if kept < acknowledged:
            yield "receipts", kind.value, f"{acknowledged} acknowledged", f"{kept} kept"


def _compare_dial(truth: CallTruth, dial: DialTruth, row: Record, *, simulated: bool) -> _Found:
    where = f"dial {dial.number + 1}"
    reported = truth.reached(Kind.ACTION, str(dial.number)) or truth.reached(Kind.PHLO, str(dial.number))
    allowed = allowed_outcomes(truth, dial)
    if row.get("outcome") not in allowed:
        yield where, "outcome", " or ".join(sorted(allowed)), str(row.get("outcome"))
    if reported:
        yield from _differ(where, row, "dial_status", dial.status)
        yield from _differ(where, row, "dial_ring_status", dial.rang)
        yield from _differ(where, row, "dial_hangup_cause", dial.cause)
        yield from _differ(where, row, "b_leg_uuid", dial.b_leg_uuid or None)
        reports = truth.times(Kind.ACTION, str(dial.number)) + truth.times(Kind.PHLO, str(dial.number))
        if _number(row.get("deliveries")) < reports:
            yield where, "deliveries", f"{reports} acknowledged", str(row.get("deliveries"))
    winner = dial.winner
    if winner is None or not _reached_leg(truth, winner, "hangup"):
        return
    if reported or (truth.reached(Kind.HANGUP) and _reached_leg(truth, winner, "answer")):
        yield from _differ(where, row, "talk_seconds", winner.seconds)
        if winner.end is not None:
            yield from _differ(where, row, "hangup_code", winner.end.code)
    if simulated and winner.answered_at is not None and _reached_leg(truth, winner, "answer"):
        rang_for = winner.answered_at - dial.started_at
        if abs(_number(row.get("ring_seconds")) - rang_for) > 1:
            yield where, "ring_seconds", f"{rang_for:g}", str(row.get("ring_seconds"))


def _compare_leg(truth: CallTruth, leg: LegTruth, row: Record | None) -> _Found:
    if leg.end is None or not _reached_leg(truth, leg, "hangup"):
        return
    where = f"leg {leg.b_leg_uuid}"
    if row is None:
        yield where, "record", "its hang-up was acknowledged", "nothing is kept"
        return
    yield from _differ(where, row, "hangup_code", leg.end.code)
    yield from _differ(where, row, "duration", leg.seconds)


def allowed_outcomes(truth: CallTruth, dial: DialTruth) -> frozenset[Outcome]:
    """Return the outcomes that follow from what reached the server.

    With the action, or with every leg's hang-up, the outcome is known. With the call's hang-up alone the dial
    must at least be closed. With neither, nothing can be asked.
    """
    hangups = [_reached_leg(truth, leg, "hangup") for leg in dial.legs]
    if truth.reached(Kind.ACTION, str(dial.number)) or truth.reached(Kind.PHLO, str(dial.number)):
        vague = {leg.end.outcome_without_code for leg in dial.legs if leg.end} - {None}
        return dial.outcomes if all(hangups) else dial.outcomes | {word for word in vague if word}
    is_closed = truth.reached(Kind.HANGUP)
    if dial.winner is not None and _reached_leg(truth, dial.winner, "hangup") and is_closed:
        return frozenset({Outcome.ANSWERED})
    if all(hangups) and is_closed and dial.winner is None:
        return dial.outcomes
    return _CLOSED if is_closed else frozenset(Outcome)


def _reached_leg(truth: CallTruth, leg: LegTruth, event: str) -> bool:
    return truth.reached(Kind.CALLBACK, f"{leg.b_leg_uuid} {event}")


def _believes_simulated_time(truth: CallTruth, receipts: list[Record]) -> bool:
    """Tell whether the server took the time from the simulator: then ringing times can be compared."""
    received = [str(row.get("received_at")) for row in receipts]
    last = max((sent.at for sent in truth.sent if sent.acknowledged), default=0.0)
    if not received or last < _TELLING_SECONDS:
        return False
    told = datetime.fromisoformat(max(received)) - truth.begun_at
    return abs(told.total_seconds() - last) < _TELLING_SECONDS / 2


def _heard_every_reply(truth: CallTruth) -> bool:
    """Tell whether the call got every document it asked for: only then does each one's Dial exist."""
    asked = [sent for sent in truth.sent if not sent.kind.is_notice]
    return bool(asked) and all(sent.acknowledged and sent.heard for sent in asked)


def _differ(where: str, row: Record, field: str, happened: object) -> _Found:
    if row.get(field) != happened:
        yield where, field, str(happened), str(row.get(field))


def _rows(record: Record, name: str) -> list[Record]:
    rows = record.get(name)
    return [as_record(row) for row in rows] if isinstance(rows, list) else []


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0


_RECORDED = (Kind.ANSWER, Kind.ACTION, Kind.CALLBACK, Kind.HANGUP, Kind.RING, Kind.RECORDING, Kind.PHLO)
