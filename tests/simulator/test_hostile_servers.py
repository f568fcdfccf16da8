"""Servers that answer wrongly get Plivo's verdict: code, reason, byte and what to change."""

import pytest

from app.simulator.ground_truth import CallTruth, RequestKind
from app.simulator.xml.verdicts import PlivoVerdict
from tests.simulator.conftest import Player
from tests.simulator.stage import Says, Stage, dial_xml


def only_verdict(call: CallTruth) -> PlivoVerdict:
    assert len(call.verdicts) == 1, call.verdicts
    assert not call.is_right
    assert call.verdicts[0].advice
    return call.verdicts[0]


@pytest.mark.parametrize(
    ("says", "code", "byte"),
    [
        (Says(body="OK", content_type="text/html"), 8011, 0),
        (Says(body="<html><body>Hello</body></html>", content_type="text/html"), 8011, 0),
        (Says(body="", content_type="application/xml"), 8011, 0),
        (Says(body="<Response><Say>Hello</Say></Response>"), 8011, 10),
        (Says(body="<Response><Dial><Number/></Dial></Response>"), 8011, 16),
        (Says(body="<Response/>", content_type="text/plain"), 8011, None),
        (Says(status=500), 7011, None),
        (Says(status=404), 7011, None),
        (Says(status=302, location="/elsewhere/"), 7011, None),
        (Says(hangs=True), 7011, None),
        (Says(closes=True), 7011, None),
    ],
)
def test_a_wrong_answer_ends_the_call_with_plivos_code(
    stage: Stage, player: Player, says: Says, code: int, byte: int | None
) -> None:
    stage.replies["/"] = says

    call = player.play("answered", fragment="#rt=200&rc=0" if says.hangs else "#rc=0")

    verdict = only_verdict(call)
    assert (verdict.code, verdict.byte) == (code, byte)
    assert call.end is not None
    assert (call.end.code, call.end.source) == (code, "Error")
    assert stage.told("/hangup/")[0].params["HangupCauseCode"] == str(code)


@pytest.mark.parametrize(
    ("says", "code"),
    [
        (Says(body="OK", content_type="text/html"), 8012),
        (Says(body="Dial status reported", content_type="text/html"), 8012),
        (Says(status=500), 7012),
        (Says(closes=True), 7012),
    ],
)
def test_a_wrong_answer_of_the_action_url_drops_the_caller(stage: Stage, player: Player, says: Says, code: int) -> None:
    stage.replies["/action/"] = says

    call = player.play("busy")

    assert only_verdict(call).code == code
    assert call.end is not None
    assert call.end.code == code


def test_a_relative_action_is_an_invalid_url_at_its_byte(stage: Stage, player: Player) -> None:
    body = '<Response><Dial action="/action/"><Number>+14155550123</Number></Dial></Response>'
    stage.replies["/"] = Says(body=body)

    verdict = only_verdict(player.play("busy"))

    assert (verdict.code, verdict.byte) == (7022, body.index("action"))
    assert stage.told("/action/") == []


def test_a_wrong_action_method_is_an_invalid_method(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(
        body=f'<Response><Dial action="{stage.url}/action/" method="post">'
        "<Number>+14155550123</Number></Dial></Response>"
    )

    assert only_verdict(player.play("busy")).code == 7032


@pytest.mark.parametrize("says", [Says(body="OK", content_type="text/html"), Says(body="")])
def test_without_redirect_the_actions_reply_does_not_matter(stage: Stage, player: Player, says: Says) -> None:
    stage.replies["/"] = Says(body=dial_xml(stage, attributes='redirect="false"'))
    stage.replies["/action/"] = says

    call = player.play("busy")

    assert call.is_right
    assert call.end is not None
    assert call.end.code == 4010


def test_a_notice_answered_500_is_wrong_but_the_call_goes_on(stage: Stage, player: Player) -> None:
    stage.replies["/callback/"] = Says(status=500)

    call = player.play("busy")

    assert only_verdict(call).code == 0
    assert stage.told("/action/")


def test_a_confirm_sound_with_a_hangup_cannot_be_played(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body=dial_xml(stage, attributes=f'confirmSound="{stage.url}/confirm/" confirmKey="1"'))
    stage.replies["/confirm/"] = Says(body="<Response><Hangup/></Response>")

    call = player.play("key-pressed")

    assert "confirmSound: <Hangup>" in only_verdict(call).reason
    assert call.dials[0].status == "no-answer"


def test_a_redirect_to_nowhere_has_its_own_code(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body="<Response><Redirect>/elsewhere/</Redirect></Response>")

    assert only_verdict(player.play("answered")).code == 7024


def test_a_redirect_to_another_machine_is_not_followed(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body="<Response><Redirect>https://calls.example.com/menu/</Redirect></Response>")

    call = player.play("answered")

    assert call.is_right
    assert "https://calls.example.com/menu/" in call.remarks[0]
    assert [heard.path for heard in stage.heard] == ["/", "/hangup/"]


def test_a_loop_of_redirects_is_cut(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(body=f"<Response><Redirect>{stage.url}/</Redirect></Response>")

    assert "without an end" in only_verdict(player.play("answered")).reason


def test_the_fallback_url_takes_over_and_the_verdict_stays(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(status=500)
    stage.replies["/fallback/"] = Says(body=dial_xml(stage))

    call = player.play("answered", fallback=True)

    assert only_verdict(call).code == 7011
    assert call.reached(RequestKind.FALLBACK)
    assert call.dials[0].status == "completed"


def test_a_handed_out_url_on_another_machine_is_not_called(stage: Stage, player: Player) -> None:
    stage.replies["/"] = Says(
        body='<Response><Dial action="https://calls.example.com/a/"><Number>+14155550123</Number></Dial></Response>'
    )

    assert "not on this machine" in only_verdict(player.play("busy")).reason


def test_what_is_asked_for_a_caller_who_has_gone_is_still_judged(stage: Stage, player: Player) -> None:
    stage.replies["/action/"] = Says(body="OK", content_type="text/html")

    call = player.play("caller-gives-up")

    assert only_verdict(call).code == 8012
    assert call.end is not None
    assert call.end.cause == "ORIGINATOR_CANCEL"
