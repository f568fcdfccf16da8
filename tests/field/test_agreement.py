"""Record, decision and reply follow from one function, whatever Plivo reports."""

from collections.abc import Mapping

from hypothesis import example, given
from hypothesis import strategies as st

from app.dial.decide import decide_after
from app.plan.next import Nothing, Ring
from app.plan.snapshot import Snapshot
from app.records.model.state import CallRecord, CallState, DialState, Placement
from app.records.writing.derive import derive
from app.records.writing.fold_receipt import fold_receipt
from app.voice.events import DialEnded, Event, Kind
from app.voice.hangup_causes import CODES, NAMES
from app.voice.outcome import Outcome, excludes_talk, facts_of_report, outcome_of
from app.voice.parsing import parse
from tests.field.conftest import ALICE, PLAN
from tests.plan.support import MONDAY_TEN, plan_of

AT = 1_790_000_000_000
TWO_STEPS = plan_of(PLAN)

STATUSES = ["completed", "busy", "failed", "cancel", "timeout", "no-answer", "transcended", ""]
CAUSES = [*NAMES, "", "3010", "2020", "4000", "INVENTED"]
CODE_TEXTS = ["", *map(str, CODES), "2999", "3060", "4299"]
DURATIONS = ["", "0", "30"]

reports = st.fixed_dictionaries(
    {
        "DialStatus": st.sampled_from(STATUSES),
        "DialHangupCause": st.sampled_from(CAUSES),
        "DialRingStatus": st.sampled_from(["true", "false", ""]),
        "DialBLegUUID": st.sampled_from(["", "b"]),
        "DialBLegHangupCauseCode": st.sampled_from(CODE_TEXTS),
        "DialBLegHangupCauseName": st.sampled_from(["", *(cause.name for cause in CODES.values())]),
        "DialBLegHangupCause": st.sampled_from(CAUSES),
        "DialBLegDuration": st.sampled_from(DURATIONS),
        "Direction": st.sampled_from(["inbound", "outbound"]),
    }
)
legs = st.lists(
    st.fixed_dictionaries(
        {
            "DialAction": st.sampled_from(["answer", "connected", "hangup"]),
            "DialBLegUUID": st.sampled_from(["b", "c"]),
            "DialBLegHangupCauseCode": st.sampled_from(CODE_TEXTS),
            "DialBLegHangupCause": st.sampled_from(CAUSES),
            "DialBLegDuration": st.sampled_from(DURATIONS),
            "DialBLegHangupSource": st.sampled_from(["Callee", "Caller", "Carrier", "API Request"]),
        }
    ),
    max_size=4,
)
hangups = st.none() | st.fixed_dictionaries(
    {
        "HangupSource": st.sampled_from(["Caller", "Callee", "Plivo", "Answer XML", ""]),
        "HangupCauseCode": st.sampled_from(["", "4000", "4010", "7012", "8012"]),
        "Direction": st.sampled_from(["inbound", "outbound"]),
    }
)


def event(kind: Kind, params: Mapping[str, str], *, seconds: int) -> Event:
    standard = {"CallUUID": "a", "From": "14155550100", "To": "14155550199"}
    return parse(kind, standard | dict(params), at=AT + 1000 * seconds)


def record_of(events: list[Event]) -> tuple[CallRecord, DialState]:
    """Return what the journal stores of a dial that our answer placed."""
    record = CallRecord(CallState(1, "a", started_at=AT))
    placement = Placement("dial", (ALICE,), "main", "first", 1)
    fold_receipt(record, event(Kind.ANSWER, {}, seconds=0), placement, dial_id=None, key=0, at=AT)
    for key, each in enumerate(events, 1):
        fold_receipt(record, each, None, dial_id="dial", key=key, at=each.at)
    derive(record)
    return record, record.dials["dial"]


def ended(params: Mapping[str, str]) -> DialEnded:
    found = event(Kind.ACTION, params, seconds=5)
    assert isinstance(found, DialEnded)
    return found


@given(reports)
def test_a_report_alone_decides_as_it_is_recorded(params: dict[str, str]) -> None:
    report = ended(params)

    assert record_of([report])[1].outcome == outcome_of(facts_of_report(report))


@given(params=reports, of_legs=legs, hangup=hangups)
@example(params={"DialStatus": "completed", "DialHangupCause": "NORMAL_CLEARING"}, of_legs=[], hangup=None)
@example(params={"DialStatus": "cancel", "DialHangupCause": "NORMAL_CLEARING"}, of_legs=[], hangup=None)
def test_a_caller_who_may_be_on_the_line_gets_a_document(
    params: dict[str, str], of_legs: list[dict[str, str]], hangup: dict[str, str] | None
) -> None:
    report = ended(params)
    events: list[Event] = [event(Kind.CALLBACK, leg, seconds=number) for number, leg in enumerate(of_legs, 1)]
    if hangup is not None:
        events.append(event(Kind.HANGUP, hangup, seconds=4))
    record, dial = record_of([*events, report])
    has_ended = record.call.ended_by is not None

    decision = decide_after(
        report, Outcome(dial.outcome), None, TWO_STEPS, Snapshot(now=MONDAY_TEN), caller_is_gone=has_ended
    )

    has_left = report.cause == "ORIGINATOR_CANCEL" and dial.outcome == Outcome.CALLER_GAVE_UP
    if not has_ended and dial.outcome != Outcome.ANSWERED and not has_left:
        assert not isinstance(decision, Nothing)
    if isinstance(decision, Ring):
        assert dial.outcome != Outcome.ANSWERED
    assert dial.outcome != Outcome.IN_PROGRESS


@given(params=st.none() | reports, of_legs=legs, hangup=hangups)
def test_no_code_that_rules_out_a_talk_is_recorded_as_answered(
    params: dict[str, str] | None, of_legs: list[dict[str, str]], hangup: dict[str, str] | None
) -> None:
    events: list[Event] = [event(Kind.CALLBACK, leg, seconds=number) for number, leg in enumerate(of_legs, 1)]
    if hangup is not None:
        events.append(event(Kind.HANGUP, hangup, seconds=9))
    record, dial = record_of([*events, *([ended(params)] if params is not None else [])])

    if dial.outcome == Outcome.ANSWERED:
        assert not excludes_talk(dial.hangup_code)
    if record.legs and all(excludes_talk(leg.hangup_code) for leg in record.legs.values()) and not dial.b_leg_uuid:
        assert dial.outcome != Outcome.ANSWERED
    assert (dial.talk_seconds is None) or dial.outcome == Outcome.ANSWERED
    assert dial.ended_at is None or dial.ended_at >= max(dial.started_at, dial.answered_at or 0)
