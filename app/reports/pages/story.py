"""One sentence and one advice about a whole call."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.records.model.state import CallState, DialState, RecordingState
from app.reports.pages.formatting import count, duration, milliseconds
from app.voice.explanation import UNEXPLAINED, explain
from app.voice.outcome import CallOutcome, Outcome

_LEADS = {
    CallOutcome.MISSED: "Nobody picked up",
    CallOutcome.REJECTED: "The call was declined",
    CallOutcome.BUSY: "The line was busy",
    CallOutcome.UNREACHABLE: "No phone could be reached",
    CallOutcome.FAILED: "The call could not be put through",
    CallOutcome.UNKNOWN: "Plivo reported an end that its documentation does not describe",
}
_TURNED_AWAY = {
    CallOutcome.BLOCKED: "The caller is on the block list and was turned away",
    CallOutcome.CLOSED: "The call came while the plan was closed, and the caller was turned away",
}
_REASONS = {"blocked": "The caller is on the block list", "closed": "The plan was closed"}
_PARTS = {
    Outcome.MISSED: "rang",
    Outcome.CALLER_GAVE_UP: "rang",
    Outcome.BUSY: "{were} busy",
    Outcome.REJECTED: "declined",
    Outcome.UNREACHABLE: "could not be reached",
    Outcome.FAILED: "could not be put through",
    Outcome.UNKNOWN: "ended in an unknown way",
}
ADVICE = {
    CallOutcome.ANSWERED: "Nothing to do.",
    CallOutcome.MESSAGE_LEFT: "Listen to the message and call back.",
    CallOutcome.BLOCKED: "Nothing to do. To let the caller through, remove the number from the plan's block list.",
    CallOutcome.CLOSED: "Call back when you are open. If the hours are wrong, change them in the plan.",
    CallOutcome.HANDED_OVER: "See the other application for how the call went on.",
}

_GOOD = frozenset({Outcome.IN_PROGRESS, Outcome.ANSWERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened in a call, in one or two sentences, and what to do about it."""

    text: str
    advice: str


def describe_call(
    call: CallState,
    dials: Sequence[DialState],
    message: RecordingState | None,
    *,
    show_number: Callable[[str | None], str],
    now: int,
) -> Story:
    """Return the story of a call; `now` in milliseconds is when it is told."""
    outcome = CallOutcome(call.outcome or CallOutcome.UNKNOWN)
    match outcome:
        case CallOutcome.IN_PROGRESS:
            text = _in_progress(dials, show_number, now)
        case CallOutcome.ANSWERED:
            text = _answered(call, dials, show_number)
        case CallOutcome.CALLER_GAVE_UP:
            text = _gave_up(call, dials)
        case CallOutcome.MESSAGE_LEFT:
            text = _message_left(call, dials, message)
        case CallOutcome.HANDED_OVER:
            text = f"{_unanswered('Nobody picked up', dials)} " if dials else ""
            text += "The call was handed over to another application."
        case CallOutcome.BLOCKED | CallOutcome.CLOSED:
            text = f"{_TURNED_AWAY[outcome]}."
        case _:
            text = _unanswered(_LEADS[outcome], dials)
    return Story(text=text, advice=ADVICE.get(outcome) or _advice(outcome, call, dials))


def _advice(outcome: CallOutcome, call: CallState, dials: Sequence[DialState]) -> str:
    """Return the advice of the first dial that ended as the whole call did; before its end, of the last bad end."""
    alike = [dial for dial in dials if dial.outcome == outcome]
    if outcome is CallOutcome.IN_PROGRESS:
        alike = [dial for dial in dials if dial.outcome not in _GOOD][-1:]
        if not alike:
            return "Nothing to do yet."
    if alike:
        return explain(alike[0].outcome, alike[0].hangup_code, alike[0].dial_hangup_cause).advice
    if outcome is CallOutcome.UNKNOWN:
        return UNEXPLAINED
    return explain(outcome, call.hangup_code, call.hangup_cause).advice


def _in_progress(dials: Sequence[DialState], show_number: Callable[[str | None], str], now: int) -> str:
    for dial in reversed(dials):
        if dial.outcome == Outcome.IN_PROGRESS and dial.answered_at is not None:
            return f"{show_number(dial.answered_by)} has been talking for {_since(dial.answered_at, now)}."
        if dial.outcome == Outcome.IN_PROGRESS:
            phones = targets_of([dial])
            are = "has" if len(phones) < 2 else "have"
            return f"{_phones(phones).capitalize()} {are} been ringing for {_since(dial.started_at, now)}."
    if not dials:
        return "The call has begun, and no phone has rung yet."
    lead = _LEADS.get(CallOutcome(dials[-1].outcome), "No phone is ringing")
    return f"{_unanswered(lead, dials)} Plivo has not reported the end of the call yet."


def _answered(call: CallState, dials: Sequence[DialState], show_number: Callable[[str | None], str]) -> str:
    who = show_number(call.answered_by) if call.answered_by else "Somebody"
    text = f"{who} answered"
    if call.waited_seconds is not None:
        text += f" after {duration(call.waited_seconds)}"
    text += f" and talked for {duration(call.talk_seconds)}." if call.talk_seconds is not None else "."
    first = next((place for place, dial in enumerate(dials) if dial.outcome == Outcome.ANSWERED), 0)
    return f"{text} Before that, {_parts(dials[:first])}." if first else text


def _gave_up(call: CallState, dials: Sequence[DialState]) -> str:
    after = f" after {duration(call.waited_seconds)}" if call.waited_seconds is not None else ""
    if not dials:
        return f"The caller hung up{after}, before any phone rang."
    phones = targets_of(dials[-1:])
    text = f"The caller hung up{after}, while {_phones(phones)} {'was' if len(phones) < 2 else 'were'} ringing."
    return f"{text} Before that, {_parts(dials[:-1])}." if dials[1:] else text


def _message_left(call: CallState, dials: Sequence[DialState], message: RecordingState | None) -> str:
    if dials:
        lead = _unanswered("Nobody picked up", dials)
    else:
        lead = f"{_REASONS.get(call.turned_away or '', 'No phone rang')}."
    length = f"{milliseconds(message.milliseconds)} " if message else ""
    return f"{lead} The caller left a {length}message."


def _unanswered(lead: str, dials: Sequence[DialState]) -> str:
    """Return the lead, with what the phones did where that says more."""
    outcomes, phones = {dial.outcome for dial in dials}, targets_of(dials)
    if len(outcomes) > 1 or outcomes == {Outcome.MISSED}:
        return f"{lead}: {_parts(dials)}."
    return f"{lead}: {_phones(phones)} were tried." if len(phones) > 1 else f"{lead}."


def _parts(dials: Sequence[DialState]) -> str:
    """Return what the phones of some dials did, such as `two phones rang for 30 s, one phone was busy`."""
    parts = []
    for verb in dict.fromkeys(_PARTS.get(Outcome(dial.outcome), "rang") for dial in dials):
        some = [dial for dial in dials if _PARTS.get(Outcome(dial.outcome), "rang") == verb]
        phones = targets_of(some)
        part = f"{_phones(phones)} {verb.format(were='was' if len(phones) < 2 else 'were')}"
        seconds = [dial.ring_seconds for dial in some]
        if verb == "rang" and None not in seconds:
            part += f" for {duration(sum(one or 0 for one in seconds))}"
        parts.append(part)
    return ", ".join(parts)


def targets_of(dials: Sequence[DialState]) -> list[str]:
    """Return the numbers and SIP users that some dials rang, each once."""
    return list(dict.fromkeys(target for dial in dials for target in json.loads(dial.targets or "[]")))


def _phones(targets: Sequence[str]) -> str:
    return count(len(targets) or 1, "phone")


def _since(moment: int, now: int) -> str:
    return duration(max(0, round((now - moment) / 1000)))
