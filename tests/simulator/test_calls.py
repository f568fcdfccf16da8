"""Every scenario produces the requests that Plivo documents, in their order and with their values."""

import uuid

import pytest

from app.simulator.ground_truth import CallTruth
from app.simulator.scenario import Behaviour, DialScript, Person, Scenario, built_in
from app.voice.outcome import Outcome
from tests.simulator.conftest import Player, scenario
from tests.simulator.stage import Heard, Says, Stage, dial_xml

DIAL_FIELDS = {"DialStatus", "DialRingStatus", "DialHangupCause", "DialALegUUID", "DialBLegUUID"}


def story(stage: Stage) -> list[str]:
    """Return the requests in their order, each by its path and what it tells."""
    words = ("Event", "DialStatus", "CallStatus")
    return [
        " ".join([heard.path.strip("/") or "answer", *(heard.params[w] for w in words if w in heard.params)][:2])
        for heard in stage.heard
    ]


def only(stage: Stage, path: str) -> dict[str, str]:
    told = stage.told(path)
    assert len(told) == 1
    return told[0].params


def test_an_answered_call_is_told_from_ring_to_hangup(stage: Stage, player: Player) -> None:
    call = player.play("answered")

    assert story(stage) == [
        "answer StartApp",
        "callback DialAnswer",
        "callback DialConnected",
        "callback DialHangup",
        "action completed",
        "hangup Hangup",
    ]
    action, hangup = only(stage, "/action/"), only(stage, "/hangup/")
    leg = stage.told("/callback/")[-1].params
    assert action["DialBLegUUID"] == leg["DialBLegUUID"] == call.dials[0].b_leg_uuid
    assert (action["DialRingStatus"], action["DialHangupCause"]) == ("true", "NORMAL_CLEARING")
    assert (leg["DialBLegDuration"], leg["DialBLegHangupCauseCode"]) == ("95", "4000")
    assert leg["DialBLegHangupSource"] == "Callee"
    assert (hangup["Duration"], hangup["BillDuration"]) == ("95", "120")
    assert (hangup["HangupCauseCode"], hangup["HangupCauseName"]) == ("4010", "End Of XML Instructions")


@pytest.mark.parametrize(
    ("name", "status", "rang", "cause", "code", "outcome"),
    [
        ("no-answer", "no-answer", "true", "NO_ANSWER", "3000", Outcome.MISSED),
        ("ring-timeout", "timeout", "true", "NO_ANSWER", "6010", Outcome.MISSED),
        ("busy", "busy", "false", "USER_BUSY", "3010", Outcome.BUSY),
        ("rejected", "failed", "true", "CALL_REJECTED", "3020", Outcome.REJECTED),
        ("unreachable", "failed", "false", "UNALLOCATED_NUMBER", "3050", Outcome.UNREACHABLE),
        ("unregistered", "completed", "false", "NORMAL_CLEARING", "2020", Outcome.UNREACHABLE),
        ("carrier-failure", "failed", "false", "SWITCH_CONGESTION", "3090", Outcome.FAILED),
        ("caller-gives-up", "cancel", "true", "ORIGINATOR_CANCEL", "4000", Outcome.CALLER_GAVE_UP),
        ("unregistered-rings", "completed", "true", "NORMAL_CLEARING", "2020", Outcome.UNREACHABLE),
        ("cancelled-by-callee", "cancel", "true", "NORMAL_CLEARING", "4000", Outcome.CALLER_GAVE_UP),
        ("sip-auth-refused", "failed", "false", "sip_auth_failed", "4210", Outcome.UNREACHABLE),
        ("sip-auth-failed", "failed", "false", "sip_auth_failed", "4240", Outcome.UNREACHABLE),
        ("sip-auth-timeout", "timeout", "false", "sip_auth_timeout", "4250", Outcome.UNREACHABLE),
    ],
)
def test_a_dial_that_nobody_answers_tells_why(
    stage: Stage, player: Player, name: str, status: str, rang: str, cause: str, code: str, outcome: Outcome
) -> None:
    call = player.play(name)

    action, leg = only(stage, "/action/"), only(stage, "/callback/")
    assert (action["DialStatus"], action["DialRingStatus"], action["DialHangupCause"]) == (status, rang, cause)
    assert action["DialBLegUUID"] == ""
    assert (leg["Event"], leg["DialBLegHangupCauseCode"], leg["DialBLegDuration"]) == ("DialHangup", code, "0")
    assert call.dials[0].outcomes == {outcome}
    assert call.is_right


def test_a_completed_dial_without_a_b_leg_reports_no_leg_at_all(stage: Stage, player: Player) -> None:
    call = player.play("nobody")

    action = only(stage, "/action/")
    assert (action["DialStatus"], action["DialRingStatus"], action["DialBLegUUID"]) == ("completed", "true", "")
    assert action["DialHangupCause"] == "NORMAL_CLEARING"
    assert stage.told("/callback/") == []
    assert call.dials[0].outcomes == {Outcome.FAILED}


@pytest.mark.parametrize("name", ["nobody", "unregistered-rings", "cancelled-by-callee"])
def test_the_caller_is_still_there_after_a_misleading_report(stage: Stage, player: Player, name: str) -> None:
    stage.replies["/action/"] = Says(body="<Response><Speak>Please call again</Speak></Response>")

    call = player.play(name)

    assert call.answered_at == call.dials[0].ended_at  # The message answers the call.
    assert call.end is not None
    assert call.end.code == 4010


def test_a_refused_key_may_be_reported_as_completed_with_its_b_leg(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body=dial_xml(stage, attributes='confirmKey="1" confirmTimeout="10"'))

    call = player.play("key-refused-reported-completed")

    action, leg = only(stage, "/action/"), stage.told("/callback/")[-1].params
    assert (action["DialStatus"], action["DialBLegUUID"]) == ("completed", leg["DialBLegUUID"])
    assert leg["DialBLegHangupCauseCode"] == "9110"
    assert call.dials[0].outcomes == {Outcome.REJECTED}
    assert call.dials[0].winner is None


def test_a_caller_who_gives_up_may_leave_the_action_url_unasked(stage: Stage, player: Player) -> None:
    player.play("caller-gives-up-no-action")

    assert story(stage) == ["answer StartApp", "callback DialHangup", "hangup Hangup"]
    hangup = only(stage, "/hangup/")
    assert (hangup["HangupCause"], hangup["HangupSource"]) == ("ORIGINATOR_CANCEL", "Caller")
    assert (hangup["AnswerTime"], hangup["Duration"]) == ("", "0")


def test_of_two_targets_the_loser_has_lost_the_race(stage: Stage, player: Player) -> None:
    targets = "<Number>+14155550123</Number><User>sip:alice@phone.plivo.com</User>"
    stage.replies["/"] = Says(body=dial_xml(stage, targets=targets))

    call = player.play("second-target-wins")

    ends = [heard.params for heard in stage.told("/callback/") if heard.params["Event"] == "DialHangup"]
    assert [(end["DialBLegTo"], end["DialBLegHangupCauseCode"]) for end in ends] == [
        ("14155550123", "9000"),
        ("sip:alice@phone.plivo.com", "4000"),
    ]
    assert call.dials[0].winner is call.dials[0].legs[1]


def test_a_pressed_key_connects(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body=dial_xml(stage, attributes=f'confirmKey="1" confirmSound="{stage.url}/confirm/"'))
    stage.replies["/confirm/"] = Says(body="<Response><Speak>Press 1</Speak></Response>")

    call = player.play("key-pressed")

    assert [heard.method for heard in stage.told("/confirm/")] == ["POST"]
    assert story(stage)[1:4] == ["callback DialAnswer", "confirm ringing", "callback DialConnected"]
    assert call.dials[0].status == "completed"


def test_a_key_not_pressed_drops_the_leg(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body=dial_xml(stage, attributes='confirmKey="1" confirmTimeout="10"'))

    call = player.play("key-refused")

    assert only(stage, "/action/")["DialBLegUUID"] == ""
    assert stage.told("/callback/")[-1].params["DialBLegHangupCauseCode"] == "9110"
    assert call.dials[0].outcomes == {Outcome.REJECTED}


def test_digits_that_the_dial_listens_for_are_reported(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body=dial_xml(stage, attributes='digitsMatch="12,34"'))

    player.play("digits")

    pressed = next(heard.params for heard in stage.told("/callback/") if heard.params["DialAction"] == "digits")
    assert (pressed["DialDigitsMatch"], pressed["DialDigitsPressedBy"]) == ("12", "ALeg")


def test_a_message_is_recorded_and_reported_twice(stage: Stage, player: Player) -> None:
    stage.replies["/action/"] = Says(
        body=f'<Response><Speak>Leave a message</Speak><Record action="{stage.url}/recorded/" '
        f'callbackUrl="{stage.url}/recording/" maxLength="10"/></Response>'
    )

    call = player.play("voicemail")

    action, notice = only(stage, "/recorded/"), only(stage, "/recording/")
    assert (action["RecordingDuration"], action["RecordingDurationMs"], action["Digits"]) == ("10", "10000", "#")
    assert action["RecordingID"] == notice["RecordingID"]
    assert int(notice["RecordingEndMs"]) - int(notice["RecordingStartMs"]) == 10_000
    assert "Digits" not in notice
    assert call.recordings == 1


def test_a_caller_who_hangs_up_after_the_message_leaves_only_the_notice(stage: Stage, player: Player) -> None:
    stage.replies["/action/"] = Says(
        body=f'<Response><Record action="{stage.url}/recorded/" callbackUrl="{stage.url}/recording/"/></Response>'
    )

    player.play("voicemail-hangs-up")

    assert stage.told("/recorded/") == []
    assert only(stage, "/recording/")["RecordingDuration"] == "9"


def test_a_recording_of_the_dial_is_unfinished_in_its_action(stage: Stage, player: Player) -> None:
    record = (
        f'<Record action="{stage.url}/recorded/" callbackUrl="{stage.url}/recording/" '
        'startOnDialAnswer="true" redirect="false"/>'
    )
    stage.replies["/"] = Says(body=dial_xml(stage).replace("<Response>", f"<Response>{record}"))

    player.play("answered")

    assert only(stage, "/recorded/")["RecordingDuration"] == "-1"
    assert only(stage, "/recording/")["RecordingDuration"] == "60"  # Plivo's default maxLength.


def test_an_outbound_call_rings_first_and_carries_its_request_ids(stage: Stage, player: Player) -> None:
    call = player.play("outbound")

    assert story(stage)[:2] == ["ring Ring", "answer StartApp"]
    ring, answer, hangup = only(stage, "/ring/"), only(stage, "/"), only(stage, "/hangup/")
    assert (ring["Direction"], ring["CallStatus"], answer["CallStatus"]) == ("outbound", "ringing", "in-progress")
    assert "ALegUUID" not in ring
    assert answer["ALegUUID"] == answer["ALegRequestUUID"] == answer["RequestUUID"] == call.call_uuid
    assert hangup["ALegUUID"] == call.call_uuid


def test_a_recording_of_a_dial_ends_with_it_or_after_its_longest_time(stage: Stage, player: Player) -> None:
    record = f'<Record startOnDialAnswer="true" redirect="false" maxLength="30" callbackUrl="{stage.url}/recording/"/>'
    stage.replies["/"] = Says(body=dial_xml(stage).replace("<Dial", f"{record}<Dial"))

    player.play("answered")
    player.play("no-hangup-url")

    assert [heard.params["RecordingDuration"] for heard in stage.told("/recording/")] == ["30", "27"]


@pytest.mark.parametrize("first", ["busy", "answers"])
def test_a_recording_of_a_dial_is_used_up_by_the_next_dial(stage: Stage, player: Player, first: str) -> None:
    record = f'<Record startOnDialAnswer="true" redirect="false" maxLength="99" callbackUrl="{stage.url}/recording/"/>'
    stage.replies["/"] = Says(body=dial_xml(stage).replace("<Dial", f"{record}<Dial"))
    stage.replies["/action/"] = [Says(body=dial_xml(stage)), Says()]
    person = {"does": "answers", "after": 2, "talks": 20}
    two = Scenario.model_validate(
        {"name": "two", "dial": [{"person": [{**person, "does": first}]}, {"person": [{**person, "talks": 50}]}]}
    )

    call = player.play(two)

    recorded = [heard.params["RecordingDuration"] for heard in stage.told("/recording/")]
    assert recorded == ([] if first == "busy" else ["20"])
    assert call.recordings == len(recorded)


@pytest.mark.parametrize(
    ("scheduled", "status", "duration", "outcome"),
    [(5, "cancel", "0", Outcome.CALLER_GAVE_UP), (20, "completed", "12", Outcome.ANSWERED)],
)
def test_a_scheduled_hangup_lets_what_follows_run_until_its_time(
    stage: Stage, player: Player, scheduled: int, status: str, duration: str, outcome: Outcome
) -> None:
    stage.replies["/"] = Says(body=dial_xml(stage).replace("<Dial", f'<Hangup schedule="{scheduled}"/><Dial'))

    call = player.play("answered")

    hangup = only(stage, "/hangup/")
    assert (hangup["HangupCauseCode"], hangup["HangupCauseName"]) == ("6000", "Scheduled Hangup")
    assert call.ended_at == scheduled
    assert only(stage, "/action/")["DialStatus"] == status
    assert stage.told("/callback/")[-1].params["DialBLegDuration"] == duration
    assert call.dials[0].outcomes == {outcome}


def test_a_scheduled_hangup_cuts_a_greeting(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body=f'<Response><Hangup schedule="3"/><Speak>{"word " * 100}</Speak></Response>')

    call = player.play("answered")

    assert (call.ended_at, call.end and call.end.code) == (3, 6000)


def test_an_outbound_call_to_a_busy_line_never_asks_the_answer_url(stage: Stage, player: Player) -> None:
    player.play("outbound-busy")

    assert story(stage) == ["ring Ring", "hangup Hangup"]
    hangup = only(stage, "/hangup/")
    assert (hangup["CallStatus"], hangup["HangupCauseCode"]) == ("busy", "3010")
    assert "ALegUUID" not in hangup


def test_an_outbound_call_goes_from_our_number_to_the_destination(stage: Stage, player: Player) -> None:
    call = player.play("outbound")

    ring, answer = only(stage, "/ring/"), only(stage, "/")
    assert (ring["From"], ring["To"], ring["Direction"]) == ("+14155550199", "14155550100", "outbound")
    assert (answer["From"], answer["To"]) == ("14155550199", "14155550100")
    assert (call.from_number, call.to_number) == ("+14155550199", "+14155550100")


def test_without_hangup_url_the_answer_url_gets_the_hangup(stage: Stage, player: Player) -> None:
    player.play("no-hangup-url")

    assert [heard.params["Event"] for heard in stage.told("/")] == ["StartApp", "Hangup"]
    assert stage.told("/hangup/") == []


def test_a_phlo_reports_in_json_unsigned_with_its_token(stage: Stage, player: Player) -> None:
    player.play("phlo")

    (heard,) = stage.heard
    assert heard.path == "/phlo/"
    assert heard.headers["Content-Type"] == "application/json"
    assert heard.headers["Authorization"] == "Bearer a-made-up-phlo-token"
    assert not any(name.startswith("X-Plivo-Signature") for name in heard.headers)
    assert all(f'"{name}"' in heard.body for name in DIAL_FIELDS)


def test_three_dials_in_turn_follow_what_the_action_answers(stage: Stage, player: Player) -> None:
    stage.replies["/action/"] = [Says(body=dial_xml(stage)), Says(body=dial_xml(stage)), Says()]

    call = player.play("second-dial-answers")

    assert [dial.status for dial in call.dials] == ["timeout", "busy", "completed"]
    assert [heard.params["DialStatus"] for heard in stage.told("/action/")] == ["timeout", "busy", "completed"]


def test_dials_of_one_document_are_tried_in_turn(stage: Stage, player: Player) -> None:
    dial = "<Dial><Number>+14155550123</Number></Dial>"
    stage.replies["/"] = Says(body=f"<Response>{dial}{dial}</Response>")

    assert [one.status for one in player.play("busy").dials] == ["busy", "busy"]


def test_get_is_used_where_the_xml_says_so(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(
        body=f'<Response><Dial action="{stage.url}/action/?dial=x" method="GET" callbackMethod="GET" '
        f'callbackUrl="{stage.url}/callback/?dial=x"><Number>+14155550123</Number></Dial></Response>'
    )

    player.play("busy", method="GET")

    assert {heard.method for heard in stage.heard if heard.path != "/hangup/"} == {"GET"}
    assert only(stage, "/action/")["dial"] == "x"
    assert stage.told("/action/")[0].target.endswith("&dial=x")


def test_the_times_are_in_the_accounts_zone_but_the_session_is_in_utc(stage: Stage, player: Player) -> None:
    player.play("answered", zone="Asia/Kolkata")

    hangup = only(stage, "/hangup/")
    assert hangup["SessionStart"] == "2026-03-02 08:35:10.910772"
    assert hangup["StartTime"] == "2026-03-02 14:05:10"
    assert hangup["AnswerTime"] == "2026-03-02 14:05:18"
    assert hangup["EndTime"] == "2026-03-02 14:06:53"


@pytest.mark.parametrize("one", built_in(), ids=lambda one: one.name)
def test_every_scenario_keeps_to_the_rules_of_all_requests(stage: Stage, player: Player, one: Scenario) -> None:
    call = player.play(one)

    assert call.is_right
    assert stage.heard
    for heard in stage.heard:
        if heard.path == "/phlo/":
            continue
        assert uuid.UUID(heard.params["CallUUID"]) == uuid.UUID(call.call_uuid)
        assert keys_of(heard) == sorted(keys_of(heard))
        assert heard.headers["X-Plivo-Signature-V3-Nonce"].isdigit()


def keys_of(heard: Heard) -> list[str]:
    return list(heard.params)


def test_a_time_limit_cuts_the_talk(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body=dial_xml(stage, attributes='timeLimit="30"'))

    player.play("answered")

    leg = stage.told("/callback/")[-1].params
    assert (leg["DialBLegDuration"], leg["DialBLegHangupCauseCode"]) == ("30", "6000")


def test_a_star_ends_the_talk_but_not_the_call(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body=dial_xml(stage, attributes='hangupOnStar="true"'))
    star = Scenario(
        name="star",
        dial=(DialScript(person=(Person.model_validate({"does": "answers", "talks": 5, "ended_by": "star"}),)),),
    )

    call = player.play(star)

    assert stage.told("/callback/")[-1].params["DialBLegHangupSource"] == "Caller"
    assert call.end is not None
    assert call.end.code == 4010


def test_nobody_picks_up_after_the_ring_timeout(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body=dial_xml(stage, timeout=5))
    late = Scenario(name="late", dial=(DialScript(person=(Person(does=Behaviour.ANSWERS, after=9),)),))

    call = player.play(late)

    assert call.dials[0].status == "timeout"
    assert call.dials[0].ended_at == 5


def test_a_caller_without_patience_leaves_during_the_greeting(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(
        body=f"<Response><Speak>{'word ' * 100}</Speak><Dial><Number>+14155550123</Number></Dial></Response>"
    )

    call = player.play("caller-gives-up")

    assert call.dials == []
    assert only(stage, "/hangup/")["Duration"] == "13"


def test_the_same_seed_plays_the_same_call(stage: Stage, player: Player) -> None:
    first, second = player.play("answered"), player.play("answered")

    half = len(stage.heard) // 2
    signed = "X-Plivo-Signature-V3"
    assert first.call_uuid == second.call_uuid
    assert [heard.body for heard in stage.heard[:half]] == [heard.body for heard in stage.heard[half:]]
    assert [h.headers[signed] for h in stage.heard[:half]] == [h.headers[signed] for h in stage.heard[half:]]


def talk(call: CallTruth) -> int:
    winner = call.dials[0].winner
    assert winner is not None
    return winner.seconds


def test_what_happened_is_known_to_the_second(player: Player) -> None:
    call = player.play("answered-caller-hangs-up")

    assert talk(call) == scenario("answered-caller-hangs-up").person(0, 0).talks == 41
