"""What follows from a record: each dial's outcome, who answered, how long it rang and talked.

These values are never folded. They are found anew from the dial's report, its legs and its call whenever one of them
changes, so they cannot depend on the order in which things were heard.
"""

import json

from app.records.model.state import CallRecord, CallState, DialState, LegState
from app.records.writing.fold import earliest
from app.voice.outcome import Facts, Outcome, is_caller, outcome_of

LOST_RACE = 9000  # Another target of the same dial answered first (Plivo, hangup causes).
_NEVER_TALKED = frozenset({LOST_RACE, 9110, 9100, 2020})
# Which code speaks for a dial whose legs ended differently and that nobody answered: ringing says more than not.
_LOUDEST = (6010, 3000, 3010, 3100, 3020, 3110, 9110)


def derive(record: CallRecord) -> None:
    """Find the values that follow from the others, for every dial of the record."""
    for dial in record.dials.values():
        legs = [leg for leg in record.legs.values() if leg.dial_id == dial.dial_id]
        _settle_dial(dial, legs, record.call)


def _settle_dial(dial: DialState, legs: list[LegState], call: CallState) -> None:
    dial.from_number, dial.to_number = call.from_number, call.to_number
    winner = _winner(dial, legs)
    # Where the report names a leg that nothing else is known of, the other legs do not speak for it.
    speaker = winner or (None if dial.b_leg_uuid else _loudest(legs))
    outcome = outcome_of(_facts(dial, winner, speaker, call))
    dial.outcome = outcome._value_
    dial.hangup_code = speaker.hangup_code if speaker else None
    dial.hangup_name = speaker.hangup_name if speaker else None
    dial.hangup_source = speaker.hangup_source if speaker else None
    dial.ended_at = None if outcome is Outcome.IN_PROGRESS else _ended_at(dial, call)
    answered = winner is not None and outcome in {Outcome.ANSWERED, Outcome.IN_PROGRESS}
    dial.answered_at = _answered_at(winner) if winner and answered else None
    dial.answered_by = (winner.target or _only_target(dial)) if winner and answered else None
    if dial.answered_by is None and outcome is Outcome.ANSWERED:
        dial.answered_by = _only_target(dial)
    dial.talk_seconds = _talk_seconds(winner) if winner and outcome is Outcome.ANSWERED else None
    rang_until = dial.answered_at if outcome in {Outcome.ANSWERED, Outcome.IN_PROGRESS} else dial.ended_at
    # Without our own reply that placed it, nobody knows when it began to ring.
    if rang_until is None or dial.targets is None:
        dial.ring_seconds = None
    else:
        dial.ring_seconds = _seconds(dial.started_at, rang_until)


def _winner(dial: DialState, legs: list[LegState]) -> LegState | None:
    """Find the leg that answered: the one the report names, else the first that was put through or picked up."""
    if dial.b_leg_uuid is not None:
        return next((leg for leg in legs if leg.b_leg_uuid == dial.b_leg_uuid), None)
    if dial.reported_at is not None and dial.dial_status != "completed":
        return None
    talked = [leg for leg in legs if _may_have_talked(leg)]
    return min(
        talked,
        key=lambda leg: (leg.connected_at is None, _answered_at(leg) or leg.ended_at, leg.b_leg_uuid),
        default=None,
    )


def _may_have_talked(leg: LegState) -> bool:
    """Tell whether a leg was picked up: seen so, or since it talked for a while, though that was not heard of."""
    code = leg.hangup_code or 0
    if code in _NEVER_TALKED or 3000 <= code < 4000:
        return False
    return _answered_at(leg) is not None or bool(leg.duration)


def _loudest(legs: list[LegState]) -> LegState | None:
    """Choose the leg that says why nobody answered."""
    coded = [leg for leg in legs if leg.hangup_code is not None and leg.hangup_code != LOST_RACE]

    def loudness(leg: LegState) -> tuple[int, int, str]:
        code = leg.hangup_code or 0
        return (
            _LOUDEST.index(code) if code in _LOUDEST else len(_LOUDEST),
            leg.position or 0,
            leg.b_leg_uuid,
        )

    return min(coded, key=loudness, default=None)


def _facts(dial: DialState, winner: LegState | None, speaker: LegState | None, call: CallState) -> Facts:
    # In the order of its fields; by their names it takes twice as long.
    return Facts(
        dial.reported_at is not None,
        dial.dial_status,
        dial.dial_hangup_cause,
        dial.dial_ring_status,
        dial.b_leg_uuid is not None or winner is not None,
        speaker.hangup_code if speaker else None,
        winner is not None and _answered_at(winner) is not None,
        winner.duration if winner else None,
        call.ended_by is not None,
        is_caller(call.hangup_source, call.direction),
        call.hangup_code,
    )


def _answered_at(leg: LegState) -> int | None:
    return earliest(leg.answered_at, leg.connected_at) or leg.answer_time


def _talk_seconds(leg: LegState) -> int | None:
    if leg.duration is not None:
        return leg.duration
    since = leg.connected_at or _answered_at(leg)
    if since is None or leg.ended_at is None:
        return None
    return _seconds(since, leg.ended_at)


def _seconds(since: int, until: int) -> int:
    """Count the seconds between two times in milliseconds, as many as a column holds."""
    return min(max(0, round((until - since) / 1000)), 999_999_999)


def _ended_at(dial: DialState, call: CallState) -> int | None:
    return dial.reported_at if dial.reported_at is not None else call.ended_at


def _only_target(dial: DialState) -> str | None:
    targets = json.loads(dial.targets) if dial.targets else []
    return targets[0] if len(targets) == 1 else None
