"""Plivo's XML: the plivo SDK's elements, with the attributes they lack and the checks they forget.

An element checks itself when it is made and raises `XmlError` with one sentence; `render` writes the
document. Fields are Plivo's attributes in snake case (`time_limit` is written `timeLimit`); a field left
at None is not written, so Plivo's own default holds.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from plivo import plivoxml

from app.voice import xml_values as values
from app.voice.speech import is_polly, language_problem, length_problem
from app.voice.ssml import parse_ssml, spoken_text
from app.voice.xml_dial import Dial, Number, User
from app.voice.xml_element import Element, optional, required
from app.voice.xml_values import XmlError

__all__ = [
    "EMPTY",
    "MAX_DOCUMENT_BYTES",
    "Dial",
    "Element",
    "Hangup",
    "Number",
    "Play",
    "PreAnswer",
    "Record",
    "Redirect",
    "Speak",
    "User",
    "Wait",
    "XmlError",
    "render",
    "render_prompt",
]

EMPTY = "<Response/>"
MAX_DOCUMENT_BYTES = 100_000
"""Plivo takes at most 100 KB (Plivo, XML request reference); counted as the smaller 1000s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Speak(Element):
    """Read a text, or SSML with a Polly voice, aloud; loop 0 repeats it until the call ends (Plivo, audio output)."""

    sdk = plivoxml.SpeakElement
    body = "text"
    markup = "ssml"

    text: str | None = optional(values.text)
    ssml: str | None = optional(values.ssml)
    voice: str | None = optional(values.voice)
    language: str | None = optional(values.language)
    loop: int | None = optional(values.count)

    def check_together(self) -> None:
        if (self.text is None) == (self.ssml is None):
            raise XmlError("Speak holds not exactly one of text and ssml; write one of them")
        if self.ssml is not None and not is_polly(self.voice):
            raise XmlError(f"Speak has SSML and voice {self.voice}; write a Polly voice such as Polly.Amy")
        spoken = self.text if self.ssml is None else spoken_text(parse_ssml(self.ssml))
        problem = length_problem(spoken or "", self.voice)
        if self.language is not None:
            problem = language_problem(self.language, self.voice) or problem
        if problem is not None:
            raise XmlError(f"Speak: {problem}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Play(Element):
    """Play an MP3 or WAV file; loop 0 repeats it until the call ends (Plivo, audio output)."""

    sdk = plivoxml.PlayElement
    body = "url"

    url: str = required(values.audio_url)
    loop: int | None = optional(values.count)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait(Element):
    """Stay silent for `length` seconds (Plivo, Wait XML reference); Wait does not answer the call."""

    sdk = plivoxml.WaitElement

    length: int | None = optional(values.between(1, 3600))
    silence: bool | None = optional(values.flag)
    min_silence: int | None = optional(values.between(1, 60_000, "milliseconds"))
    beep: bool | None = optional(values.flag)


def _prompts(label: str, value: object) -> tuple[Any, ...]:
    if not isinstance(value, tuple) or not value or not all(isinstance(item, Speak | Play | Wait) for item in value):
        raise XmlError(f"{label} is {value!r}; give at least one Speak, Play or Wait")
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class PreAnswer(Element):
    """Let the caller hear a prompt before the call is answered, where their carrier passes it on (Plivo, PreAnswer)."""

    sdk = plivoxml.PreAnswerElement
    nested = "prompts"

    prompts: tuple[Speak | Play | Wait, ...] = required(_prompts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record(Element):
    """Record the caller, or with `start_on_dial_answer` the call a following Dial makes.

    `timeout` is the silence in seconds that ends the recording, `max_length` its longest duration in
    seconds (Plivo, Record XML reference: 15 and 60 by default, `max_length` greater than 1).
    """

    sdk = plivoxml.RecordElement

    action: str | None = optional(values.url)
    method: str | None = optional(values.method)
    redirect: bool | None = optional(values.flag)
    callback_url: str | None = optional(values.url)
    callback_method: str | None = optional(values.method)
    file_format: str | None = optional(values.matching("mp3|wav", "mp3 or wav"))
    timeout: int | None = optional(values.between(1, 3600))
    max_length: int | None = optional(values.between(values.MIN_RECORDED_SECONDS, values.MAX_TIME_LIMIT_SECONDS))
    play_beep: bool | None = optional(values.flag)
    finish_on_key: str | None = optional(values.finish_keys)
    record_session: bool | None = optional(values.flag)
    start_on_dial_answer: bool | None = optional(values.flag)
    record_channel_type: str | None = optional(values.matching("mono|stereo", "mono or stereo"))
    transcription_type: str | None = optional(values.matching("auto", "auto"))
    transcription_url: str | None = optional(values.url)
    transcription_method: str | None = optional(values.method)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hangup(Element):
    """End the call; a reason is heard as busy or rejected only while nobody has answered."""

    sdk = plivoxml.HangupElement

    reason: str | None = optional(values.matching("busy|rejected", "busy or rejected"))
    schedule: int | None = optional(values.between(1, values.MAX_TIME_LIMIT_SECONDS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Redirect(Element):
    """Go on with the document found at another URL (Plivo, Redirect XML reference)."""

    sdk = plivoxml.RedirectElement
    body = "url"

    url: str = required(values.url)
    method: str | None = optional(values.method)


def render(*children: Element) -> str:
    """Return one `<Response>` with these children: compact and well-formed.

    Raises `XmlError` for a document above 100 KB, and for a Number or User outside a Dial.
    """
    response = plivoxml.ResponseElement()
    for child in children:
        if isinstance(child, Number | User):
            raise XmlError(f"{type(child).__name__} stands outside a Dial; put it among the Dial's targets")
        response.add(child.to_sdk())
    document: str = response.to_string(pretty=False)
    spoken = [child for child in _spread(children) if isinstance(child, Speak)]
    if any(speak.ssml for speak in spoken):
        document = _with_ssml(document, spoken)
    size = len(document.encode())
    if size > MAX_DOCUMENT_BYTES:
        raise XmlError(f"the document has {size} bytes; Plivo takes at most {MAX_DOCUMENT_BYTES}")
    return document


def _spread(children: tuple[Element, ...]) -> Iterator[Element]:
    for child in children:
        yield from child.prompts if isinstance(child, PreAnswer) else (child,)


def _with_ssml(document: str, spoken: list[Speak]) -> str:
    """Put the markup into its Speak elements: the SDK cannot write text between nested tags."""
    root = ElementTree.fromstring(document)  # noqa: S314 - The SDK has just written it.
    for element, child in zip(list(root.iter("Speak")), spoken, strict=True):
        if child.ssml is not None:
            speech = parse_ssml(child.ssml)
            element.text = speech.text
            element.extend(speech)
    return ElementTree.tostring(root, encoding="unicode")


def render_prompt(*children: Speak | Play | Wait) -> str:
    """Return a document that is heard while a callee is asked, or while it rings: Speak, Play and Wait alone."""
    for child in children:
        if not isinstance(child, Speak | Play | Wait):
            raise XmlError(f"{type(child).__name__} stands in a prompt; use Speak, Play or Wait there")
    return render(*children)


def plays_before_dialling(document: str) -> bool:
    """Return whether the caller hears something in a document before its Dial rings anybody."""
    before, dial, _ = document.partition("<Dial")
    return bool(dial) and any(element in before for element in ("<Speak", "<Play", "<Wait"))
