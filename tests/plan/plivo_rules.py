"""Plivo's rules for XML documents, written from its reference alone: nothing of the application is used here."""

import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import urlsplit

NUMBER = r"\+?[1-9][0-9]{6,14}"
SIP = r"sip:[^\s@]+@[^\s@]+"
BOOLEAN = "true|false"
SECONDS = "[1-9][0-9]{0,4}"
TIMES = "[0-9]{1,4}"
METHOD = "GET|POST"
KEY = "[0-9*#]"
HEADERS = r"[A-Za-z0-9]+=[A-Za-z0-9]+(,[A-Za-z0-9]+=[A-Za-z0-9]+)*"
PATTERNS = r"[0-9*#]+(,[0-9*#]+)*"
URL = "url"
RESERVED_HEADER = re.compile(r"(^|,)((ph-|plivo|fs-|sipauth|zt-|twilio)[^=]*|clientregion)=", re.IGNORECASE)

CALLER = {"callerId": f"{NUMBER}|{SIP}", "callerName": ".{1,50}"}
TARGET = {
    **CALLER,
    "sendDigits": "[0-9*#wW]+",
    "sendOnPreanswer": BOOLEAN,
    "sipHeaders": HEADERS,
}
ATTRIBUTES: dict[str, dict[str, str]] = {
    "Response": {},
    "Dial": {
        **CALLER,
        "action": URL,
        "method": METHOD,
        "hangupOnStar": BOOLEAN,
        "timeLimit": SECONDS,
        "timeout": SECONDS,
        "confirmSound": URL,
        "confirmKey": KEY,
        "confirmTimeout": SECONDS,
        "dialMusic": "real|url",
        "callbackUrl": URL,
        "callbackMethod": METHOD,
        "redirect": BOOLEAN,
        "digitsMatch": PATTERNS,
        "digitsMatchBLeg": PATTERNS,
        "sipHeaders": HEADERS,
        "machineDetection": BOOLEAN,
        "callType": "voice|whatsapp",
    },
    "Number": {**TARGET, "sendDigitsMode": "rfc2833"},
    "User": {**TARGET, "sipAuthUsername": ".+", "sipAuthPassword": ".{8,128}"},
    "Speak": {"voice": r"WOMAN|MAN|Polly\.(\w+|\*)", "language": "[A-Za-z-]+", "loop": TIMES},
    "break": {"time": "[0-9]+m?s", "strength": "[a-z-]+"},
    "emphasis": {"level": "[a-z]+"},
    "Play": {"loop": TIMES},
    "Wait": {"length": SECONDS, "silence": BOOLEAN, "minSilence": SECONDS, "beep": BOOLEAN},
    "Record": {
        "action": URL,
        "method": METHOD,
        "redirect": BOOLEAN,
        "callbackUrl": URL,
        "callbackMethod": METHOD,
        "fileFormat": "mp3|wav",
        "timeout": SECONDS,
        "maxLength": "[2-9]|[1-9][0-9]{1,4}",
        "playBeep": BOOLEAN,
        "finishOnKey": "[0-9*#]+|none",
        "recordSession": BOOLEAN,
        "startOnDialAnswer": BOOLEAN,
        "recordChannelType": "mono|stereo",
        "transcriptionType": "auto",
        "transcriptionUrl": URL,
        "transcriptionMethod": METHOD,
    },
    "Hangup": {"reason": "busy|rejected", "schedule": SECONDS},
    "Redirect": {"method": METHOD},
    "PreAnswer": {},
}
BODIES = {"Number": NUMBER, "User": SIP, "emphasis": r"(?s:.*\S.*)", "Play": URL, "Redirect": URL}
CHILDREN = {
    "Response": {"PreAnswer", "Dial", "Speak", "Play", "Wait", "Record", "Hangup", "Redirect"},
    "Dial": {"Number", "User"},
    "PreAnswer": {"Speak", "Play", "Wait"},
    "Speak": {"break", "emphasis"},
}
PROMPT = {"Speak", "Play", "Wait"}


def broken_rules(document: str, *, is_prompt: bool = False) -> list[str]:
    """Return every rule a document breaks; `is_prompt` for what confirmSound fetches."""
    if len(document.encode()) > 100_000:
        return ["larger than 100 KB"]
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        return [f"not well-formed: {error}"]
    if root.tag != "Response":
        return [f"the root is {root.tag}"]
    broken = [problem for element in root.iter() for problem in _element(element)]
    if is_prompt:
        broken += [f"{child.tag} in a prompt" for child in root if child.tag not in PROMPT]
    return broken + _sequence(root)


def _element(element: ElementTree.Element) -> list[str]:
    tag = element.tag
    if tag not in ATTRIBUTES:
        return [f"{tag} is no element"]
    broken = [f"{child.tag} in {tag}" for child in element if child.tag not in CHILDREN.get(tag, set())]
    for name, value in element.attrib.items():
        rule = ATTRIBUTES[tag].get(name)
        if rule is None or not _holds(rule, value):
            broken.append(f"{tag} {name}={value!r}")
    body = element.text or ""
    if tag == "Speak":
        return broken if "".join(element.itertext()).strip() else [*broken, f"Speak holds {body!r}"]
    if not _holds(BODIES[tag], body) if tag in BODIES else body.strip():
        broken.append(f"{tag} holds {body!r}")
    return broken + _together(element)


def _holds(rule: str, value: str) -> bool:
    if rule == URL:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.netloc) and not re.search(r"\s", value)
    if rule == "real|url":
        return value == "real" or _holds(URL, value)
    return re.fullmatch(rule, value) is not None


def _together(element: ElementTree.Element) -> list[str]:
    """Check what one attribute asks of another."""
    given, broken = element.attrib, []
    if element.tag == "Dial":
        if len(element) == 0:
            broken.append("Dial rings nobody")
        if ("confirmKey" in given or "confirmTimeout" in given) and "confirmSound" not in given:
            broken.append("confirmKey without confirmSound")
        if int(given.get("timeLimit", "1")) > 86_400:
            broken.append("timeLimit above 24 hours")
    if ("sipAuthUsername" in given) != ("sipAuthPassword" in given):
        broken.append("half of the SIP credentials")
    if RESERVED_HEADER.search(given.get("sipHeaders", "")):
        broken.append("a SIP header Plivo drops")
    return broken


def _sequence(root: ElementTree.Element) -> list[str]:
    """Check that nothing stands behind an element after which Plivo never comes back to the document."""
    broken = []
    for child, following in zip(root, list(root)[1:], strict=False):
        leaves = child.tag in {"Hangup", "Redirect"} and "schedule" not in child.attrib
        asks = child.tag in {"Dial", "Record"} and "action" in child.attrib and child.get("redirect") != "false"
        if leaves or asks:
            broken.append(f"{following.tag} behind {child.tag} never runs")
    return broken
