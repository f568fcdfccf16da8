"""Servers that reply wrongly get Plivo's verdict: code, reason, byte and remedy."""

import pytest

from app.simulator.ground_truth import CallTruth, RequestKind
from app.simulator.xml.verdicts import PlivoVerdict
from tests.simulator.conftest import Player
from tests.simulator.scripted_server import ScriptedReply, ScriptedServer, dial_xml


def only_verdict(call: CallTruth) -> PlivoVerdict:
    assert len(call.verdicts) == 1, call.verdicts
    assert not call.is_right
    assert call.verdicts[0].advice
    return call.verdicts[0]


@pytest.mark.parametrize(
    ("says", "code", "byte"),
    [
        (ScriptedReply(body="OK", content_type="text/html"), 8011, 0),
        (ScriptedReply(body="<html><body>Hello</body></html>", content_type="text/html"), 8011, 0),
        (ScriptedReply(body="", content_type="application/xml"), 8011, 0),
        (ScriptedReply(body="<Response><Say>Hello</Say></Response>"), 8011, 10),
        (ScriptedReply(body="<Response><Dial><Number/></Dial></Response>"), 8011, 16),
        (ScriptedReply(body="<Response/>", content_type="text/plain"), 8011, None),
        (ScriptedReply(status=500), 7011, None),
        (ScriptedReply(status=404), 7011, None),
        (ScriptedReply(status=302, location="/elsewhere/"), 7011, None),
        (ScriptedReply(hangs=True), 7011, None),
        (ScriptedReply(closes=True), 7011, None),
    ],
)
def test_a_wrong_reply_ends_the_call_with_plivos_code(
    server: ScriptedServer, player: Player, says: ScriptedReply, code: int, byte: int | None
) -> None:
    server.replies["/"] = says

    call = player.play("answered", fragment="#rt=200&rc=0" if says.hangs else "#rc=0")

    verdict = only_verdict(call)
    assert (verdict.code, verdict.byte) == (code, byte)
    assert call.end is not None
    assert (call.end.code, call.end.source) == (code, "Error")
    assert server.requests_to("/hangup/")[0].params["HangupCauseCode"] == str(code)


@pytest.mark.parametrize(
    ("says", "code"),
    [
        (ScriptedReply(body="OK", content_type="text/html"), 8012),
        (ScriptedReply(body="Dial status reported", content_type="text/html"), 8012),
        (ScriptedReply(status=500), 7012),
        (ScriptedReply(closes=True), 7012),
    ],
)
def test_a_wrong_reply_of_the_action_url_ends_the_call(
    server: ScriptedServer, player: Player, says: ScriptedReply, code: int
) -> None:
    server.replies["/action/"] = says

    call = player.play("busy")

    assert only_verdict(call).code == code
    assert call.end is not None
    assert call.end.code == code


def test_a_relative_action_is_an_invalid_url_at_its_byte(server: ScriptedServer, player: Player) -> None:
    body = '<Response><Dial action="/action/"><Number>+14155550123</Number></Dial></Response>'
    server.replies["/"] = ScriptedReply(body=body)

    verdict = only_verdict(player.play("busy"))

    assert (verdict.code, verdict.byte) == (7022, body.index("action"))
    assert server.requests_to("/action/") == []


def test_a_wrong_action_method_is_an_invalid_method(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(
        body=f'<Response><Dial action="{server.url}/action/" method="post">'
        "<Number>+14155550123</Number></Dial></Response>"
    )

    assert only_verdict(player.play("busy")).code == 7032


@pytest.mark.parametrize("says", [ScriptedReply(body="OK", content_type="text/html"), ScriptedReply(body="")])
def test_without_redirect_the_actions_reply_does_not_matter(
    server: ScriptedServer, player: Player, says: ScriptedReply
) -> None:
    server.replies["/"] = ScriptedReply(body=dial_xml(server, attributes='redirect="false"'))
    server.replies["/action/"] = says

    call = player.play("busy")

    assert call.is_right
    assert call.end is not None
    assert call.end.code == 4010


def test_a_notice_answered_500_is_wrong_but_the_call_goes_on(server: ScriptedServer, player: Player) -> None:
    server.replies["/callback/"] = ScriptedReply(status=500)

    call = player.play("busy")

    assert only_verdict(call).code == 0
    assert server.requests_to("/action/")


def test_a_confirm_sound_with_a_hangup_cannot_be_played(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(
        body=dial_xml(server, attributes=f'confirmSound="{server.url}/confirm/" confirmKey="1"')
    )
    server.replies["/confirm/"] = ScriptedReply(body="<Response><Hangup/></Response>")

    call = player.play("key-pressed")

    assert "confirmSound: <Hangup>" in only_verdict(call).reason
    assert call.dials[0].status == "no-answer"


def test_a_redirect_to_a_relative_url_has_its_own_code(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(body="<Response><Redirect>/elsewhere/</Redirect></Response>")

    assert only_verdict(player.play("answered")).code == 7024


def test_a_redirect_to_another_machine_is_not_followed(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(
        body="<Response><Redirect>https://calls.example.com/menu/</Redirect></Response>"
    )

    call = player.play("answered")

    assert call.is_right
    assert "https://calls.example.com/menu/" in call.remarks[0]
    assert [received.path for received in server.received] == ["/", "/hangup/"]


def test_a_loop_of_redirects_is_ended(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(body=f"<Response><Redirect>{server.url}/</Redirect></Response>")

    assert "without an end" in only_verdict(player.play("answered")).reason


def test_the_fallback_url_takes_over_and_the_verdict_stays(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(status=500)
    server.replies["/fallback/"] = ScriptedReply(body=dial_xml(server))

    call = player.play("answered", fallback=True)

    assert only_verdict(call).code == 7011
    assert call.reached(RequestKind.FALLBACK)
    assert call.dials[0].status == "completed"


def test_a_url_on_another_machine_is_not_called(server: ScriptedServer, player: Player) -> None:
    server.replies["/"] = ScriptedReply(
        body='<Response><Dial action="https://calls.example.com/a/"><Number>+14155550123</Number></Dial></Response>'
    )

    assert "not on this machine" in only_verdict(player.play("busy")).reason


def test_replies_after_the_caller_has_gone_are_still_checked(server: ScriptedServer, player: Player) -> None:
    server.replies["/action/"] = ScriptedReply(body="OK", content_type="text/html")

    call = player.play("caller-gives-up")

    assert only_verdict(call).code == 8012
    assert call.end is not None
    assert call.end.cause == "ORIGINATOR_CANCEL"
