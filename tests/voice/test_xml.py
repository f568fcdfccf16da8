"""The elements write what Plivo documents, and refuse what Plivo would."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.voice import xml
from app.voice.xml import Dial, Hangup, Number, Play, Record, Redirect, Speak, User, Wait, XmlError, render

ONE = (Number(number="+14155550100"),)


def test_a_document_without_children_is_the_empty_response() -> None:
    assert render() == xml.EMPTY == "<Response/>"


def test_every_attribute_of_a_dial_is_written_under_plivos_name() -> None:
    document = render(
        Dial(
            targets=ONE,
            action="https://a.example/action/?dial=1&step=2#rc=2",
            method="POST",
            redirect=False,
            callback_url="https://a.example/callback/",
            callback_method="GET",
            timeout=20,
            time_limit=3600,
            caller_id="+14155550199",
            caller_name="Front desk",
            confirm_sound="https://a.example/confirm/",
            confirm_key="1",
            confirm_timeout=10,
            dial_music="real",
            hangup_on_star=True,
            digits_match=("1", "*9"),
            digits_match_b_leg=("##",),
            sip_headers=(("Team", "Sales"), ("Level", "2")),
            machine_detection=True,
            call_type="voice",
        )
    )

    assert ElementTree.fromstring(document)[0].attrib == {
        "action": "https://a.example/action/?dial=1&step=2#rc=2",
        "method": "POST",
        "redirect": "false",
        "callbackUrl": "https://a.example/callback/",
        "callbackMethod": "GET",
        "timeout": "20",
        "timeLimit": "3600",
        "callerId": "+14155550199",
        "callerName": "Front desk",
        "confirmSound": "https://a.example/confirm/",
        "confirmKey": "1",
        "confirmTimeout": "10",
        "dialMusic": "real",
        "hangupOnStar": "true",
        "digitsMatch": "1,*9",
        "digitsMatchBLeg": "##",
        "sipHeaders": "Team=Sales,Level=2",
        "machineDetection": "true",
        "callType": "voice",
    }


def test_targets_carry_the_attributes_the_sdk_lacks() -> None:
    number = Number(
        number="+14155550100",
        send_digits="wW12#",
        send_on_preanswer=True,
        send_digits_mode="rfc2833",
        sip_headers=(("Team", "Sales"),),
        caller_id="+14155550199",
        caller_name="Shop",
    )
    user = User(
        address="sip:alice@phone.plivo.com",
        send_digits="1",
        send_on_preanswer=False,
        sip_headers=(("Team", "Sales"),),
        sip_auth_username="alice",
        sip_auth_password="eight888",
        caller_id="sip:shop@phone.plivo.com",
        caller_name="Shop",
    )

    dial = ElementTree.fromstring(render(Dial(targets=(number, user))))[0]

    assert [(child.tag, child.text) for child in dial] == [
        ("Number", "+14155550100"),
        ("User", "sip:alice@phone.plivo.com"),
    ]
    assert dial[0].attrib == {
        "sendDigits": "wW12#",
        "sendOnPreanswer": "true",
        "sendDigitsMode": "rfc2833",
        "sipHeaders": "Team=Sales",
        "callerId": "+14155550199",
        "callerName": "Shop",
    }
    assert dial[1].attrib == {
        "sendDigits": "1",
        "sendOnPreanswer": "false",
        "sipHeaders": "Team=Sales",
        "sipAuthUsername": "alice",
        "sipAuthPassword": "eight888",
        "callerId": "sip:shop@phone.plivo.com",
        "callerName": "Shop",
    }


def test_the_other_elements_write_all_they_hold() -> None:
    document = render(
        Speak(text="Hello", voice="Polly.Amy", language="en-GB", loop=2),
        Play(url="https://a.example/hello.mp3", loop=3),
        Wait(length=2, silence=True, min_silence=500, beep=True),
        Record(
            action="https://a.example/voicemail/",
            method="POST",
            redirect=False,
            callback_url="https://a.example/recording/",
            callback_method="POST",
            file_format="wav",
            timeout=5,
            max_length=120,
            play_beep=True,
            finish_on_key="#*",
            record_session=False,
            start_on_dial_answer=True,
        ),
        Redirect(url="https://a.example/next/", method="GET"),
        Hangup(reason="busy", schedule=60),
    )

    assert document == (
        '<Response><Speak voice="Polly.Amy" language="en-GB" loop="2">Hello</Speak>'
        '<Play loop="3">https://a.example/hello.mp3</Play>'
        '<Wait length="2" silence="true" minSilence="500" beep="true"/>'
        '<Record action="https://a.example/voicemail/" method="POST" fileFormat="wav" redirect="false"'
        ' timeout="5" maxLength="120" playBeep="true" finishOnKey="#*" recordSession="false"'
        ' startOnDialAnswer="true" callbackUrl="https://a.example/recording/" callbackMethod="POST"/>'
        '<Redirect method="GET">https://a.example/next/</Redirect>'
        '<Hangup reason="busy" schedule="60"/></Response>'
    )


def test_empty_lists_are_not_written() -> None:
    target = Number(number="+14155550100", sip_headers=())

    document = render(Dial(targets=(target,), sip_headers=(), digits_match=()))

    assert document == "<Response><Dial><Number>+14155550100</Number></Dial></Response>"


def test_the_text_false_is_refused_where_the_sdk_would_write_true() -> None:
    with pytest.raises(XmlError, match="Dial redirect is 'false'; write true or false"):
        Dial(targets=ONE, redirect="false")  # type: ignore[arg-type]


REFUSED: dict[str, Callable[[], object]] = {
    "Number number is ''": lambda: Number(number=""),
    "Number number is '+14155550100\\n'": lambda: Number(number="+14155550100\n"),
    "Number number is '014155550100'": lambda: Number(number="014155550100"),
    "Number number is '١٤١٥٥٥٥٠١٠٠'": lambda: Number(number="١٤١٥٥٥٥٠١٠٠"),
    "User address is 'alice'": lambda: User(address="alice"),
    "User address is 'sip:a b@c'": lambda: User(address="sip:a b@c"),
    "sipAuthUsername and sipAuthPassword need": lambda: User(address="sip:a@b", sip_auth_username="a"),
    "User sipAuthPassword has the wrong length": lambda: User(
        address="sip:a@b", sip_auth_username="a", sip_auth_password="seven77"
    ),
    "give at least one Number or User": lambda: Dial(targets=()),
    "Dial action is '/action/'": lambda: Dial(targets=ONE, action="/action/"),
    "Dial action is 'https://'": lambda: Dial(targets=ONE, action="https://"),
    "Dial action is 'ftp://a.example/'": lambda: Dial(targets=ONE, action="ftp://a.example/"),
    "Dial action is 'https://a.example/ b'": lambda: Dial(targets=ONE, action="https://a.example/ b"),
    "Dial action is 'https://a.example:99999/'": lambda: Dial(targets=ONE, action="https://a.example:99999/"),
    "Dial method is 'post'": lambda: Dial(targets=ONE, method="post"),
    "Dial timeout is 0": lambda: Dial(targets=ONE, timeout=0),
    "Dial timeout is 601": lambda: Dial(targets=ONE, timeout=601),
    "Dial timeout is True": lambda: Dial(targets=ONE, timeout=True),
    "Dial timeLimit is 86401": lambda: Dial(targets=ONE, time_limit=86_401),
    "Dial callerId is 'me'": lambda: Dial(targets=ONE, caller_id="me"),
    "Dial callerName has 51 characters": lambda: Dial(targets=ONE, caller_name="x" * 51),
    "Dial callerName is 'a\\nb'; write one line": lambda: Dial(targets=ONE, caller_name="a\nb"),
    "User sipAuthUsername is ' a'": lambda: User(
        address="sip:a@b", sip_auth_username=" a", sip_auth_password="eight888"
    ),
    "User sipAuthPassword has spaces": lambda: User(
        address="sip:a@b", sip_auth_username="a", sip_auth_password="eight888\n"
    ),
    "Dial confirmKey is '12'": lambda: Dial(targets=ONE, confirm_sound="https://a.example/", confirm_key="12"),
    "Dial confirmKey needs confirmSound": lambda: Dial(targets=ONE, confirm_key="1"),
    "Dial confirmTimeout needs confirmSound": lambda: Dial(targets=ONE, confirm_timeout=5),
    "Dial dialMusic is 'realMusic'": lambda: Dial(targets=ONE, dial_music="realMusic"),
    "Dial digitsMatch is": lambda: Dial(targets=ONE, digits_match=("1,2",), callback_url="https://a.example/"),
    "Dial digitsMatch needs callbackUrl": lambda: Dial(targets=ONE, digits_match=("1",)),
    "PlivoTeam is a name Plivo keeps": lambda: Dial(targets=ONE, sip_headers=(("PlivoTeam", "1"),)),
    "CLIENTREGION is a name Plivo keeps": lambda: Dial(targets=ONE, sip_headers=(("CLIENTREGION", "1"),)),
    "X-PH-Team=1 may hold": lambda: Dial(targets=ONE, sip_headers=(("X-PH-Team", "1"),)),
    "Dial sipHeaders is {'A': '1'}": lambda: Dial(targets=ONE, sip_headers={"A": "1"}),  # type: ignore[arg-type]
    "Dial callType is 'video'": lambda: Dial(targets=ONE, call_type="video"),
    "Speak text is ' '": lambda: Speak(text=" "),
    "Speak voice is 'ROBOT'": lambda: Speak(text="a", voice="ROBOT"),
    "Speak language is 'english please'": lambda: Speak(text="a", language="english please"),
    "Play url is 'hello.mp3'": lambda: Play(url="hello.mp3"),
    "Record fileFormat is 'ogg'": lambda: Record(file_format="ogg"),
    "Hangup reason is 'no'": lambda: Hangup(reason="no"),
    "stands outside a Dial": lambda: render(ONE[0]),
    "stands in a prompt": lambda: xml.render_prompt(Hangup()),  # type: ignore[arg-type]
    "Plivo takes at most": lambda: render(Speak(text="é" * 50_001)),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_plivo_would_refuse_is_refused_with_a_sentence(sentence: str) -> None:
    with pytest.raises(XmlError) as refused:
        REFUSED[sentence]()

    assert sentence in str(refused.value)


def test_a_password_appears_in_no_error_and_no_representation() -> None:
    user = User(address="sip:a@b", sip_auth_username="a", sip_auth_password="topsecret")

    with pytest.raises(XmlError) as refused:
        User(address="sip:a@b", sip_auth_username="a", sip_auth_password="secret")

    assert "secret" not in str(refused.value)
    assert "topsecret" not in repr(user)


def test_a_prompt_may_speak_play_and_wait() -> None:
    assert xml.render_prompt(Speak(text="Press 1"), Wait(length=1)) == (
        '<Response><Speak>Press 1</Speak><Wait length="1"/></Response>'
    )


def test_the_sdks_own_marker_survives_in_text() -> None:
    assert ElementTree.fromstring(render(Speak(text="a<cont>b</cont>")))[0].text == "a<cont>b</cont>"


@given(st.text(alphabet=st.characters(), min_size=0, max_size=40))
def test_any_text_gives_a_well_formed_document(anything: str) -> None:
    spoken = "Hello" + anything + "."

    document = render(Speak(text=spoken))

    said = ElementTree.fromstring(document.encode())[0].text or ""
    assert said.startswith("Hello")
    assert said.endswith(".")
    assert all(ord(character) >= 32 or character in "\t\n\r" for character in said)


def test_control_characters_and_lone_surrogates_are_left_out() -> None:
    assert render(Speak(text="a\x00\x08\ud800\ufffeb")) == "<Response><Speak>ab</Speak></Response>"
