"""Every scenario produces the requests that Plivo documents, in order and with the right values."""

import uuid

import pytest

from app.simulator.ground_truth import CallTruth
from app.simulator.scenario import Behaviour, DialScript, Person, Scenario, built_in
from app.voice.outcome import Outcome
from tests.simulator.conftest import Player, scenario
from tests.simulator.scripted_server import ReceivedRequest, ScriptedReply, ScriptedServer, dial_xml

DIAL_FIELDS = {"DialStatus", "DialRingStatus", "DialHangupCause", "DialALegUUID", "DialBLegUUID"}


def sequence(server: ScriptedServer) -> list[str]:
    """Return the requests in order, each as its path and its event or status."""
    words = ("Event", "DialStatus", "CallStatus")
    return [
        " ".join(
            [received.path.strip("/") or "answer", *(received.params[w] for w in words if w in received.params)][:2]
        )
        for received in server.received
    ]


def only(server: ScriptedServer, path: str) -> dict[str, str]:
    [request] = server.requests_to(path)
    return request.params


def test_an_answered_call_is_reported_from_answer_to_hangup(server: ScriptedServer, player: Player) -> None:
    call = player.play("answered")

    assert sequence(server) == [
        "answer StartApp",
        "callback DialAnswer",
        "callback DialConnected",
        "callback DialHangup",
        "action completed",
        "hangup Hangup",
    ]
    action, hangup = only(server, "/action/"), only(server, "/hangup/")
    leg = server.requests_to("/callback/")[-1].params
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
def test_an_unanswered_dial_reports_its_cause(
    server: ScriptedServer, player: Player, name: str, status: str, rang: str, cause: str, code: str, outcome: Outcome
) -> None:
    call = player.play(name)

    action, leg = only(server, "/action/"), only(server, "/callback/")
    assert (action["DialStatus"], action["DialRingStatus"], action["DialHangupCause"]) == (status, rang, cause)
    assert action["DialBLegUUID"] == ""
    assert (leg["Event"], leg["DialBLegHangupCauseCode"], leg["DialBLegDuration"]) == ("DialHangup", code, "0")
    assert call.dials[0].outcomes == {outcome}
    assert call.is_right


def test_a_completed_dial_without_a_b_leg_reports_no_leg(server: ScriptedServer, player: Player) -> None:
    call = player.play("nobody")

    action = only(server, "/action/")
    assert (action["DialStatus"], action["DialRingStatus"], action["DialBLegUUID"]) == ("completed", "true", "")
    assert action["DialHangupCause"] == "NORMAL_CLEARING"
    assert server.requests_to("/callback/") == []
    assert call.dials[0].outcomes == {Outcome.FAILED}


@pytest.mark.parametrize("name", ["nobody", "unregistered-rings", "cancelled-by-callee"])
def test_the_caller_is_still_there_after_a_misleading_report(server: ScriptedServer, player: Player, name: str) -> None:
    server.replies["/action/"] = ScriptedReply(body="<Response><Speak>Please call again</Speak></Response>")

    call = player.play(name)

    assert call.answered_at == call.dials[0].ended_at  # The message answers the call.
    assert call.end is not None
    assert call.end.code == 4010


def test_a_refused_key_may_be_reported_as_completed_with_its_b_leg(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(body=dial_xml(server, attributes='confirmKey="1" confirmTimeout="10"'))

    call = player.play("key-refused-reported-completed")

    action, leg = only(server, "/action/"), server.requests_to("/callback/")[-1].params
    assert (action["DialStatus"], action["DialBLegUUID"]) == ("completed", leg["DialBLegUUID"])
    assert leg["DialBLegHangupCauseCode"] == "9110"
    assert call.dials[0].outcomes == {Outcome.REJECTED}
    assert call.dials[0].winner is None


def test_plivo_may_skip_the_action_url_after_the_caller_gave_up(server: ScriptedServer, player: Player) -> None:
    player.play("caller-gives-up-no-action")

    assert sequence(server) == ["answer StartApp", "callback DialHangup", "hangup Hangup"]
    hangup = only(server, "/hangup/")
    assert (hangup["HangupCause"], hangup["HangupSource"]) == ("ORIGINATOR_CANCEL", "Caller")
    assert (hangup["AnswerTime"], hangup["Duration"]) == ("", "0")


def test_of_two_targets_one_loses_the_race(server: ScriptedServer, player: Player) -> None:
    targets = "<Number>+14155550123</Number><User>sip:alice@phone.plivo.com</User>"
    server.replies["/"] = ScriptedReply(body=dial_xml(server, targets=targets))

    call = player.play("second-target-wins")

    ends = [
        received.params for received in server.requests_to("/callback/") if received.params["Event"] == "DialHangup"
    ]
    assert [(end["DialBLegTo"], end["DialBLegHangupCauseCode"]) for end in ends] == [
        ("14155550123", "9000"),
        ("sip:alice@phone.plivo.com", "4000"),
    ]
    assert call.dials[0].winner is call.dials[0].legs[1]


def test_a_pressed_key_connects(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(
        body=dial_xml(server, attributes=f'confirmKey="1" confirmSound="{server.url}/confirm/"')
    )
    server.replies["/confirm/"] = ScriptedReply(body="<Response><Speak>Press 1</Speak></Response>")

    call = player.play("key-pressed")

    assert [received.method for received in server.requests_to("/confirm/")] == ["POST"]
    assert sequence(server)[1:4] == ["callback DialAnswer", "confirm ringing", "callback DialConnected"]
    assert call.dials[0].status == "completed"


def test_a_key_not_pressed_drops_the_leg(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(body=dial_xml(server, attributes='confirmKey="1" confirmTimeout="10"'))

    call = player.play("key-refused")

    assert only(server, "/action/")["DialBLegUUID"] == ""
    assert server.requests_to("/callback/")[-1].params["DialBLegHangupCauseCode"] == "9110"
    assert call.dials[0].outcomes == {Outcome.REJECTED}


def test_matched_digits_are_reported(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(body=dial_xml(server, attributes='digitsMatch="12,34"'))

    player.play("digits")

    pressed = next(
        received.params for received in server.requests_to("/callback/") if received.params["DialAction"] == "digits"
    )
    assert (pressed["DialDigitsMatch"], pressed["DialDigitsPressedBy"]) == ("12", "ALeg")


def test_a_message_is_recorded_and_reported_twice(server: ScriptedServer, player: Player) -> None:
    server.replies["/action/"] = ScriptedReply(
        body=f'<Response><Speak>Leave a message</Speak><Record action="{server.url}/recorded/" '
        f'callbackUrl="{server.url}/recording/" maxLength="10"/></Response>'
    )

    call = player.play("voicemail")

    action, notice = only(server, "/recorded/"), only(server, "/recording/")
    assert (action["RecordingDuration"], action["RecordingDurationMs"], action["Digits"]) == ("10", "10000", "#")
    assert action["RecordingID"] == notice["RecordingID"]
    assert int(notice["RecordingEndMs"]) - int(notice["RecordingStartMs"]) == 10_000
    assert "Digits" not in notice
    assert call.recordings == 1


def test_a_message_ended_by_hanging_up_is_reported_only_by_its_notice(server: ScriptedServer, player: Player) -> None:
    server.replies["/action/"] = ScriptedReply(
        body=f'<Response><Record action="{server.url}/recorded/" callbackUrl="{server.url}/recording/"/></Response>'
    )

    player.play("voicemail-hangs-up")

    assert server.requests_to("/recorded/") == []
    assert only(server, "/recording/")["RecordingDuration"] == "9"


def test_a_recording_of_the_dial_is_unfinished_in_its_action(server: ScriptedServer, player: Player) -> None:
    record = (
        f'<Record action="{server.url}/recorded/" callbackUrl="{server.url}/recording/" '
        'startOnDialAnswer="true" redirect="false"/>'
    )
    server.replies["/"] = ScriptedReply(body=dial_xml(server).replace("<Response>", f"<Response>{record}"))

    player.play("answered")

    assert only(server, "/recorded/")["RecordingDuration"] == "-1"
    assert only(server, "/recording/")["RecordingDuration"] == "60"  # Plivo's default maxLength.


def test_an_outbound_call_rings_first_and_carries_its_request_ids(server: ScriptedServer, player: Player) -> None:
    call = player.play("outbound")

    assert sequence(server)[:2] == ["ring Ring", "answer StartApp"]
    ring, answer, hangup = only(server, "/ring/"), only(server, "/"), only(server, "/hangup/")
    assert (ring["Direction"], ring["CallStatus"], answer["CallStatus"]) == ("outbound", "ringing", "in-progress")
    assert "ALegUUID" not in ring
    assert answer["ALegUUID"] == answer["ALegRequestUUID"] == answer["RequestUUID"] == call.call_uuid
    assert hangup["ALegUUID"] == call.call_uuid


def test_a_recording_of_a_dial_ends_with_its_b_leg_or_after_max_length(server: ScriptedServer, player: Player) -> None:
    record = f'<Record startOnDialAnswer="true" redirect="false" maxLength="30" callbackUrl="{server.url}/recording/"/>'
    server.replies["/"] = ScriptedReply(body=dial_xml(server).replace("<Dial", f"{record}<Dial"))

    player.play("answered")
    player.play("no-hangup-url")

    assert [received.params["RecordingDuration"] for received in server.requests_to("/recording/")] == ["30", "27"]


@pytest.mark.parametrize("first", ["busy", "answers"])
def test_a_recording_of_a_dial_is_used_up_by_the_next_dial(server: ScriptedServer, player: Player, first: str) -> None:
    record = f'<Record startOnDialAnswer="true" redirect="false" maxLength="99" callbackUrl="{server.url}/recording/"/>'
    server.replies["/"] = ScriptedReply(body=dial_xml(server).replace("<Dial", f"{record}<Dial"))
    server.replies["/action/"] = [ScriptedReply(body=dial_xml(server)), ScriptedReply()]
    person = {"does": "answers", "after": 2, "talks": 20}
    two = Scenario.model_validate(
        {"name": "two", "dial": [{"person": [{**person, "does": first}]}, {"person": [{**person, "talks": 50}]}]}
    )

    call = player.play(two)

    recorded = [received.params["RecordingDuration"] for received in server.requests_to("/recording/")]
    assert recorded == ([] if first == "busy" else ["20"])
    assert call.recordings == len(recorded)


@pytest.mark.parametrize(
    ("scheduled", "status", "duration", "outcome"),
    [(5, "cancel", "0", Outcome.CALLER_GAVE_UP), (20, "completed", "12", Outcome.ANSWERED)],
)
def test_elements_after_a_scheduled_hangup_run_until_its_time(
    server: ScriptedServer, player: Player, scheduled: int, status: str, duration: str, outcome: Outcome
) -> None:
    server.replies["/"] = ScriptedReply(
        body=dial_xml(server).replace("<Dial", f'<Hangup schedule="{scheduled}"/><Dial')
    )

    call = player.play("answered")

    hangup = only(server, "/hangup/")
    assert (hangup["HangupCauseCode"], hangup["HangupCauseName"]) == ("6000", "Scheduled Hangup")
    assert call.ended_at == scheduled
    assert only(server, "/action/")["DialStatus"] == status
    assert server.requests_to("/callback/")[-1].params["DialBLegDuration"] == duration
    assert call.dials[0].outcomes == {outcome}


def test_a_scheduled_hangup_cuts_a_greeting(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(
        body=f'<Response><Hangup schedule="3"/><Speak>{"word " * 100}</Speak></Response>'
    )

    call = player.play("answered")

    assert (call.ended_at, call.end and call.end.code) == (3, 6000)


def test_an_outbound_call_to_a_busy_line_never_requests_the_answer_url(server: ScriptedServer, player: Player) -> None:
    player.play("outbound-busy")

    assert sequence(server) == ["ring Ring", "hangup Hangup"]
    hangup = only(server, "/hangup/")
    assert (hangup["CallStatus"], hangup["HangupCauseCode"]) == ("busy", "3010")
    assert "ALegUUID" not in hangup


def test_an_outbound_call_goes_from_our_number_to_the_destination(server: ScriptedServer, player: Player) -> None:
    call = player.play("outbound")

    ring, answer = only(server, "/ring/"), only(server, "/")
    assert (ring["From"], ring["To"], ring["Direction"]) == ("+14155550199", "14155550100", "outbound")
    assert (answer["From"], answer["To"]) == ("14155550199", "14155550100")
    assert (call.from_number, call.to_number) == ("+14155550199", "+14155550100")


def test_without_hangup_url_the_answer_url_gets_the_hangup(server: ScriptedServer, player: Player) -> None:
    player.play("no-hangup-url")

    assert [received.params["Event"] for received in server.requests_to("/")] == ["StartApp", "Hangup"]
    assert server.requests_to("/hangup/") == []


def test_a_phlo_reports_in_json_unsigned_with_its_token(server: ScriptedServer, player: Player) -> None:
    player.play("phlo")

    (received,) = server.received
    assert received.path == "/phlo/"
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["Authorization"] == "Bearer a-made-up-phlo-token"
    assert not any(name.startswith("X-Plivo-Signature") for name in received.headers)
    assert all(f'"{name}"' in received.body for name in DIAL_FIELDS)


def test_each_reply_of_the_action_url_may_dial_again(server: ScriptedServer, player: Player) -> None:
    server.replies["/action/"] = [
        ScriptedReply(body=dial_xml(server)),
        ScriptedReply(body=dial_xml(server)),
        ScriptedReply(),
    ]

    call = player.play("second-dial-answers")

    assert [dial.status for dial in call.dials] == ["timeout", "busy", "completed"]
    assert [received.params["DialStatus"] for received in server.requests_to("/action/")] == [
        "timeout",
        "busy",
        "completed",
    ]


def test_dials_of_one_document_are_tried_in_turn(server: ScriptedServer, player: Player) -> None:
    dial = "<Dial><Number>+14155550123</Number></Dial>"
    server.replies["/"] = ScriptedReply(body=f"<Response>{dial}{dial}</Response>")

    assert [one.status for one in player.play("busy").dials] == ["busy", "busy"]


def test_the_method_of_each_request_is_the_one_in_the_xml(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(
        body=f'<Response><Dial action="{server.url}/action/?dial=x" method="GET" callbackMethod="GET" '
        f'callbackUrl="{server.url}/callback/?dial=x"><Number>+14155550123</Number></Dial></Response>'
    )

    player.play("busy", method="GET")

    assert {received.method for received in server.received if received.path != "/hangup/"} == {"GET"}
    assert only(server, "/action/")["dial"] == "x"
    assert server.requests_to("/action/")[0].target.endswith("&dial=x")


def test_the_times_are_in_the_accounts_zone_but_the_session_is_in_utc(server: ScriptedServer, player: Player) -> None:
    player.play("answered", zone="Asia/Kolkata")

    hangup = only(server, "/hangup/")
    assert hangup["SessionStart"] == "2026-03-02 08:35:10.910772"
    assert hangup["StartTime"] == "2026-03-02 14:05:10"
    assert hangup["AnswerTime"] == "2026-03-02 14:05:18"
    assert hangup["EndTime"] == "2026-03-02 14:06:53"


@pytest.mark.parametrize("one", built_in(), ids=lambda one: one.name)
def test_every_scenario_follows_the_rules_of_all_requests(
    server: ScriptedServer, player: Player, one: Scenario
) -> None:
    call = player.play(one)

    assert call.is_right
    assert server.received
    for received in server.received:
        if received.path == "/phlo/":
            continue
        assert uuid.UUID(received.params["CallUUID"]) == uuid.UUID(call.call_uuid)
        assert keys_of(received) == sorted(keys_of(received))
        assert received.headers["X-Plivo-Signature-V3-Nonce"].isdigit()


def keys_of(received: ReceivedRequest) -> list[str]:
    return list(received.params)


def test_a_time_limit_ends_the_conversation(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(body=dial_xml(server, attributes='timeLimit="30"'))

    player.play("answered")

    leg = server.requests_to("/callback/")[-1].params
    assert (leg["DialBLegDuration"], leg["DialBLegHangupCauseCode"]) == ("30", "6000")


def test_a_star_ends_the_conversation_but_not_the_call(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(body=dial_xml(server, attributes='hangupOnStar="true"'))
    star = Scenario(
        name="star",
        dial=(DialScript(person=(Person.model_validate({"does": "answers", "talks": 5, "ended_by": "star"}),)),),
    )

    call = player.play(star)

    assert server.requests_to("/callback/")[-1].params["DialBLegHangupSource"] == "Caller"
    assert call.end is not None
    assert call.end.code == 4010


def test_nobody_picks_up_after_the_ring_timeout(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(body=dial_xml(server, timeout=5))
    late = Scenario(name="late", dial=(DialScript(person=(Person(does=Behaviour.ANSWERS, after=9),)),))

    call = player.play(late)

    assert call.dials[0].status == "timeout"
    assert call.dials[0].ended_at == 5


def test_an_impatient_caller_hangs_up_during_the_greeting(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(
        body=f"<Response><Speak>{'word ' * 100}</Speak><Dial><Number>+14155550123</Number></Dial></Response>"
    )

    call = player.play("caller-gives-up")

    assert call.dials == []
    assert only(server, "/hangup/")["Duration"] == "13"


def test_the_same_seed_plays_the_same_call(server: ScriptedServer, player: Player) -> None:
    first, second = player.play("answered"), player.play("answered")

    half = len(server.received) // 2
    signed = "X-Plivo-Signature-V3"
    assert first.call_uuid == second.call_uuid
    assert [received.body for received in server.received[:half]] == [
        received.body for received in server.received[half:]
    ]
    assert [h.headers[signed] for h in server.received[:half]] == [h.headers[signed] for h in server.received[half:]]


def talk(call: CallTruth) -> int:
    winner = call.dials[0].winner
    assert winner is not None
    return winner.seconds


def test_ground_truth_is_exact_to_the_second(player: Player) -> None:
    call = player.play("answered-caller-hangs-up")

    assert talk(call) == scenario("answered-caller-hangs-up").person(0, 0).talks == 41
