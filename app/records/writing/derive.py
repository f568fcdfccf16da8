"""What follows from a record: each dial's outcome, who answered, how long it rang and how long they talked.

These values are never folded. They are derived again from the dial's report, its legs and its call whenever one of
them changes, so they cannot depend on the order in which webhooks arrive.
"""

import json

from app.records.model.state import CallRecord, CallState, DialState, LegState
from app.records.writing.derive_call import derive_call
from app.records.writing.fold import earliest
from app.voice.events import Source
from app.voice.hangup_causes import by_code, code_of
from app.voice.outcome import (
    LOST_RACE,
    Facts,
    Outcome,
    code_of_report,
    ends_by_itself,
    excludes_talk,
    has_talked,
    is_caller,
    outcome_of,
)

# Which leg's code decides where several legs ended and nobody answered: a phone that rang outranks one that did not.
_LOUDEST = (6010, 3000, 3010, 3100, 3020, 3110, 9110, 9100)
_MOVED_AWAY = "API Request"  # The hangup source of a leg that a program ended; no action report follows.


def derive(record: CallRecord) -> None:
    """Derive the values of every dial of the record, then those of the call."""
    is_signed = any(_is_signed(dial) for dial in record.dials.values())
    for dial in record.dials.values():
        legs = [leg for leg in record.legs.values() if leg.dial_id == dial.dial_id]
        _derive_dial(dial, legs, record.call, is_outranked=is_signed and dial.reported_by == Source.PHLO)
    derive_call(record)


def _is_signed(dial: DialState) -> bool:
    """Return whether our own document placed the dial or a webhook reported it."""
    return dial.targets is not None or (dial.reported_at is not None and dial.reported_by != Source.PHLO)


def _derive_dial(dial: DialState, legs: list[LegState], call: CallState, *, is_outranked: bool) -> None:
    """Derive one dial. `is_outranked`: a PHLO reports a dial in a call that Plivo signed; it decides nothing there."""
    dial.from_number, dial.to_number = call.from_number, call.to_number
    target_count = len(json.loads(dial.targets)) if dial.targets and legs else 0
    still_rang = _still_rang(legs, target_count)
    talker = _talker(dial, legs, call)
    speaker = talker or _speaker(dial, legs)
    ended_at = _legs_ended_at(legs, talker, target_count, still_rang=still_rang)
    is_over = ended_at is not None and _is_over_without_report(legs, talker, target_count)
    outcome = outcome_of(_facts(dial, speaker, call, still_rang=still_rang, legs_ended=is_over))
    if is_outranked:
        outcome = Outcome.UNKNOWN
    dial.outcome = outcome.value
    _derive_hangup(dial, speaker)
    answered = talker is not None and outcome in {Outcome.ANSWERED, Outcome.IN_PROGRESS}
    dial.answered_at = _answered_at(talker, dial) if talker and answered else None
    dial.answered_by = (talker.target or _only_target(dial)) if talker and answered else None
    dial.ended_at = None if outcome is Outcome.IN_PROGRESS else _ended_at(dial, call, ended_at)
    if dial.answered_by is None and outcome is Outcome.ANSWERED:
        dial.answered_by = _only_target(dial)
    dial.talk_seconds = _talk_seconds(talker) if talker and outcome is Outcome.ANSWERED else None
    rang_until = dial.answered_at if outcome in {Outcome.ANSWERED, Outcome.IN_PROGRESS} else dial.ended_at
    # Nobody knows when the targets began to ring where another server placed the dial, or a prompt came first.
    if rang_until is None or dial.targets is None or dial.starts_with_prompt:
        dial.ring_seconds = None
    else:
        dial.ring_seconds = _seconds(dial.started_at, rang_until)


def _talker(dial: DialState, legs: list[LegState], call: CallState) -> LegState | None:
    """Return the leg that talked: the one the report names, else the first that was put through or picked up."""
    named = [leg for leg in legs if leg.b_leg_uuid == dial.b_leg_uuid]
    if dial.b_leg_uuid is not None and not named:
        return None  # Nothing else is known of that leg, and the others do not speak for it.
    if named and not excludes_talk(_code(named[0])):
        legs = named
    talked = [leg for leg in legs if has_talked(_facts(dial, leg, call))]
    return min(
        talked,
        key=lambda leg: (leg.connected_at is None, _picked_up_at(leg) or leg.ended_at or 0, leg.b_leg_uuid),
        default=None,
    )


def _speaker(dial: DialState, legs: list[LegState]) -> LegState | None:
    """Return the leg that explains why nobody answered; None where no leg does."""
    if dial.b_leg_uuid is not None:
        return next((leg for leg in legs if leg.b_leg_uuid == dial.b_leg_uuid), None)
    coded = [leg for leg in legs if _code(leg) not in {None, LOST_RACE}]
    return min(coded, key=_loudness, default=None)


def _loudness(leg: LegState) -> tuple[int, bool, int, str]:
    code = _code(leg)
    rank = _LOUDEST.index(code) if code in _LOUDEST else len(_LOUDEST)
    return rank, not ends_by_itself(code), leg.position or 0, leg.b_leg_uuid


def _facts(
    dial: DialState,
    leg: LegState | None,
    call: CallState,
    *,
    still_rang: bool = False,
    legs_ended: bool = False,
) -> Facts:
    is_named = leg is not None and leg.b_leg_uuid == dial.b_leg_uuid
    code = _code(leg) if leg is not None else None
    if code is None or not (is_named or ends_by_itself(code) or dial.reported_at is None):
        code = code_of_report(dial.report_code, dial.dial_hangup_cause) or code
    # In the order of its fields; by their names it takes twice as long.
    return Facts(
        dial.reported_at is not None,
        dial.dial_status,
        dial.dial_hangup_cause,
        dial.dial_ring_status,
        dial.b_leg_uuid is not None,
        code,
        leg is not None and _picked_up_at(leg) is not None,
        leg.duration if leg is not None else None,
        call.ended_by is not None,
        is_caller(call.hangup_source, call.direction),
        call.hangup_code,
        leg is not None and leg.connected_at is not None,
        still_rang,
        legs_ended,
    )


def _code(leg: LegState) -> int | None:
    return code_of(leg.hangup_code, leg.hangup_name, leg.hangup_cause) if leg.ended_by is not None else None


def _still_rang(legs: list[LegState], target_count: int) -> bool:
    """Return whether somebody could still have picked up although a leg had ended."""
    own_ends = sum(ends_by_itself(_code(leg)) for leg in legs)
    return own_ends < max(len(legs), target_count)


def _is_over_without_report(legs: list[LegState], talker: LegState | None, target_count: int) -> bool:
    """Return whether the end of its legs ends a dial.

    Usually the action report follows at once. It never comes for a call that a program moved to another document.
    """
    if talker is not None and (talker.connected_at is not None or talker.hangup_source == _MOVED_AWAY):
        return True
    if talker is not None:  # Only seen picking up: while another phone rings, this one may not have been accepted.
        return 0 < target_count <= len(legs) and all(leg.ended_at is not None for leg in legs)
    return all(leg.hangup_source == _MOVED_AWAY for leg in legs)


def _legs_ended_at(legs: list[LegState], talker: LegState | None, target_count: int, *, still_rang: bool) -> int | None:
    """Return when the last leg ended, in milliseconds; None while one rings or talks, as far as is known."""
    if talker is not None:
        return talker.ended_at
    ends = [leg.ended_at for leg in legs if leg.ended_at is not None]
    is_complete = len(ends) == len(legs) and len(legs) >= target_count
    if not ends or not is_complete or (still_rang and any(leg.hangup_source != _MOVED_AWAY for leg in legs)):
        return None
    return max(ends)


def _ended_at(dial: DialState, call: CallState, legs_ended_at: int | None) -> int | None:
    """Return when the dial ended: by its report, unless that came after the end of the call; else by its legs."""
    ended_at = dial.reported_at if dial.reported_at is not None else legs_ended_at
    if ended_at is None or (call.ended_at is not None and call.ended_at < ended_at):
        ended_at = call.ended_at
    return None if ended_at is None else max(ended_at, dial.started_at, dial.answered_at or 0)


def _derive_hangup(dial: DialState, speaker: LegState | None) -> None:
    if speaker is not None:
        dial.hangup_code, dial.hangup_name = speaker.hangup_code, speaker.hangup_name
        dial.hangup_source = speaker.hangup_source
        return
    dial.hangup_code = dial.report_code
    named = by_code(dial.report_code)
    dial.hangup_name, dial.hangup_source = named.name if named else None, None


def _picked_up_at(leg: LegState) -> int | None:
    return earliest(leg.answered_at, leg.connected_at) or leg.answer_time


def _answered_at(leg: LegState, dial: DialState) -> int | None:
    """Return when a leg picked up; a whole second of Plivo's may lie a little before the dial began."""
    picked_up_at = _picked_up_at(leg)
    return picked_up_at if picked_up_at is None else max(picked_up_at, dial.started_at)


def _talk_seconds(leg: LegState) -> int | None:
    if leg.duration is not None:
        return leg.duration
    since = leg.connected_at or _picked_up_at(leg)
    if since is None or leg.ended_at is None:
        return None
    return _seconds(since, leg.ended_at)


def _seconds(since: int, until: int) -> int:
    """Return the seconds between two times in milliseconds, as many as a column holds."""
    return min(max(0, round((until - since) / 1000)), 999_999_999)


def _only_target(dial: DialState) -> str | None:
    targets = json.loads(dial.targets) if dial.targets else []
    return targets[0] if len(targets) == 1 else None
