"""Why a dial ended as it did and what to do about it: one source for pages, API, exports and commands."""

from dataclasses import dataclass

from app.voice.hangup_causes import CODES, NAMES, HangupCause, by_code, by_name
from app.voice.outcome import Outcome

SENTENCES = {
    Outcome.ANSWERED: "A callee picked up and was put through.",
    Outcome.CALLER_GAVE_UP: "The caller hung up before anybody answered.",
    Outcome.BUSY: "The line that was rung was busy.",
    Outcome.REJECTED: "The call was declined at the called end.",
    Outcome.MISSED: "Nobody picked up in time.",
    Outcome.UNREACHABLE: "The called end could not be reached.",
    Outcome.FAILED: "The dial failed before anybody talked.",
    Outcome.UNKNOWN: "Plivo reported something that its documentation does not describe.",
    Outcome.IN_PROGRESS: "The dial has not ended yet.",
}
_ADVICE = {
    Outcome.CALLER_GAVE_UP: "Call back; if it happens often, let another phone ring sooner.",
    Outcome.BUSY: "Call back later, or add another number as the next step.",
    Outcome.REJECTED: "Call back at a better time, or add another number as the next step.",
    Outcome.MISSED: "Call back, let it ring longer, or add a next step to the plan.",
    Outcome.UNREACHABLE: "Call the number from another phone; check that a SIP phone or app is signed in.",
}
_NOTHING_TO_DO = "Nothing to do."
UNEXPLAINED = "Look at the webhooks of the call, and give Plivo's support its UUID."
# A sentence about one of these repeats what the outcome says already; its advice is still worth reading.
_SAYS_IT_ALL = frozenset({Outcome.CALLER_GAVE_UP, Outcome.BUSY, Outcome.MISSED})
# That somebody hung up, or that there was nothing more to do, explains no dial that nobody answered.
_NO_REASONS = frozenset({0, 4000, 4010})
# The one name of the reason that a code or a cause gives, by which dials are counted; `exact_cause` reads the same.
REASON_OF_CODE = {code: cause.name for code, cause in CODES.items() if code not in _NO_REASONS}
REASON_OF_CAUSE = {name: REASON_OF_CODE[cause.code] for name, cause in NAMES.items() if cause.code in REASON_OF_CODE}


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """`text` is how a dial ended and why, `advice` what to do about it; `cause` the most exact reason known."""

    text: str
    advice: str
    cause: HangupCause | None


def explain(outcome: str, code: int | None, cause: str | None) -> Explanation:
    """Return why a dial with this outcome, deciding hangup code and DialHangupCause ended."""
    outcome = Outcome(outcome)
    if outcome in {Outcome.ANSWERED, Outcome.IN_PROGRESS}:
        return Explanation(text=SENTENCES[outcome], advice=_NOTHING_TO_DO, cause=None)
    reason = exact_cause(code, cause)
    text = SENTENCES[outcome]
    if reason is None:
        return Explanation(text=text, advice=_ADVICE.get(outcome, UNEXPLAINED), cause=None)
    if outcome not in _SAYS_IT_ALL and reason.meaning not in text:
        text = f"{text} {reason.meaning}"
    return Explanation(text=text, advice=reason.advice, cause=reason)


def exact_cause(code: int | None, cause: str | None) -> HangupCause | None:
    """Return the most exact reason for a dial that nobody answered: by its code, else by its cause.

    None where they only say that the call was over. A code that nobody has documented leaves the cause.
    """
    for found in (by_code(code), by_name(cause)):
        if found is not None and found.code not in _NO_REASONS:
            return found
    return None
