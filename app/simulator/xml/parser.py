"""Read a reply as strictly as Plivo does, and say which byte of it is wrong and what to change."""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from app.simulator.xml.grammar import FOREIGN_NAMES, PROMPTS_ONLY, RULES, Rule

LARGEST_REPLY = 100_000
"""Bytes. Plivo says 100 KB; the smaller reading is the safe one."""

_XML_TYPES = ("application/xml", "text/xml")
_EXAMPLE = "<Response><Hangup/></Response>"


class DocumentError(Exception):
    """The reply is not a Plivo XML document: why, at which byte, and what to write instead."""

    def __init__(self, reason: str, advice: str, byte: int | None = None) -> None:
        """Keep the three parts apart, so that a verdict can be made of them."""
        super().__init__(reason)
        self.reason = reason
        self.advice = advice
        self.byte = byte


@dataclass(slots=True)
class Element:
    """One element of a document; `byte` is where its tag begins in the reply."""

    name: str
    attributes: dict[str, str]
    byte: int
    tag: bytes = b""
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def get(self, attribute: str, default: str = "") -> str:
        """Return an attribute's value, or the default where it is absent or empty."""
        return self.attributes.get(attribute) or default

    def is_true(self, attribute: str, *, default: bool) -> bool:
        """Return a true/false attribute."""
        return self.get(attribute, str(default).lower()) == "true"

    def seconds(self, attribute: str, default: int) -> int:
        """Return an attribute that counts seconds."""
        return int(self.get(attribute, str(default)))

    def byte_of(self, attribute: str) -> int:
        """Return where an attribute begins in the reply."""
        found = re.search(rb"\s(" + re.escape(attribute.encode()) + rb")\s*=", self.tag)
        return self.byte + (found.start(1) if found else 0)


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document, with what Plivo would silently ignore in it."""

    root: Element
    remarks: tuple[str, ...] = ()


def read_document(body: bytes, *, content_type: str, prompts_only: bool = False) -> Document:
    """Return the document in a reply, or raise DocumentError.

    `prompts_only` is for confirmSound and dialMusic, which may hold Play, Speak and Wait alone
    (Plivo, Dial XML reference).
    """
    if len(body) > LARGEST_REPLY:
        raise DocumentError(
            f"the reply has {len(body)} bytes, more than 100 KB",
            "send a shorter document; lead on with <Redirect>",
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
    return Document(root, tuple(remarks))


class _Builder:
    """Makes a tree from what the XML parser meets, with the byte at which each tag began."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.open: list[Element] = []
        self.root: Element | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.StartDoctypeDeclHandler = self.doctype

    def start(self, name: str, attributes: dict[str, str]) -> None:
        byte = self.parser.CurrentByteIndex
        tag = self.body[byte : self.body.find(b">", byte) + 1]
        element = Element(name, attributes, byte, tag)
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


def _parse(body: bytes) -> Element:
    """Return the root element of well-formed XML."""
    if not body.strip():
        raise DocumentError("the body is empty", f"send a document, at least {_EXAMPLE}", 0)
    builder = _Builder(body)
    try:
        builder.parser.Parse(body, True)
    except expat.ExpatError as error:
        at = max(builder.parser.ErrorByteIndex, 0)
        at -= body[at - 1 : at] == b"&"  # A bare & is found out at the byte after it.
        shown = body[at : at + 20].decode("utf-8", "replace")
        raise DocumentError(
            f"this is not XML: {expat.ErrorString(error.code)}, at {shown!r}",
            f"send Plivo XML, at least {_EXAMPLE}; write & as &amp; and < as &lt;",
            at,
        ) from error
    except (LookupError, ValueError) as error:  # An encoding that nobody knows.
        raise DocumentError(f"this cannot be decoded: {error}", "send UTF-8", 0) from error
    if builder.root is None:  # A parser without error has seen a root; this tells the type checker.
        raise DocumentError("there is no root element", f"send {_EXAMPLE}", 0)
    return builder.root


def _check(element: Element, remarks: list[str]) -> None:
    """Hold an element and all below it against the grammar."""
    rule = RULES[element.name]
    _check_attributes(element, rule, remarks)
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
        raise DocumentError(f"<{element.name}> holds {text!r}", f"write {rule.body.wanted}", element.byte)


def _check_attributes(element: Element, rule: Rule, remarks: list[str]) -> None:
    if rule.attributes is None:
        return
    for name, value in element.attributes.items():
        byte = element.byte_of(name)
        if name not in rule.attributes:
            remarks.append(f"byte {byte}: <{element.name}> has no attribute {name}; Plivo ignores it")
        elif not rule.attributes[name].check(value):
            raise DocumentError(f'{name}="{value}" in <{element.name}>', f"write {rule.attributes[name].wanted}", byte)


def _misplaced(child: Element, parent: Element, rule: Rule) -> DocumentError:
    """Return the fault of an element that is unknown, or known and in the wrong place."""
    if child.name in FOREIGN_NAMES:
        advice = f"Plivo's element for this is <{FOREIGN_NAMES[child.name]}>"
    elif child.name in RULES:
        homes = sorted(name for name, other in RULES.items() if child.name in other.children)
        advice = f"<{child.name}> belongs in {' or '.join(f'<{home}>' for home in homes) or 'the root'}"
    else:
        advice = f"<{parent.name}> may hold {', '.join(sorted(rule.children)) or 'no elements'}"
    return DocumentError(f"<{child.name}> cannot stand in <{parent.name}>", advice, child.byte)


def _check_prompts(root: Element) -> None:
    for child in root.children:
        if child.name not in PROMPTS_ONLY:
            raise DocumentError(
                f"<{child.name}> cannot be played to the callee", "use Play, Speak and Wait alone", child.byte
            )
