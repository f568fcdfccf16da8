"""Plivo's XML grammar as data: elements, their attributes, values and children.

Sources: Plivo, "XML reference" (Response, Dial, Record, Speak, Play, Wait, Hangup, Redirect, GetDigits);
plivo-python 4.63.0 for the nesting and for MultiPartyCall.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.voice.speech import LANGUAGES

Check = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class ValueRule:
    """The values an attribute or a body may have: a test, and its description for people."""

    expected: str
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementRule:
    """The contents of one element. `attributes` None: any, unchecked; `body` None: no text."""

    attributes: Mapping[str, ValueRule] | None = field(default_factory=dict)
    children: frozenset[str] = frozenset()
    needs_child: bool = False
    body: ValueRule | None = None


def is_absolute(url: str) -> bool:
    """Return whether a URL has a host and a scheme that Plivo calls."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _matches(expected: str, pattern: str) -> ValueRule:
    compiled = re.compile(pattern)
    return ValueRule(expected, lambda text: compiled.fullmatch(text) is not None)


def _whole(least: int, expected: str) -> ValueRule:
    return ValueRule(expected, lambda text: text.isascii() and text.isdigit() and int(text) >= least)


ANY = ValueRule("any text", lambda _text: True)
TEXT = ValueRule("some text", lambda text: bool(text.strip()))
BOOLEAN = _matches("true or false", "true|false")
METHOD = _matches("GET or POST", "GET|POST")
SECONDS = _whole(1, "a whole number of seconds, at least 1")
COUNT = _whole(0, "a whole number")
ABSOLUTE_URL = ValueRule("an absolute http:// or https:// URL", is_absolute)
MUSIC = ValueRule("an absolute URL, real or none", lambda text: text in {"real", "none"} or is_absolute(text))
NUMBER = _matches("a number in E.164 form, as +14155550100", r"\+?[1-9][0-9]{4,14}")
SIP_USER = _matches("a SIP address, as sip:alice@phone.plivo.com", r"sips?:[^@\s]+@[^@\s]+")
CALLER_ID = _matches("a number in E.164 form or a SIP user", r"\+?[0-9]{3,15}|(sips?:)?[^\s@]+(@[^\s@]+)?|")
CALLER_NAME = ValueRule("at most 50 characters", lambda text: len(text) <= 50)
KEY = _matches("one digit, # or *", r"[0-9#*]")
PATTERNS = _matches("digits, separated by commas", r"[0-9#*wW]+(,[0-9#*wW]+)*")
SEND_DIGITS = _matches("digits, #, *, w and W", r"[0-9#*wW]+")
_PAIR = "[A-Za-z0-9]+=[A-Za-z0-9%]*"
SIP_HEADERS = _matches("name=value,name2=value2 in letters and digits", f"{_PAIR}(,{_PAIR})*")
BEEP = _matches(
    "duration=300,inter_silence=50 in milliseconds, true or false",
    r"true|false|(duration|inter_silence)=[0-9]+(,(duration|inter_silence)=[0-9]+)?",
)
LANGUAGE = ValueRule("a language that Plivo speaks, as en-US", lambda text: text in LANGUAGES)
REASON = _matches("busy or rejected", "busy|rejected")
SIP_PASSWORD = ValueRule("8 to 128 characters", lambda text: 8 <= len(text) <= 128)

_VERBS = (
    "Conference Dial DTMF GetDigits GetInput Hangup Message MultiPartyCall Play PreAnswer Record Redirect Speak "
    "Stream Wait"
)
_SSML = frozenset({"break", "cont", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"})
_PROMPTS = frozenset({"Speak", "Play", "Wait"})

_TARGET = {
    "sendDigits": SEND_DIGITS,
    "sendOnPreanswer": BOOLEAN,
    "sipHeaders": SIP_HEADERS,
    "callerId": CALLER_ID,
    "callerName": CALLER_NAME,
}

# A wrong action URL or method has its own code (7022, 7032), reported when the action is due.
_ACTION = {"action": ANY, "method": ANY, "redirect": BOOLEAN}

_MPC_COUNTS = "maxDuration maxParticipants recordMinMemberCount waitTime"
_MPC_URLS = (
    "waitMusicUrl agentHoldMusicUrl customerHoldMusicUrl recordingCallbackUrl statusCallbackUrl onExitActionUrl "
    "startRecordingAudio stopRecordingAudio transcriptionUrl"
)
_MPC_METHODS = (
    "waitMusicMethod agentHoldMusicMethod customerHoldMusicMethod recordingCallbackMethod statusCallbackMethod "
    "onExitActionMethod enterSoundMethod exitSoundMethod startRecordingAudioMethod stopRecordingAudioMethod"
)
_MPC_BOOLEANS = (
    "record recordParticipantTrack stayAlone coachMode mute hold startMpcOnEnter endMpcOnExit relayDTMFInputs "
    "transcript"
)
_SOUND = _matches("beep:1, beep:2, none or an absolute URL", r"(?i:beep:[12]|none)|https?://\S+")
_MULTI_PARTY_CALL = {
    "role": _matches("Agent, Supervisor or Customer", "(?i:agent|supervisor|customer|ai-agent)"),
    "recordFileFormat": _matches("mp3 or wav", "mp3|wav"),
    "statusCallbackEvents": _matches("events, separated by commas", "[a-z-]+(,[a-z-]+)*"),
    "enterSound": _SOUND,
    "exitSound": _SOUND,
    **dict.fromkeys(_MPC_COUNTS.split(), COUNT),
    **dict.fromkeys(_MPC_URLS.split(), ABSOLUTE_URL),
    **dict.fromkeys(_MPC_METHODS.split(), METHOD),
    **dict.fromkeys(_MPC_BOOLEANS.split(), BOOLEAN),
}

RULES: Mapping[str, ElementRule] = {
    "Response": ElementRule(children=frozenset(_VERBS.split())),
    "Dial": ElementRule(
        attributes=_ACTION
        | {
            "hangupOnStar": BOOLEAN,
            "timeLimit": SECONDS,
            "timeout": SECONDS,
            "callerId": CALLER_ID,
            "callerName": CALLER_NAME,
            "confirmSound": ABSOLUTE_URL,
            "confirmKey": KEY,
            "confirmTimeout": SECONDS,
            "dialMusic": MUSIC,
            "callbackUrl": ABSOLUTE_URL,
            "callbackMethod": METHOD,
            "digitsMatch": PATTERNS,
            "digitsMatchBLeg": PATTERNS,
            "sipHeaders": SIP_HEADERS,
            "machineDetection": ANY,
            "callType": _matches("voice or whatsapp", "voice|whatsapp"),
        },
        children=frozenset({"Number", "User"}),
        needs_child=True,
    ),
    "Number": ElementRule(attributes=_TARGET | {"sendDigitsMode": ANY}, body=NUMBER),
    "User": ElementRule(attributes=_TARGET | {"sipAuthUsername": TEXT, "sipAuthPassword": SIP_PASSWORD}, body=SIP_USER),
    "Speak": ElementRule(attributes={"voice": ANY, "language": LANGUAGE, "loop": COUNT}, children=_SSML, body=TEXT),
    "Play": ElementRule(attributes={"loop": COUNT}, body=ABSOLUTE_URL),
    "Wait": ElementRule(attributes={"length": SECONDS, "silence": BOOLEAN, "minSilence": COUNT, "beep": BEEP}),
    "Hangup": ElementRule(attributes={"reason": REASON, "schedule": COUNT}),
    "Redirect": ElementRule(attributes={"method": ANY}, body=TEXT),
    "Record": ElementRule(
        attributes=_ACTION
        | {
            "fileFormat": _matches("mp3 or wav", "mp3|wav"),
            "timeout": SECONDS,
            "maxLength": SECONDS,
            "playBeep": BOOLEAN,
            "finishOnKey": _matches("keys, or none", r"[0-9#*]*|none"),
            "recordSession": BOOLEAN,
            "startOnDialAnswer": BOOLEAN,
            "transcriptionType": ANY,
            "transcriptionUrl": ABSOLUTE_URL,
            "transcriptionMethod": METHOD,
            "transcriptionReportType": ANY,
            "callbackUrl": ABSOLUTE_URL,
            "callbackMethod": METHOD,
            "recordChannelType": ANY,
        }
    ),
    "GetDigits": ElementRule(
        attributes=_ACTION
        | {
            "timeout": SECONDS,
            "digitTimeout": SECONDS,
            "finishOnKey": _matches("keys, or none", r"[0-9#*]*|none"),
            "numDigits": COUNT,
            "retries": COUNT,
            "playBeep": BOOLEAN,
            "validDigits": _matches("digits, # and *", r"[0-9#*]+"),
            "invalidDigitsSound": ABSOLUTE_URL,
            "log": BOOLEAN,
        },
        children=_PROMPTS,
    ),
    "GetInput": ElementRule(attributes=None, children=_PROMPTS),
    "PreAnswer": ElementRule(children=_PROMPTS | {"GetDigits", "Redirect", "Message", "DTMF"}),
    "DTMF": ElementRule(attributes={"async": BOOLEAN}, body=SEND_DIGITS),
    "Conference": ElementRule(attributes=None, body=TEXT),
    "Message": ElementRule(attributes=None, body=TEXT),
    "MultiPartyCall": ElementRule(attributes=_MULTI_PARTY_CALL, body=TEXT),
    "Stream": ElementRule(attributes=None, body=TEXT),
    **{name: ElementRule(attributes=None, children=_SSML, body=ANY) for name in _SSML},
}

PROMPT_ELEMENTS = _PROMPTS
"""The elements a confirmSound or dialMusic document may hold (Plivo, Dial XML reference)."""

FOREIGN_NAMES: Mapping[str, str] = {
    "Say": "Speak",
    "Gather": "GetDigits",
    "Pause": "Wait",
    "Reject": "Hangup",
    "Sip": "User",
    "Client": "User",
    "Enqueue": "Conference",
}
"""Names that other providers use, and Plivo's name for the same element."""
