"""A dial plan at work: the real server decides step by step, and the record shows it."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import Reply, Server

PLAN = """
[routes.main]
ending = "message"

[routes.main.steps.desk]
ring = ["+14155550111"]
timeout = 20

[routes.main.steps.mobiles]
ring = ["+14155550112", "sip:alice@phone.plivo.com"]
timeout = 25
confirm_key = "1"
confirm_prompt = "Press 1 to talk."

[routes.main.steps.boss]
ring = ["+14155550113"]
record = true

[endings.message]
voicemail = "Please leave a message."
thanks = "Thank you."
"""


def target(reply: Reply, attribute: str = "action") -> str:
    """Return the path and query of a URL that a reply hands out."""
    parts = urlsplit(reply.attribute(attribute))
    return f"{parts.path}?{parts.query}"


@pytest.fixture
def server(start_server: Callable[..., Server], database_url: str, tmp_path: Path) -> Server:
    """Start a server with a plan of three steps."""
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    return start_server(DATABASE_URL=database_url, DIAL_PLAN=plan)


def test_three_steps_missed_busy_answered_are_three_dials_of_one_call(server: Server) -> None:
    call_uuid = new_uuid()

    first = server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    second = server.plivo("POST", target(first), dial_report(call_uuid, "no-answer"))
    third = server.plivo("POST", target(second), {**dial_report(call_uuid, "busy"), "DialHangupCause": "USER_BUSY"})
    last = server.plivo("POST", target(third), dial_report(call_uuid, "completed", "the-b-leg"))

    assert "+14155550111" in first.body
    assert "<User>sip:alice@phone.plivo.com</User>" in second.body
    assert 'confirmKey="1"' in second.body
    assert third.body.index("<Record ") < third.body.index("<Dial ")
    assert last.body == "<Response/>"
    call = server.api(f"/calls/{call_uuid}").json()
    told = [(dial["step"], dial["outcome"]) for dial in sorted(call["dials"], key=lambda dial: dial["round"])]
    assert told == [("desk", "missed"), ("mobiles", "busy"), ("boss", "answered")]
    assert [receipt["kind"] for receipt in call["receipts"]] == ["answer", "action", "action", "action"]


def test_a_repeated_report_gets_the_same_reply_byte_for_byte(server: Server) -> None:
    call_uuid = new_uuid()
    first = server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    report = dial_report(call_uuid, "no-answer")

    replies = [server.plivo("POST", target(first), report).body for _ in range(3)]

    assert replies[0] == replies[1] == replies[2]
    assert "+14155550112" in replies[0]


def test_an_altered_step_leads_to_the_ending_and_not_to_another_step(server: Server) -> None:
    call_uuid = new_uuid()
    first = server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    altered = target(first).replace("step=desk", "step=mobiles")

    reply = server.plivo("POST", altered, dial_report(call_uuid, "no-answer"))

    assert "Please leave a message." in reply.body
    assert "<Dial" not in reply.body


def test_a_caller_who_has_hung_up_gets_an_empty_response(server: Server) -> None:
    call_uuid = new_uuid()
    first = server.plivo("POST", "/dialstatus/", inbound(call_uuid))

    reply = server.plivo(
        "POST", target(first), {**dial_report(call_uuid, "cancel"), "DialHangupCause": "ORIGINATOR_CANCEL"}
    )

    assert reply.body == "<Response/>"
    assert [dial["outcome"] for dial in server.api(f"/calls/{call_uuid}").json()["dials"]] == ["caller_gave_up"]


def test_a_callee_is_told_which_key_takes_the_call(server: Server) -> None:
    call_uuid = new_uuid()
    first = server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    second = server.plivo("POST", target(first), dial_report(call_uuid, "no-answer"))

    prompt = server.plivo("POST", target(second, "confirmSound"), {"CallUUID": "the-b-leg", "From": "1", "To": "2"})

    assert prompt.body == "<Response><Speak>Press 1 to talk.</Speak></Response>"
    call = server.api(f"/calls/{call_uuid}").json()
    assert [receipt["kind"] for receipt in call["receipts"]] == ["answer", "action", "confirm"]
    assert call["call"]["from"] == "+14155550100"
    assert server.api("/calls/the-b-leg").status == 404


def test_a_message_that_was_left_is_on_the_record(server: Server) -> None:
    call_uuid = new_uuid()
    reply = server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    for _ in range(3):
        reply = server.plivo("POST", target(reply), dial_report(call_uuid, "no-answer"))
    recorded = {"RecordingID": "a-recording", "RecordUrl": "https://media.example.com/a.mp3"}

    thanks = server.plivo("POST", target(reply), inbound(call_uuid, RecordingDurationMs="4200", Digits="#", **recorded))
    server.plivo("POST", target(reply, "callbackUrl"), inbound(call_uuid, RecordingDurationMs="4200", **recorded))

    assert "Thank you." in thanks.body
    assert "<Hangup" in thanks.body
    [recording] = server.api(f"/calls/{call_uuid}").json()["recordings"]
    assert (recording["recording_id"], recording["url"], recording["milliseconds"]) == (
        "a-recording",
        "https://media.example.com/a.mp3",
        4200,
    )


def test_a_plan_edited_in_mid_call_leads_to_its_ending(server: Server, tmp_path: Path) -> None:
    call_uuid = new_uuid()
    first = server.plivo("POST", "/dialstatus/", inbound(call_uuid))
    server.stop()
    (tmp_path / "plan.toml").write_text(PLAN.replace("steps.desk", "steps.reception"))
    server.start()

    reply = server.plivo("POST", target(first), dial_report(call_uuid, "no-answer"))

    assert "Please leave a message." in reply.body


def test_a_mistake_in_the_plan_stops_the_server_with_a_sentence(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.replace("timeout = 20", "timeout = 0"))

    with pytest.raises(AssertionError, match=r"plan\.toml") as stopped:
        start_server(DIAL_PLAN=plan)

    assert "timeout" in str(stopped.value)
    assert "Traceback" not in str(stopped.value)


def test_music_and_announcements_are_documents_of_this_server(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text("""
        [routes.main.steps.desk]
        ring = ["+14155550111"]
        dial_music = { play = "https://example.com/hold.mp3", times = 0 }
        confirm_prompt = [
            "A call.", { pause = 1 },
            { ssml = "Press <emphasis>any</emphasis> key", voice = "Polly.Amy" },
        ]
        """)
    server = start_server(DIAL_PLAN=plan)
    first = server.plivo("POST", "/dialstatus/", inbound(new_uuid()))

    music = server.plivo("POST", target(first, "dialMusic"), inbound(new_uuid()))
    prompt = server.plivo("POST", target(first, "confirmSound"), inbound(new_uuid()))

    assert target(first, "dialMusic").startswith("/dialstatus/music/?dial=")
    assert music.body == '<Response><Play loop="0">https://example.com/hold.mp3</Play></Response>'
    assert music.content_type.startswith("application/xml")
    assert prompt.body == (
        '<Response><Speak>A call.</Speak><Wait length="1" /><Speak voice="Polly.Amy">Press <emphasis>any</emphasis> key'
        "</Speak></Response>"
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/dialstatus/music", "/dialstatus/music/", "/dialstatus/music/?route=main&step=desk"])
def test_music_without_a_valid_ticket_is_an_empty_document(server: Server, method: str, path: str) -> None:
    reply = server.plivo(method, path, inbound(new_uuid()))

    assert (reply.status, reply.body) == (200, "<Response/>")


def test_an_audio_file_beside_the_plan_is_served_as_it_is(start_server: Callable[..., Server], tmp_path: Path) -> None:
    audio = b"ID3" + bytes(range(256)) * 300
    (tmp_path / "hold.mp3").write_bytes(audio)
    (tmp_path / "secret.mp3").write_bytes(audio)
    plan = tmp_path / "plan.toml"
    plan.write_text('[routes.main.steps.a]\nring = ["+14155550111"]\ndial_music = { play = "hold.mp3" }')
    server = start_server(DIAL_PLAN=plan, VERIFY_SIGNATURES="enforce")
    first = server.plivo("POST", "/dialstatus/", inbound(new_uuid()))
    music = server.plivo("POST", target(first, "dialMusic"), inbound(new_uuid()))

    assert re.fullmatch(r"<Response><Play>https?://[^/]+/dialstatus/music/hold\.mp3</Play></Response>", music.body)
    assert server.request("POST", target(first, "dialMusic")).status == 403
    for method in ("GET", "POST"):
        for path in ("/dialstatus/music/hold.mp3", "/dialstatus/music/hold.mp3/"):
            assert fetched(server, path, method) == (200, audio, "audio/mpeg")
        for name in ("secret.mp3", "plan.toml", "..%2fplan.toml", "%2e%2e%2fplan.toml", "hold.wav"):
            reply = server.request(method, f"/dialstatus/music/{name}")
            assert (reply.status, reply.body, reply.content_type) == (404, "<Response/>", "application/xml")
    part = fetched(server, "/dialstatus/music/hold.mp3", "GET", Range="bytes=3-5")
    assert part == (206, b"\x00\x01\x02", "audio/mpeg")


def fetched(server: Server, path: str, method: str, **headers: str) -> tuple[int, bytes, str]:
    asked = Request(server.url + path, method=method, headers=headers)
    with urlopen(asked, timeout=10) as reply:
        return reply.status, reply.read(), reply.headers["Content-Type"]
