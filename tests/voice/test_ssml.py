"""SSML is taken as far as Plivo's Speak takes it, and refused with a sentence beyond."""

import pytest

from app.voice.ssml import SsmlError, has_markup, parse_ssml, spoken_text
from app.voice.xml import Speak, XmlError, render


@pytest.mark.parametrize(
    "markup",
    [
        "Plain text.",
        'One<break/>two<break time="500ms"/>three<break strength="x-strong"/>.',
        '<emphasis level="strong">Now</emphasis>',
        '<lang xml:lang="fr-FR">Bonjour</lang>',
        "<p><s>One.</s><s>Two.</s></p>",
        '<phoneme alphabet="ipa" ph="pɪˈkɑːn">pecan</phoneme>',
        '<prosody volume="+6dB" rate="90%" pitch="-5%">Low and slow</prosody>',
        'Call <say-as interpret-as="telephone">4155550100</say-as>',
        '<say-as interpret-as="date" format="mdy">12/31/2026</say-as>',
        '<sub alias="World Wide Web Consortium">W3C</sub>',
        'I <w role="amazon:VBD">read</w> it',
        '<speak xml:lang="en-US" version="1.1">With a root</speak>',
    ],
)
def test_plivos_tags_are_written_as_they_stand(markup: str) -> None:
    document = render(Speak(ssml=markup, voice="Polly.Amy"))

    inner = document.removeprefix('<Response><Speak voice="Polly.Amy">').removesuffix("</Speak></Response>")
    assert spoken_text(parse_ssml(inner)) == spoken_text(parse_ssml(markup))
    assert [element.tag for element in parse_ssml(inner).iter()] == [
        element.tag for element in parse_ssml(markup).iter()
    ]


@pytest.mark.parametrize(
    ("markup", "sentence"),
    [
        ("a & b", "it is not well-formed XML"),
        ("<p>open", "it is not well-formed XML"),
        ("<!DOCTYPE a>b", "<! and <? cannot stand in SSML; write tags and text alone"),
        ("<?xml version='1.0'?><speak>a</speak>", "<! and <? cannot stand in SSML"),
        ("<break/>", "there is nothing to say in it; write some text"),
        ("<Break/>a", "<Break> is no tag of Plivo's; write break, emphasis, lang, p, phoneme"),
        ("<cont>a</cont>", "<cont> is no tag of Plivo's"),
        ("<p><p>a</p></p>", "<p> cannot stand in <p>; write it outside"),
        ("<sub alias='b'><break/>a</sub>", "<break> cannot stand in <sub>; write it outside"),
        ("<break>a</break>", '<break> holds text; write <break time="1s"/> and the text after it'),
        ("a<break time='soon'/>", "time of <break> is 'soon'; write"),
        ("a<break length='1s'/>", "<break> has no attribute length; remove it"),
        ("<emphasis level='huge'>a</emphasis>", "level of <emphasis> is 'huge'; write strong, moderate, none, reduced"),
        ("<lang>a</lang>", "<lang> needs xml:lang; write it"),
        ("<lang xml:lang='xx-YY'>a</lang>", "xml:lang of <lang> is 'xx-YY'; write arb, cmn-CN"),
        ("<say-as>1</say-as>", "<say-as> needs interpret-as; write it"),
        ("<w role=''>a</w>", "role of <w> is ''; write some text"),
        ("<speak xmlns='http://www.w3.org/2001/10/synthesis'>a</speak>", "xmlns is no attribute that Plivo takes"),
    ],
)
def test_what_plivo_does_not_take_is_refused_with_a_sentence(markup: str, sentence: str) -> None:
    with pytest.raises(SsmlError) as refused:
        parse_ssml(markup)

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "text", ["<speak>a</speak>", "a <break time='1s'/> b", "a<BR/><P>", "<amazon:effect name='x'>"]
)
def test_a_text_with_a_tag_has_markup(text: str) -> None:
    assert has_markup(text)


@pytest.mark.parametrize("text", ["a < b", "No & never <again>.", "<3", "x<y>z", "press <1>"])
def test_a_text_without_a_tag_has_none(text: str) -> None:
    assert not has_markup(text)


def test_ssml_needs_a_polly_voice_and_no_text_beside_it() -> None:
    with pytest.raises(XmlError, match="Speak has SSML and voice None; write a Polly voice"):
        Speak(ssml="a")
    with pytest.raises(XmlError, match="not exactly one of text and ssml"):
        Speak(ssml="a", text="a", voice="Polly.Amy")
    with pytest.raises(XmlError, match="not exactly one of text and ssml"):
        Speak()


def test_tags_do_not_count_among_the_characters_that_polly_reads() -> None:
    assert render(Speak(ssml="<s>" + "x" * 3000 + "</s>", voice="Polly.Amy"))
    with pytest.raises(XmlError, match="the text has 3001 characters"):
        Speak(ssml="<s>" + "x" * 3001 + "</s>", voice="Polly.Amy")
