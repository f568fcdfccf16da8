"""The parser is as strict as Plivo's, and names the wrong byte."""

import pytest
from plivo import plivoxml

from app.simulator.xml.parser import LARGEST_REPLY, DocumentError, read_document
from app.voice.speech import POLLY_LANGUAGES, VOICES

DIAL = b"<Response><Dial %s><Number>+14155550123</Number></Dial></Response>"


@pytest.mark.parametrize(
    ("body", "byte", "expected"),
    [
        (b"OK", 0, "not XML"),
        (b"", 0, "empty"),
        (b"   ", 0, "empty"),
        (b"<!doctype html><html></html>", 0, "not XML"),
        (b"<html><body>hello</body></html>", 0, "the root is <html>"),
        (b"<response/>", 0, "the root is <response>"),
        (b"<Response><Say>Hello</Say></Response>", 10, "<Say> cannot stand in <Response>"),
        (b"<Response><Speak>a & b</Speak></Response>", 19, "not XML"),
        (b"<Response/><Response/>", 11, "junk"),
        (b"<Response><Number>+14155550123</Number></Response>", 10, "<Number> cannot stand"),
        (b"<Response><Dial/></Response>", 10, "<Dial> holds no Number or User"),
        (b"<Response><Dial><Number/></Dial></Response>", 16, "<Number> holds ''"),
        (b"<Response><Dial><Number>555 1234</Number></Dial></Response>", 16, "'555 1234'"),
        (b"<Response><Dial><User>alice</User></Dial></Response>", 16, "'alice'"),
        (b"<Response><Dial><Sip>sip:a@b.example</Sip></Dial></Response>", 16, "<Sip>"),
        (b'<Response><Speak language="de">Guten Tag</Speak></Response>', 17, 'language="de"'),
        (b'<Response><Speak language="xx-YY">Hello</Speak></Response>', 17, 'language="xx-YY"'),
        (b"<Response><Speak></Speak></Response>", 10, "<Speak> holds ''"),
        (b"<Response><Play>/a.mp3</Play></Response>", 10, "'/a.mp3'"),
        (b'<Response><Hangup reason="tired"/></Response>', 18, 'reason="tired"'),
        (b'<!DOCTYPE Response [<!ENTITY a "b">]><Response/>', 0, "DOCTYPE"),
        (b'<?xml version="1.0" encoding="klingon"?><Response/>', 0, "decoded"),
        (b"<Response><Speak>caf\xe9</Speak></Response>", 20, "not XML"),
        (DIAL % b'timeout="soon"', 16, 'timeout="soon"'),
        (DIAL % b'timeout="0"', 16, 'timeout="0"'),
        (DIAL % b'callbackUrl="/callback/"', 16, "callbackUrl"),
        (DIAL % b'callbackMethod="PUT"', 16, "callbackMethod"),
        (DIAL % b'redirect="True"', 16, "redirect"),
        (DIAL % b'timeout="9" confirmKey="12"', 28, "confirmKey"),
        (DIAL % (b'callerName="' + b"x" * 51 + b'"'), 16, "callerName"),
        (DIAL % b'sipHeaders="a-b=c"', 16, "sipHeaders"),
    ],
)
def test_a_wrong_document_is_refused_with_its_byte(body: bytes, byte: int, expected: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_document(body, content_type="application/xml")

    assert expected in caught.value.reason
    assert caught.value.byte == byte
    assert caught.value.advice


@pytest.mark.parametrize("content_type", ["text/xml", "application/xml; charset=utf-8", "Application/XML"])
def test_both_xml_types_are_read(content_type: str) -> None:
    assert read_document(b"<Response/>", content_type=content_type).root.name == "Response"


@pytest.mark.parametrize("content_type", ["text/html", "", "application/json"])
def test_another_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(DocumentError, match="Content-Type"):
        read_document(b"<Response/>", content_type=content_type)


def test_a_document_of_more_than_100_kb_is_refused() -> None:
    body = b"<Response>" + b" " * LARGEST_REPLY + b"</Response>"

    with pytest.raises(DocumentError, match="100 KB"):
        read_document(body, content_type="text/xml")


def test_an_ignored_attribute_is_only_a_remark() -> None:
    document = read_document(DIAL % b'record="true"', content_type="text/xml")

    assert document.remarks == ("byte 16: <Dial> has no attribute record; Plivo ignores it",)


def test_every_documented_attribute_of_a_dial_is_accepted() -> None:
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Dial action="https://a.example/?x=1&amp;y=2#rc=2" '
        b'method="POST" hangupOnStar="true" timeLimit="60" timeout="20" callerId="+15551112222" callerName="Us" '
        b'confirmSound="https://a.example/c" confirmKey="#" confirmTimeout="10" dialMusic="real" redirect="false" '
        b'callbackUrl="https://a.example/cb" callbackMethod="GET" digitsMatch="1,22" digitsMatchBLeg="3" '
        b'sipHeaders="a=b,c=d"><Number sendDigits="wwww2410" sendOnPreanswer="true">+14155550123</Number>'
        b"<User>sip:alice@phone.plivo.com</User></Dial></Response>"
    )

    document = read_document(body, content_type="text/xml")

    assert document.remarks == ()
    assert document.root.children[0].get("action") == "https://a.example/?x=1&y=2#rc=2"


def test_every_listed_language_and_voice_is_accepted() -> None:
    speech = [f'<Speak voice="Polly.*" language="{language}">Hello</Speak>' for language in sorted(POLLY_LANGUAGES)]
    speech += [f'<Speak voice="{voice}" language="en-US">Hello</Speak>' for voice in sorted(VOICES)]
    body = f"<Response>{''.join(speech)}</Response>"

    assert read_document(body.encode(), content_type="text/xml").remarks == ()


@pytest.mark.parametrize(
    "speak",
    [
        '<Speak voice="MAN" language="da-DK">Hej</Speak>',
        '<Speak language="ja-JP">Hello</Speak>',
        '<Speak voice="Polly.Nobody" language="en-US">Hello</Speak>',
        f'<Speak voice="Polly.Amy" language="en-GB">{"x" * 3001}</Speak>',
    ],
)
def test_speech_that_plivo_does_not_list_is_a_remark(speak: str) -> None:
    [remark] = read_document(f"<Response>{speak}</Response>".encode(), content_type="text/xml").remarks

    assert "write" in remark


@pytest.mark.parametrize("beep", ["true", "duration=300", "duration=300,inter_silence=50"])
def test_a_wait_may_beep(beep: str) -> None:
    assert (
        read_document(b'<Response><Wait beep="%s"/></Response>' % beep.encode(), content_type="text/xml").remarks == ()
    )


def test_every_attribute_of_a_multi_party_call_is_known() -> None:
    url = "https://a.example/x"
    call = plivoxml.MultiPartyCallElement(
        content="room",
        role="Agent",
        max_duration=600,
        max_participants=5,
        record_min_member_count=1,
        wait_music_url=url,
        wait_time=0,
        agent_hold_music_url=url,
        customer_hold_music_url=url,
        record=True,
        recording_callback_url=url,
        status_callback_url=url,
        stay_alone=False,
        on_exit_action_url=url,
        start_recording_audio=url,
        stop_recording_audio=url,
        relay_dtmf_inputs=True,
    )
    body = plivoxml.ResponseElement().add(call).to_string(pretty=False)

    assert read_document(body.encode(), content_type="text/xml").remarks == ()


@pytest.mark.parametrize(
    "attributes", ['role="Listener"', 'maxDuration="soon"', 'waitMusicUrl="/music"', 'enterSound="beep:3"']
)
def test_a_wrong_attribute_of_a_multi_party_call_is_refused(attributes: str) -> None:
    body = f"<Response><MultiPartyCall {attributes}>room</MultiPartyCall></Response>"

    with pytest.raises(DocumentError):
        read_document(body.encode(), content_type="text/xml")


def test_a_prompt_holds_only_sounds() -> None:
    good = b"<Response><Speak>Press 1</Speak><Wait/><Play>https://a.example/a.mp3</Play></Response>"
    read_document(good, content_type="text/xml", prompts_only=True)

    with pytest.raises(DocumentError, match="<Hangup>") as caught:
        read_document(b"<Response><Hangup/></Response>", content_type="text/xml", prompts_only=True)

    assert caught.value.byte == 10
