"""Voicemail that Plivo writes down: the text joins the message, in whatever order the two reports come."""

import itertools

import pytest

from tests.field.conftest import App, Line, read

PLAN = """
routes.main.ending = "box"
[endings.box]
voicemail = "Speak."
transcription = true
"""
RECORDED = {"RecordingID": "message-1", "RecordUrl": "https://media.example/1.mp3", "RecordingDurationMs": "9000"}
WRITTEN = {
    "recording_id": "message-1",
    "transcription": " Call me back.\x00 ",
    "transcription_charge": "0.05",
    "transcription_rate": "0.05",
    "duration": "9",
    "error": "",
}


@pytest.mark.parametrize("order", list(itertools.permutations(("action", "notice", "text"))))
def test_a_transcription_joins_its_message_in_any_order(make_app: App, order: tuple[str, ...]) -> None:
    line = Line(make_app(PLAN)).answer()
    assert 'transcriptionType="auto"' in line.reply
    assert line.url("transcriptionUrl") == line.url("callbackUrl")
    action, notice = line.url("action"), line.url("callbackUrl")
    for report in order:
        if report == "text":
            line.post(notice, call_uuid=line.call_uuid, **WRITTEN)
        else:
            line.post(action if report == "action" else notice, **line.standard("in-progress"), **RECORDED)
    line.hangup()

    call = read(line.app, f"/api/v1/calls/{line.call_uuid}")["call"]

    assert call["outcome"] == "message_left"
    assert call["message"]["transcription"] == "Call me back.\ufffd"


def test_a_failed_transcription_leaves_the_message_without_text(make_app: App) -> None:
    line = Line(make_app(PLAN)).answer()
    line.post(line.url("callbackUrl"), **line.standard("in-progress"), **RECORDED)
    line.post(
        line.url("callbackUrl"), call_uuid=line.call_uuid, **{**WRITTEN, "transcription": "", "error": "too short"}
    )
    line.hangup()

    assert read(line.app, f"/api/v1/calls/{line.call_uuid}")["call"]["message"]["transcription"] is None
