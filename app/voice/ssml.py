"""Speech Synthesis Markup Language, as far as Plivo's Speak takes it (Plivo, SSML concept page, and its SDKs).

The markup is what stands inside Speak: `Dear <emphasis level="strong">caller</emphasis>, <break time="1s"/> hello.`
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping

from app.voice.speech import POLLY_LANGUAGES

_ROOT = "speak"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_ANY = r"(?s:.*\S.*)"
_ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    _ROOT: {},
    "break": {"strength": "none|x-weak|weak|medium|strong|x-strong", "time": r"[0-9]+(\.[0-9]+)?(s|ms)"},
    "emphasis": {"level": "strong|moderate|none|reduced"},
    "lang": {_XML_LANG: "|".join(sorted(POLLY_LANGUAGES))},
    "p": {},
    "phoneme": {"alphabet": "ipa|x-sampa|x-amazon-pinyin", "ph": _ANY},
    "prosody": {
        "volume": r"default|silent|x-soft|soft|medium|loud|x-loud|[+-][0-9]+(\.[0-9]+)?dB",
        "rate": "default|x-slow|slow|medium|fast|x-fast|[0-9]+%",
        "pitch": r"default|x-low|low|medium|high|x-high|[+-]?[0-9]+(\.[0-9]+)?%",
    },
    "s": {},
    "say-as": {
        "interpret-as": "character|characters|spell-out|cardinal|number|ordinal|digits|fraction|unit|date|time|"
        "address|expletive|telephone",
        "format": _ANY,
    },
    "sub": {"alias": _ANY},
    "w": {"role": _ANY},
}
_REQUIRED = {
    "lang": {_XML_LANG},
    "phoneme": {"alphabet", "ph"},
    "say-as": {"interpret-as"},
    "sub": {"alias"},
    "w": {"role"},
}
TAGS = frozenset(_ATTRIBUTES) - {_ROOT}
_CHILDREN: Mapping[str, frozenset[str]] = {
    _ROOT: TAGS,
    "lang": TAGS,
    "prosody": TAGS,
    "p": TAGS - {"p"},
    "s": TAGS - {"p", "s"},
    "emphasis": TAGS - {"p", "s"},
    "w": TAGS - {"lang", "p", "s"},
}
_OTHER_TAGS = ("amazon:[a-z-]+", "audio", "cont", "mark", "voice")
_MARKUP = re.compile(rf"</?(?:{'|'.join((*_ATTRIBUTES, *_OTHER_TAGS))})(?:\s[^<>]*)?/?>", re.IGNORECASE)


class SsmlError(ValueError):
    """Raised with what is wrong in markup, and what to write."""


def has_markup(text: str) -> bool:
    """Return whether a plain text holds a tag of SSML, which would be read aloud letter by letter."""
    return _MARKUP.search(text) is not None


def parse_ssml(markup: str) -> ElementTree.Element:
    """Return the element `speak` that holds the markup, with or without one around it.

    Raises `SsmlError` for what is not well-formed, and for what Plivo does not take.
    """
    if "<!" in markup or "<?" in markup:
        raise SsmlError("<! and <? cannot stand in SSML; write tags and text alone")
    wrapped = markup if re.match(rf"\s*<{_ROOT}[\s>]", markup) else f"<{_ROOT}>{markup}</{_ROOT}>"
    try:
        root = ElementTree.fromstring(wrapped)  # noqa: S314 - Without <! there is no entity to expand.
    except ElementTree.ParseError as error:
        raise SsmlError(f"it is not well-formed XML ({error}); close every tag, and write & as &amp;") from error
    if root.tag != _ROOT:
        raise SsmlError("xmlns is no attribute that Plivo takes; remove it")
    root.attrib.clear()  # A copied document's version or language; Plivo's Speak has its own.
    for problem in _problems(root):
        raise SsmlError(problem)
    if not spoken_text(root).strip():
        raise SsmlError("there is nothing to say in it; write some text")
    return root


def spoken_text(root: ElementTree.Element) -> str:
    """Return the text without its tags, which Polly does not count."""
    return "".join(root.itertext())


def _problems(element: ElementTree.Element) -> Iterator[str]:
    rules = _ATTRIBUTES[element.tag]
    for name, value in element.attrib.items():
        shown = name.replace(_XML_LANG, "xml:lang")
        if name not in rules:
            yield f"<{element.tag}> has no attribute {shown}; remove it"
        elif not re.fullmatch(rules[name], value):
            wanted = "some text" if rules[name] == _ANY else rules[name].replace("|", ", ")
            yield f"{shown} of <{element.tag}> is {value!r}; write {wanted}"
    for name in sorted(_REQUIRED.get(element.tag, set()) - element.attrib.keys()):
        yield f"<{element.tag}> needs {name.replace(_XML_LANG, 'xml:lang')}; write it"
    if element.tag == "break" and (element.text or "").strip():
        yield '<break> holds text; write <break time="1s"/> and the text after it'
    allowed = _CHILDREN.get(element.tag, frozenset())
    for child in element:
        if child.tag in allowed:
            yield from _problems(child)
        elif child.tag in TAGS:
            yield f"<{child.tag}> cannot stand in <{element.tag}>; write it outside"
        else:
            yield f"<{child.tag}> is no tag of Plivo's; write {', '.join(sorted(TAGS))}"
