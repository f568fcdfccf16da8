"""How dials end: the table of outcomes, row by row."""

from typing import Any

import pytest

from app.voice.events import CallFacts, DialEnded, Hangup
from app.voice.explanation import SENTENCES
from app.voice.outcome import Facts, Outcome, facts_of_report, is_caller, outcome_of

ANSWERED, GAVE_UP, BUSY = Outcome.ANSWERED, Outcome.CALLER_GAVE_UP, Outcome.BUSY
REJECTED, MISSED, UNREACHABLE = Outcome.REJECTED, Outcome.MISSED, Outcome.UNREACHABLE
FAILED, UNKNOWN, IN_PROGRESS = Outcome.FAILED, Outcome.UNKNOWN, Outcome.IN_PROGRESS


def reported(status: str | None = None, **facts: Any) -> Facts:
    return Facts(reported=True, status=status, **facts)


def call_ended(**facts: Any) -> Facts:
    return Facts(call_ended=True, **facts)


TABLE = [
    # The dial was answered: completed, with a B leg, and nothing says that it never talked.
    (ANSWERED, reported("completed", b_leg=True)),
    (ANSWERED, reported("completed", b_leg=True, rang=True, cause="NORMAL_CLEARING", code=4000, talk_seconds=11)),
    (ANSWERED, reported("completed", b_leg=True, talk_seconds=0, leg_answered=True)),
    (ANSWERED, reported("completed", b_leg=True, cause="ORIGINATOR_CANCEL")),
    (ANSWERED, reported("no-answer", leg_connected=True, leg_answered=True)),
    (ANSWERED, reported("completed", leg_answered=True, talk_seconds=9)),
    # Completed, but it never talked.
    (FAILED, reported("completed", rang=True)),
    (FAILED, reported("completed", rang=False)),
    (FAILED, reported("completed")),
    (FAILED, reported("completed", leg_answered=True)),
    (GAVE_UP, reported("completed", cause="ORIGINATOR_CANCEL")),
    (UNREACHABLE, reported("completed", code=2020)),
    (UNREACHABLE, reported("completed", b_leg=True, code=2020, talk_seconds=12)),
    (REJECTED, reported("completed", b_leg=True, code=9110, leg_answered=True, talk_seconds=12)),
    (REJECTED, reported("completed", b_leg=True, code=9100, leg_connected=True)),
    (FAILED, reported("completed", b_leg=True, code=9000)),
    (FAILED, reported("completed", b_leg=True, code=1000, talk_seconds=5)),
    (MISSED, reported("completed", b_leg=True, code=3000)),
    (BUSY, reported("completed", b_leg=True, code=3010)),
    (FAILED, reported("completed", b_leg=True, talk_seconds=0)),
    # The caller gave up.
    (GAVE_UP, reported("cancel")),
    (GAVE_UP, reported("cancel", cause="USER_BUSY")),
    (GAVE_UP, reported("no-answer", cause="ORIGINATOR_CANCEL", rang=True)),
    (GAVE_UP, reported("cancel", cause="NORMAL_CLEARING")),
    (GAVE_UP, call_ended(caller_hung_up=True)),
    (GAVE_UP, call_ended(caller_hung_up=True, code=1000)),
    (GAVE_UP, call_ended(caller_hung_up=True, code=3010, still_rang=True)),
    (GAVE_UP, reported("cancel", code=3010, still_rang=True)),
    (ANSWERED, call_ended(caller_hung_up=True, leg_answered=True)),
    # A leg had ended before the caller gave up.
    (BUSY, call_ended(caller_hung_up=True, code=3010)),
    (BUSY, reported("cancel", code=3010)),
    (MISSED, call_ended(caller_hung_up=True, code=6010, talk_seconds=30)),
    (REJECTED, call_ended(caller_hung_up=True, code=3020)),
    (UNREACHABLE, call_ended(caller_hung_up=True, code=3050)),
    (UNREACHABLE, call_ended(caller_hung_up=True, code=4250)),
    (FAILED, call_ended(caller_hung_up=True, code=3090)),
    # Busy.
    (BUSY, reported("busy")),
    (BUSY, reported("busy", rang=False)),
    (BUSY, reported("failed", cause="USER_BUSY")),
    (BUSY, reported("no-answer", rang=True, code=3010)),
    (BUSY, reported("no-answer", rang=True, code=3100)),
    (BUSY, call_ended(code=3010)),
    # Declined.
    (REJECTED, reported("failed", cause="CALL_REJECTED")),
    (REJECTED, reported("no-answer", rang=True, code=3020)),
    (REJECTED, reported("failed", code=3110)),
    (REJECTED, reported("no-answer", rang=True, code=9110)),
    # It rang and nobody picked up.
    (MISSED, reported("no-answer", rang=True)),
    (MISSED, reported("timeout", rang=True)),
    (MISSED, reported("no-answer", rang=False, cause="NO_ANSWER")),
    (MISSED, reported("timeout", cause="NO_ANSWER")),
    (MISSED, reported("completed", b_leg=True, code=6010, talk_seconds=30)),
    (MISSED, reported("failed", code=3000)),
    (MISSED, reported("failed", code=6010)),
    (MISSED, call_ended(code=6010)),
    # It did not ring.
    (UNREACHABLE, reported("no-answer", rang=False)),
    (UNREACHABLE, reported("timeout", rang=False)),
    (UNREACHABLE, reported("no-answer", rang=None)),
    (UNREACHABLE, reported("failed", code=4210)),
    (UNREACHABLE, reported("failed", code=4240)),
    (UNREACHABLE, reported("timeout", rang=True, code=4250)),
    (UNREACHABLE, reported("no-answer", rang=None, code=2020)),
    (UNREACHABLE, reported("failed", code=2000)),
    (UNREACHABLE, reported("failed", code=2999)),
    (UNREACHABLE, reported("failed", code=3050)),
    (UNREACHABLE, reported("failed", code=3120)),
    (UNREACHABLE, reported("failed", cause="UNALLOCATED_NUMBER")),
    (UNREACHABLE, reported("failed", cause="SUBSCRIBER_ABSENT")),
    (UNREACHABLE, reported("failed", cause="INVALID_NUMBER_FORMAT")),
    # Everything else that ended badly.
    (FAILED, reported("failed")),
    (FAILED, reported("failed", code=1010)),
    (FAILED, reported("failed", code=5010)),
    (FAILED, reported("failed", code=8012)),
    (FAILED, call_ended(call_code=7012)),
    (FAILED, call_ended(call_code=8011)),
    (FAILED, call_ended(code=5000)),
    # Nothing that Plivo documents.
    (UNKNOWN, reported(None)),
    (UNKNOWN, reported("transcended")),
    (UNKNOWN, reported("Completed", b_leg=True)),
    (UNKNOWN, call_ended(call_code=4000)),
    # Its legs have ended, and neither a report nor the end of the call has come.
    (ANSWERED, Facts(legs_ended=True, leg_answered=True, talk_seconds=25)),
    (MISSED, Facts(legs_ended=True, code=6010)),
    # Not over yet.
    (IN_PROGRESS, Facts()),
    (IN_PROGRESS, Facts(leg_answered=True)),
    (IN_PROGRESS, Facts(code=6010)),
]


@pytest.mark.parametrize(("outcome", "facts"), TABLE, ids=lambda value: value if isinstance(value, str) else "")
def test_a_dial_ends_as_the_table_says(outcome: Outcome, facts: Facts) -> None:
    assert outcome_of(facts) == outcome


@pytest.mark.parametrize(
    ("outcome", "status", "cause", "code"),
    [
        (BUSY, "no-answer", "3010", None),
        (UNREACHABLE, "no-answer", "2999", None),
        (UNREACHABLE, "failed", "sip_auth_failed", None),
        (UNREACHABLE, "timeout", "sip_auth_timeout", None),
        (REJECTED, "completed", "NORMAL_CLEARING", 9110),
        (FAILED, "failed", "4000", None),
    ],
)
def test_a_code_in_the_report_counts_wherever_it_stands(
    outcome: Outcome, status: str, cause: str, code: int | None
) -> None:
    hangup = Hangup(code=code)
    event = DialEnded(at=0, call=CallFacts(), status=status, rang=True, cause=cause, hangup=hangup)

    assert outcome_of(facts_of_report(event)) == outcome


def test_every_outcome_stands_in_the_table_and_is_explained() -> None:
    assert {outcome for outcome, _ in TABLE} == set(Outcome) == set(SENTENCES)


@pytest.mark.parametrize(
    ("source", "direction", "expected"),
    [
        ("Caller", "inbound", True),
        ("Caller", None, True),
        ("Callee", "inbound", False),
        ("Callee", "outbound", True),
        ("Call recipient", "outbound", True),
        ("Caller", "outbound", False),
        ("Plivo", "inbound", False),
        (None, "inbound", False),
    ],
)
def test_the_person_on_the_a_leg_is_the_caller(source: str | None, direction: str | None, expected: bool) -> None:
    assert is_caller(source, direction) is expected
