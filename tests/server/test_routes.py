"""Every route, by every method it takes, signed, against the real server on each engine."""

from xml.etree import ElementTree

import pytest

from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import Reply, Server, until

CONTROL = ("/dialstatus/", "/dialstatus/action/", "/dialstatus/fallback/")
NOTICES = (
    "/dialstatus/callback/",
    "/dialstatus/ring/",
    "/dialstatus/hangup/",
    "/dialstatus/recording/",
)


def assert_xml(reply: Reply, status: int = 200) -> ElementTree.Element:
    """Check status, type and root, and give the document."""
    assert (reply.status, reply.content_type) == (status, "application/xml"), reply
    root = ElementTree.fromstring(reply.body)
    assert root.tag == "Response"
    return root


def test_every_route_answers_xml_by_get_and_post_with_and_without_its_slash(server: Server) -> None:
    for route in (*CONTROL, *NOTICES):
        for method in ("GET", "POST"):
            for target in (route, route.rstrip("/")):
                assert_xml(server.plivo(method, target, inbound(new_uuid())))


def test_head_is_answered_and_nothing_is_kept(server: Server) -> None:
    for route in (*CONTROL, *NOTICES):
        nothing = server.request("HEAD", f"{route}?CallUUID=headed")

        assert nothing.status == 403  # Unsigned, as every stranger.
    assert server.api("/calls/headed").status == 404


def test_a_call_is_answered_with_dial_xml_that_leads_back_to_us(server: Server) -> None:
    reply = server.plivo("POST", "/dialstatus/", inbound(new_uuid()))

    dial = assert_xml(reply).find("Dial")
    assert dial is not None
    assert [number.text for number in dial] == ["+14155550123"]
    assert dial.attrib["method"] == "POST"
    assert dial.attrib["redirect"] == "true"
    for name, path in (("action", "action"), ("callbackUrl", "callback")):
        assert dial.attrib[name].startswith(f"{server.url}/dialstatus/{path}/?dial=")
        assert "rp=ct,rt,5xx" in dial.attrib[name].partition("#")[2]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_dial_is_reported_kept_and_shown(server: Server, method: str) -> None:
    call_uuid, b_leg_uuid = new_uuid(), new_uuid()
    answer = server.plivo(method, "/dialstatus/", inbound(call_uuid))
    action = answer.attribute("action").partition("#")[0].removeprefix(server.url)
    report = dial_report(call_uuid, "completed", b_leg_uuid, Surprise="kept")

    reply = server.plivo(method, action, report)

    assert reply.body == "<Response/>"
    [dial] = server.api("/dials").json()["dials"]
    assert dial["call_uuid"] == dial["a_leg_uuid"] == call_uuid
    assert dial["b_leg_uuid"] == b_leg_uuid
    assert (dial["dial_status"], dial["dial_ring_status"], dial["outcome"]) == ("completed", True, "answered")
    assert (dial["from"], dial["to"], dial["targets"]) == ("+14155550100", "+14155550199", ["+14155550123"])
    assert (dial["signature"], dial["deliveries"]) == ("valid", 1)
    call = server.api(f"/calls/{call_uuid}").json()
    params = {receipt["kind"]: receipt["params"] for receipt in call["receipts"]}
    assert params["action"] == report
    [logged] = until(lambda: server.events("dial_ended"))
    assert logged["dial_id"] == dial["dial_id"]
    assert (logged["from"], logged["dial_b_leg_uuid"]) == ("…0100", b_leg_uuid)


def test_a_caller_whom_nobody_answered_hears_a_sentence(server: Server) -> None:
    reply = server.plivo("POST", "/dialstatus/action/", dial_report(new_uuid(), "busy"))

    assert [element.tag for element in assert_xml(reply)] == ["Speak", "Hangup"]


def test_a_hangup_at_the_answer_url_is_a_notice(server: Server) -> None:
    call_uuid = new_uuid()
    server.plivo("POST", "/dialstatus/", inbound(call_uuid))

    reply = server.plivo(
        "POST", "/dialstatus/", inbound(call_uuid, Event="Hangup", CallStatus="completed", HangupSource="Caller")
    )

    assert reply.body == "<Response/>"
    call = server.api(f"/calls/{call_uuid}").json()
    assert [receipt["kind"] for receipt in call["receipts"]] == ["answer", "hangup"]
    assert [dial["outcome"] for dial in call["dials"]] == ["caller_gave_up"]


def test_a_report_without_our_dial_id_finds_the_dial_of_its_a_leg(server: Server) -> None:
    call_uuid = new_uuid()
    server.plivo("POST", "/dialstatus/", inbound(call_uuid))

    server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid))

    [dial] = server.api(f"/calls/{call_uuid}").json()["dials"]
    assert (dial["outcome"], dial["targets"]) == ("missed", ["+14155550123"])


def test_a_repeated_question_gets_the_first_answer_again(server: Server) -> None:
    asked = inbound(new_uuid())

    first, second = (server.plivo("POST", "/dialstatus/", asked) for _ in range(2))

    assert first.body == second.body
    [receipt] = server.api(f"/calls/{asked['CallUUID']}").json()["receipts"]
    assert receipt["deliveries"] == 2


def test_every_error_on_plivos_routes_is_xml(server: Server) -> None:
    assert_xml(server.plivo("POST", "/dialstatus/", inbound(new_uuid()), token=None), 403)
    assert_xml(server.plivo("POST", "/dialstatus/", inbound(new_uuid()), token="another"), 403)
    assert_xml(server.plivo("POST", "/dialstatus/nowhere/", {}), 404)
    for target in ("/dialstatus/", "/dialstatus", "/dialstatus/action/", "/dialstatus/action"):
        for method in ("DELETE", "PUT", "OPTIONS"):
            assert_xml(server.request(method, target), 405)
    assert_xml(server.plivo("POST", "/dialstatus/", {"CallUUID": "x" * 70_000}), 413)
    assert_xml(server.request("POST", "/dialstatus/", "{", {"Content-Type": "application/json"}), 403)
    assert_xml(server.plivo("POST", "/dialstatus/", [("a", "b")] * 501), 400)


def test_what_is_refused_is_logged_and_not_kept(server: Server) -> None:
    call_uuid = new_uuid()

    server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid), token="another")

    assert server.api(f"/calls/{call_uuid}").status == 404
    [line] = until(lambda: server.events("signature_refused"))
    assert (line["signature"], line["kind"]) == ("invalid", "action")
    assert line["reason"].startswith("token")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_phlo_reports_by_any_method_with_its_bearer_token(start_server: object, sqlite_url: str, method: str) -> None:
    assert callable(start_server)
    server: Server = start_server(DATABASE_URL=sqlite_url, PHLO_TOKEN="a-token-of-the-phlo")
    headers = {"Authorization": "Bearer a-token-of-the-phlo", "Content-Type": "application/json"}
    body = '{"DialStatus": "completed", "DialALegUUID": "a-leg", "DialBLegUUID": "", "DialRingStatus": null}'
    target = "/dialstatus/phlo/?DialHangupCause=NORMAL_CLEARING"

    refused = server.request(method, target, body, {**headers, "Authorization": "Bearer another-token-of-it"})
    reply = server.request(method, target, body, headers)

    assert refused.status == 403
    assert reply.status == 200
    recorded = reply.json()
    assert recorded["recorded"] is True
    dial = server.api(f"/dials/{recorded['dial_id']}").json()
    assert (dial["dial_status"], dial["a_leg_uuid"], dial["signature"]) == ("completed", "a-leg", "bearer")
