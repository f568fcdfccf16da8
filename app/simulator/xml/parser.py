"""Parse a reply as strictly as Plivo does; an error names the wrong byte and the remedy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from app.simulator.xml.grammar import FOREIGN_NAMES, PROMPT_ELEMENTS, RULES, ElementRule
from app.voice.speech import VOICES, known_voice, language_problem, length_problem

LARGEST_REPLY = 100_000
"""Bytes. Plivo documents 100 KB; the smaller reading is the safe one."""

_XML_TYPES = ("application/xml", "text/xml")
_EXAMPLE = "<Response><Hangup/></Response>"


class DocumentError(Exception):
    """The reply is not a Plivo XML document: the reason, the byte, and what to write instead."""

    def __init__(self, reason: str, advice: str, byte: int | None = None) -> None:
        """Keep the three parts for the verdict."""
        super().__init__(reason)
        self.reason = reason
        self.advice = advice
        self.byte = byte


@dataclass(slots=True)
class XmlElement:
    """One element of a document; `byte` is where its tag begins in the reply."""

    name: str
    attributes: dict[str, str]
    byte: int
    tag: bytes = b""
    children: list["XmlElement"] = field(default_factory=list)
    text: str = ""

    def get(self, attribute: str, default: str = "") -> str:
        """Return an attribute's value, or the default where it is absent or empty."""
        return self.attributes.get(attribute) or default

    def is_true(self, attribute: str, *, default: bool) -> bool:
        """Return a true/false attribute."""
        return self.get(attribute, str(default).lower()) == "true"

    def number(self, attribute: str, default: int) -> int:
        """Return a numeric attribute, such as a number of seconds."""
        return int(self.get(attribute, str(default)))

    def byte_of(self, attribute: str) -> int:
        """Return where an attribute begins in the reply."""
        found = re.search(rb"\s(" + re.escape(attribute.encode()) + rb")\s*=", self.tag)
        return self.byte + (found.start(1) if found else 0)


@dataclass(frozen=True, slots=True)
class XmlDocument:
    """A valid document, with a remark on everything in it that Plivo silently ignores."""

    root: XmlElement
    remarks: tuple[str, ...] = ()


def read_document(body: bytes, *, content_type: str, prompts_only: bool = False) -> XmlDocument:
    """Return the document in a reply, or raise DocumentError.

    `prompts_only` is for confirmSound and dialMusic, which may hold only Play, Speak and Wait
    (Plivo, Dial XML reference).
    """
    if len(body) > LARGEST_REPLY:
        raise DocumentError(
            f"the reply has {len(body)} bytes, more than 100 KB",
            "send a shorter document and continue with <Redirect>",
            LARGEST_REPLY,
        )
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        root = _parse(body)
    except DocumentError as fault:
        if media_type not in _XML_TYPES:
            fault.reason += f" (and its Content-Type is {media_type or 'missing'})"
        raise
    if media_type not in _XML_TYPES:
        raise DocumentError(
            f"the Content-Type is {media_type or 'missing'}", "send Content-Type: application/xml or text/xml"
        )
    remarks: list[str] = []
    _check(root, remarks)
    if prompts_only:
        _check_prompts(root)
    return XmlDocument(root, tuple(remarks))


class _TreeBuilder:
    """Builds a tree from the parser's events, with the byte at which each tag begins."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.open: list[XmlElement] = []
        self.root: XmlElement | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.StartDoctypeDeclHandler = self.doctype

    def start(self, name: str, attributes: dict[str, str]) -> None:
        byte = self.parser.CurrentByteIndex
        tag = self.body[byte : self.body.find(b">", byte) + 1]
        element = XmlElement(name, attributes, byte, tag)
        if self.open:
            self.open[-1].children.append(element)
        elif name != "Response":
            raise DocumentError(f"the root is <{name}>", "wrap everything in one <Response>", byte)
        else:
            self.root = element
        self.open.append(element)

    def end(self, _name: str) -> None:
        self.open.pop()

    def text(self, data: str) -> None:
        self.open[-1].text += data

    def doctype(self, *_declaration: object) -> None:
        byte = self.body.find(b"<!DOCTYPE")
        raise DocumentError("the document declares a DOCTYPE", "leave the DOCTYPE out", byte)


def _parse(body: bytes) -> XmlElement:
    """Return the root element of well-formed XML."""
    if not body.strip():
        raise DocumentError("the body is empty", f"send a document, at least {_EXAMPLE}", 0)
    builder = _TreeBuilder(body)
    try:
        builder.parser.Parse(body, True)
    except expat.ExpatError as error:
        at = max(builder.parser.ErrorByteIndex, 0)
        at -= body[at - 1 : at] == b"&"  # expat reports a bare & at the byte after it.
        shown = body[at : at + 20].decode("utf-8", "replace")
        raise DocumentError(
            f"this is not XML: {expat.ErrorString(error.code)}, at {shown!r}",
            f"send Plivo XML, at least {_EXAMPLE}; write & as &amp; and < as &lt;",
            at,
        ) from error
    except (LookupError, ValueError) as error:  # An unknown encoding.
        raise DocumentError(f"this cannot be decoded: {error}", "send UTF-8", 0) from error
    if builder.root is None:  # Unreachable after a parse without error; for the type checker.
        raise DocumentError("there is no root element", f"send {_EXAMPLE}", 0)
    return builder.root


def _check(element: XmlElement, remarks: list[str]) -> None:
    """Check an element and its descendants against the grammar."""
    rule = RULES[element.name]
    _check_attributes(element, rule, remarks)
    if element.name == "Speak":
        remarks += [f"byte {element.byte}: {problem}" for problem in _doubts_about_speech(element)]
    for child in element.children:
        if child.name not in rule.children:
            raise _misplaced(child, element, rule)
        _check(child, remarks)
    if rule.needs_child and not element.children:
        raise DocumentError(
            f"<{element.name}> holds no {' or '.join(sorted(rule.children))}",
            f"put a <{min(rule.children)}> with a value inside",
            element.byte,
        )
    text = element.text.strip()
    if rule.body is None:
        if text:
            remarks.append(f"byte {element.byte}: Plivo ignores the text {text[:30]!r} in <{element.name}>")
    elif not (rule.body.check(text) or element.children):
        raise DocumentError(f"<{element.name}> holds {text!r}", f"write {rule.body.expected}", element.byte)


def _check_attributes(element: XmlElement, rule: ElementRule, remarks: list[str]) -> None:
    if rule.attributes is None:
        return
    for name, value in element.attributes.items():
        byte = element.byte_of(name)
        if name not in rule.attributes:
            remarks.append(f"byte {byte}: <{element.name}> has no attribute {name}; Plivo ignores it")
        elif not rule.attributes[name].check(value):
            raise DocumentError(
                f'{name}="{value}" in <{element.name}>', f"write {rule.attributes[name].expected}", byte
            )


def _doubts_about_speech(element: XmlElement) -> Iterator[str]:
    """Yield what Plivo's lists of voices do not cover: it may be spoken in another voice, or not at all."""
    voice = element.attributes.get("voice")
    if voice is not None and voice not in VOICES:
        yield f"{voice!r} is not a voice that Plivo lists; write {known_voice(voice)}"
    elif problem := language_problem(element.get("language", "en-US"), voice):
        yield problem
    if problem := length_problem(element.text, voice):
        yield problem


def _misplaced(child: XmlElement, parent: XmlElement, rule: ElementRule) -> DocumentError:
    """Return the error for an element that is unknown or misplaced."""
    if child.name in FOREIGN_NAMES:
        advice = f"Plivo's element for this is <{FOREIGN_NAMES[child.name]}>"
    elif child.name in RULES:
        homes = sorted(name for name, other in RULES.items() if child.name in other.children)
        advice = f"<{child.name}> belongs in {' or '.join(f'<{home}>' for home in homes) or 'the root'}"
    else:
        advice = f"<{parent.name}> may hold {', '.join(sorted(rule.children)) or 'no elements'}"
    return DocumentError(f"<{child.name}> cannot stand in <{parent.name}>", advice, child.byte)


def _check_prompts(root: XmlElement) -> None:
    for child in root.children:
        if child.name not in PROMPT_ELEMENTS:
            raise DocumentError(
                f"<{child.name}> cannot be played to the callee", "use only Play, Speak and Wait", child.byte
            )
