"""The glossary: our words for outcomes, Plivo's statuses, hangup codes and causes, each with what to do.

Everything is read from the tables and functions that decide outcomes, so that the page cannot say anything else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.reports.pages.formatting import CALL_OUTCOMES
from app.reports.pages.story import ADVICE
from app.voice.explanation import SENTENCES, explain
from app.voice.hangup_causes import CODES, NAMES
from app.voice.outcome import DOCUMENTED_STATUSES, CallOutcome, Facts, Outcome, outcome_of, outcome_of_code

# Outcomes that only whole calls have.
_OF_CALLS = {
    CallOutcome.MESSAGE_LEFT: "Nobody answered, and the caller left a message.",
    CallOutcome.BLOCKED: "The caller is on the plan's block list and was turned away.",
    CallOutcome.CLOSED: "The call came outside opening hours, or while the plan was switched off.",
    CallOutcome.HANDED_OVER: "The plan passed the call on to another application.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One word or code: `outcome` is ours where it decides the end of a dial."""

    id: str
    name: str
    meaning: str
    advice: str = ""
    outcome: str | None = None


def outcomes() -> list[Term]:
    """Return our words for how a call ended."""
    return [
        Term(
            id=f"outcome-{outcome}",
            name=CALL_OUTCOMES[outcome],
            meaning=_OF_CALLS[outcome] if outcome in _OF_CALLS else SENTENCES[Outcome(outcome)],
            advice=ADVICE[outcome] if outcome in ADVICE else explain(outcome, None, None).advice,
            outcome=outcome,
        )
        for outcome in CallOutcome
    ]


def statuses() -> list[Term]:
    """Return what each DialStatus becomes, and under which condition."""
    return [
        Term(id=f"status-{status}", name=status, meaning=condition, outcome=outcome)
        for status in sorted(DOCUMENTED_STATUSES)
        for condition, outcome in _outcomes_of_status(status)
    ]


def codes() -> list[Term]:
    """Return every HangupCauseCode with its meaning."""
    return [
        Term(
            id=f"code-{code}",
            name=f"{code} {cause.name}",
            meaning=cause.meaning,
            advice=cause.advice,
            outcome=outcome_of_code(code),
        )
        for code, cause in sorted(CODES.items())
    ]


def causes() -> list[Term]:
    """Return every word of HangupCause and DialHangupCause with its meaning."""
    return [
        Term(id=f"cause-{name}", name=name, meaning=cause.meaning, advice=cause.advice, outcome=None)
        for name, cause in sorted(NAMES.items())
    ]


def _outcomes_of_status(status: str) -> Iterator[tuple[str, Outcome]]:
    """Yield each condition with the outcome that a report of nothing else has."""
    ways = {
        (rang, named): outcome_of(Facts(reported=True, status=status, rang=rang, b_leg=named))
        for rang in (True, False)
        for named in (True, False)
    }
    if len(set(ways.values())) == 1:
        yield "in every case", ways[True, True]
    elif ways[True, True] == ways[True, False]:
        yield "where it rang", ways[True, False]
        yield "where nothing rang", ways[False, False]
    else:
        yield "where the report names the callee's leg", ways[True, True]
        yield "where it names none: nobody talked", ways[True, False]


IDS = frozenset(term.id for terms in (outcomes(), statuses(), codes(), causes()) for term in terms)
"""The anchors of the page: only what it explains is linked to it."""
