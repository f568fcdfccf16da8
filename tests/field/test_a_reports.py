"""Class A: what a report means. Each case is named by its id."""

import pytest

from app.voice.hangup_causes import CODES
from tests.field.conftest import ALICE, BOB, Line
from tests.records import scenarios
from tests.records.test_fold import folded

NOBODY_TALKED = [
    {},
    {"CallStatus": "ringing"},
    {"DialRingStatus": "absent"},
    {"DialRingStatus": "false"},
    {"DialHangupCause": "absent"},
    {"DialBLegUUID": "absent"},
    {"DialBLegUUID": " "},
    {"DialStatus": "Completed"},
    {"DialHangupCause": "normal_clearing"},
]


@pytest.mark.parametrize("odd", NOBODY_TALKED, ids=str)
def test_a1_completed_without_a_b_leg_goes_on_with_the_plan(line: Line, odd: dict[str, str]) -> None:
    reply = line.answer().action("completed", **odd)

    assert BOB in reply
    assert line.outcome == "failed"


def test_a1_a_leg_that_was_not_registered_makes_it_unreachable(line: Line) -> None:
    reply = line.answer().leg_ends(2020).action("completed")

    assert BOB in reply
    assert line.outcome == "unreachable"


@pytest.mark.parametrize("code", [9110, 9100])
@pytest.mark.parametrize("in_action", [False, True])
@pytest.mark.parametrize("names_leg", [False, True])
def test_a2_a_refused_accept_key_is_no_answer(line: Line, code: int, in_action: bool, names_leg: bool) -> None:
    line.answer().leg("answer", DialBLegTo=ALICE)
    more = {"DialBLegHangupCauseCode": str(code), "DialBLegDuration": "12"} if in_action else {}
    if not in_action:
        line.leg_ends(code, seconds=12)

    reply = line.action("completed", DialBLegUUID=f"b-{line.call_uuid}" if names_leg else "", **more)

    assert BOB in reply
    assert (line.outcome, line.dials[0]["answered_by"], line.dials[0]["hangup_code"]) == ("rejected", None, code)


def test_a2_the_reply_follows_the_after_of_rejected(make_app: object) -> None:
    plan = f"""
    [routes.main.steps.first]
    ring = ["{ALICE}"]
    after = {{ rejected = "busy" }}
    [routes.main.steps.second]
    ring = ["{BOB}"]
    """
    line = Line(make_app(plan=plan))  # type: ignore[operator]

    reply = line.answer().leg_ends(9110).action("completed", DialBLegUUID=f"b-{line.call_uuid}")

    assert 'reason="busy"' in reply
    assert [receipt["reply"] for receipt in line.record["receipts"] if receipt["kind"] == "action"] == [reply]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (3010, "busy"),
        (3100, "busy"),
        (6010, "missed"),
        (3000, "missed"),
        (3020, "rejected"),
        (9110, "rejected"),
        (3050, "unreachable"),
        (2020, "unreachable"),
        (4250, "unreachable"),
        (3090, "failed"),
    ],
)
def test_a3_a_leg_that_ended_before_the_caller_left_decides(line: Line, code: int, outcome: str) -> None:
    line.answer().leg_ends(code).wait(30).hangup("Caller")

    assert line.outcome == outcome
    assert line.dials[0]["ring_seconds"] == 1


@pytest.mark.parametrize(("cause", "outcome"), [("USER_BUSY", "busy"), ("CALL_REJECTED", "rejected")])
def test_a3_a_leg_with_a_word_alone_decides_too(line: Line, cause: str, outcome: str) -> None:
    line.answer().leg("hangup", DialBLegHangupCause=cause).wait(30).hangup("Caller")

    assert line.outcome == outcome


@pytest.mark.parametrize(
    ("code", "outcome"), [(3010, "busy"), (6010, "missed"), (3020, "rejected"), (4250, "unreachable")]
)
def test_a3_call_detail_records_alone_say_the_same(code: int, outcome: str) -> None:
    call = scenarios.Call().answer(ALICE).cdr_of_leg("alice", ALICE, code)
    call.cdr_of_call(HangupSource="Caller", HangupCauseCode="4000", Direction="inbound", CallStatus="completed")

    [dial] = folded(call.receipts).dials.values()
    assert (dial.outcome, dial.talk_seconds, dial.answered_by) == (outcome, None, None)


@pytest.mark.parametrize(
    ("direction", "source"),
    [("inbound", "Caller"), ("Inbound", "caller"), ("outbound", "Callee"), ("Outbound", "CALLEE")],
)
def test_a3_the_caller_gave_up_while_it_still_rang(line: Line, direction: str, source: str) -> None:
    line.direction = direction

    assert line.answer().wait(9).hangup(source).outcome == "caller_gave_up"


def test_a3_the_caller_gave_up_while_one_of_two_still_rang(make_app: object) -> None:
    plan = f'[routes.main.steps.both]\nring = ["{ALICE}", "{BOB}"]'
    line = Line(make_app(plan=plan))  # type: ignore[operator]

    assert line.answer().leg_ends(3010).wait(30).hangup("Caller").outcome == "caller_gave_up"


@pytest.mark.parametrize("code", [1000, 2020, 3010, 3090, 4210, 6010, 9000, 9100, 9110])
@pytest.mark.parametrize("is_reported", [False, True])
def test_a4_a_code_that_rules_out_a_talk_outranks_any_duration(line: Line, code: int, is_reported: bool) -> None:
    line.answer().leg_ends(code, seconds=30)
    if is_reported:
        line.action("completed", DialBLegUUID=f"b-{line.call_uuid}")
    else:
        line.hangup("Plivo", HangupCauseCode="4010")

    assert line.outcome != "answered"
    assert line.dials[0]["talk_seconds"] is None
    if code == 6010:
        assert line.outcome == "missed"


@pytest.mark.parametrize("status", ["no-answer", "timeout", "No-Answer", "TIMEOUT"])
@pytest.mark.parametrize("cause", ["NO_ANSWER", "no_answer", " No_Answer "])
@pytest.mark.parametrize("rang", ["false", "False", "absent"])
def test_a5_no_answer_is_missed_and_explained_without_contradiction(
    line: Line, status: str, cause: str, rang: str
) -> None:
    line.answer().action(status, cause, rang)

    assert line.outcome == "missed"
    assert "rang" not in line.dials[0]["explanation"]


@pytest.mark.parametrize("cause", ["NORMAL_CLEARING", "CALL_REJECTED", "absent"])
def test_a6_cancel_is_the_caller_giving_up_and_still_gets_a_document(line: Line, cause: str) -> None:
    reply = line.answer().action("cancel", cause)

    assert BOB in reply
    assert line.outcome == "caller_gave_up"


@pytest.mark.parametrize("status", ["in-progress", "ringing", "queued", "In-Progress", "RINGING"])
def test_a7_a_call_that_has_hung_up_is_not_in_progress(line: Line, status: str) -> None:
    line.answer().hangup("Caller", CallStatus=status, EndTime=f"{line.at:%Y-%m-%d %H:%M:%S}")

    assert line.record["call"]["call_status"] == "completed"
    assert line.record["call"]["ended_at"] is not None


@pytest.mark.parametrize("source", ["API Request", "api request"])
@pytest.mark.parametrize("is_seen_picking_up", [False, True])
def test_a8_a_call_that_a_program_moved_away_ends_its_dial_with_the_leg(
    line: Line, is_seen_picking_up: bool, source: str
) -> None:
    line.answer()
    if is_seen_picking_up:
        line.leg("answer", DialBLegTo=ALICE).leg("connected")
    line.leg_ends(4000, seconds=25, source=source)

    [dial] = line.dials
    assert (dial["outcome"], dial["talk_seconds"], dial["answered_by"]) == ("answered", 25, ALICE)
    assert dial["ended_at"] is not None
    line.wait(60).hangup("Caller")
    assert line.dials == [dial]


def test_a8_a_leg_that_was_only_seen_picking_up_ends_its_dial_too(line: Line) -> None:
    line.answer().leg("answer", DialBLegTo=ALICE).leg_ends(4000, seconds=25, source="Callee")

    assert (line.outcome, line.dials[0]["talk_seconds"]) == ("answered", 25)
    assert line.dials[0]["ended_at"] is not None


def test_a2_a_name_or_a_word_in_the_action_says_it_too(line: Line) -> None:
    more = {"DialBLegHangupCauseName": "Confirm Key Challenge Failed"}
    reply = line.answer().action("completed", DialBLegUUID=f"b-{line.call_uuid}", **more)

    assert BOB in reply
    assert line.outcome == "rejected"


def test_a9_a_failure_is_not_explained_by_the_end_of_the_call(line: Line) -> None:
    line.answer().leg_ends(4000).action("failed")

    explanation = line.dials[0]["explanation"]
    assert line.outcome == "failed"
    assert "normally" not in explanation


def test_a9_the_code_explains_and_not_the_cause_beside_it(line: Line) -> None:
    line.answer().leg_ends(2020).action("completed")
    client = line.app.test_client()
    client.post("/login", data={"token": "a-made-up-reports-token"})

    assert line.dials[0]["explanation"].endswith(CODES[2020].meaning)
    page = client.get(f"/calls/{line.call_uuid}").text
    assert CODES[2020].meaning in page
    assert CODES[2020].advice in page
    assert CODES[4000].meaning not in page


def test_a9_a_phone_that_was_not_registered_is_not_listed_under_normal_clearing(line: Line) -> None:
    line.answer().leg_ends(2020).action("completed")
    client = line.app.test_client()
    client.post("/login", data={"token": "a-made-up-reports-token"})
    page = client.get("/?range=7d").text

    causes = page[page.index('id="causes"') :]
    assert "<code>NORMAL_CLEARING</code>" not in causes
    assert CODES[4000].meaning not in causes
    assert "The called end could not be reached." in causes


@pytest.mark.parametrize("code", [4210, 4240, 4250])
def test_a10_refused_sip_credentials_make_a_phone_unreachable(line: Line, code: int) -> None:
    status, cause = ("timeout", "sip_auth_timeout") if code == 4250 else ("failed", "sip_auth_failed")
    line.answer().leg_ends(code).action(status, cause)

    assert line.outcome == "unreachable"
    assert "credentials" in CODES[code].advice


@pytest.mark.parametrize("rang", ["true", "false"])
@pytest.mark.parametrize(
    ("status", "cause"), [("failed", "sip_auth_failed"), ("timeout", "sip_auth_timeout"), ("Failed", "SIP_AUTH_FAILED")]
)
def test_a10_the_cause_alone_says_so_too(line: Line, status: str, cause: str, rang: str) -> None:
    line.answer().action(status, cause, rang)

    assert line.outcome == "unreachable"
