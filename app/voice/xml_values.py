"""The values that Plivo's XML takes: each check returns the value to write, or raises `XmlError`."""

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from app.voice.speech import LANGUAGES, VOICES, known_voice
from app.voice.ssml import SsmlError, has_markup, parse_ssml

Check = Callable[[str, object], object]

MAX_TIME_LIMIT_SECONDS = 86_400
MAX_RING_SECONDS = 600
MIN_RECORDED_SECONDS = 2
"""Plivo, Record XML reference: maxLength is greater than 1."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER = re.compile(r"\+?[1-9][0-9]{6,14}")
_SIP_ADDRESS = re.compile(r"sip:[^\s@<>\"';]+@[^\s@<>\"']+")
_SOUND = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(mp3|wav)", re.IGNORECASE)
_SIP_HEADER = re.compile(r"[A-Za-z0-9]+")
_RESERVED_SIP_HEADERS = ("ph-", "plivo", "fs-", "sipauth", "zt-", "twilio")


_PLAYED = frozenset({".mp3", ".wav"})
_OTHER_AUDIO = (
    ".3gp .aac .ac3 .aif .aifc .aiff .amr .ape .au .caf .flac .gsm .m4a .m4b .m4r .mid .midi .mka .mp2 .mp4 .mpga .oga "
    ".ogg .ogx .opus .ra .raw .snd .ulaw .vox .weba .webm .wma"
)
_NOT_PLAYED = frozenset(_OTHER_AUDIO.split())


class XmlError(ValueError):
    """Raised with one sentence: why a document cannot be written for Plivo, and what to write."""


def clean(text: str) -> str:
    """Return the text without what XML 1.0 cannot hold: control characters and lone surrogates."""
    return _NOT_XML.sub("", text)


def is_number(value: str) -> bool:
    """Return whether the value is a number in E.164, with or without its plus."""
    return _NUMBER.fullmatch(value) is not None


def is_sip_address(value: str) -> bool:
    """Return whether the value is a SIP user: `sip:user@host`."""
    return _SIP_ADDRESS.fullmatch(value) is not None


def is_absolute_url(value: str) -> bool:
    """Return whether the value is a complete http or https address a server could be asked at."""
    if clean(value) != value or re.search(r"\s", value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def sip_header_problem(name: str, value: str) -> str | None:
    """Return why Plivo would drop this SIP header, or None (Plivo, Dial XML reference: sipHeaders)."""
    if not (_SIP_HEADER.fullmatch(name) and _SIP_HEADER.fullmatch(value)):
        return f"{name}={value} may hold letters A to Z and digits only; Plivo adds X-PH- to the name itself"
    if name.lower().startswith(_RESERVED_SIP_HEADERS) or name.lower() == "clientregion":
        return f"{name} is a name Plivo keeps for itself; choose another"
    return None


def matching(pattern: str, meaning: str) -> Check:
    """Return a check for text of one form; `meaning` completes the sentence 'write …'."""
    compiled = re.compile(pattern)

    def check(label: str, value: object) -> str:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            raise XmlError(f"{label} is {value!r}; write {meaning}")
        return value

    return check


def one_of(*words: str) -> Check:
    """Return a check for one of several words."""
    *others, last = words
    return matching("|".join(words), f"{', '.join(others)} or {last}")


def satisfying(claim: Callable[[str], bool], meaning: str) -> Check:
    """Return a check from a claim about text; `meaning` completes the sentence 'write …'."""

    def check(label: str, value: object) -> str:
        if not isinstance(value, str) or not claim(value):
            raise XmlError(f"{label} is {value!r}; write {meaning}")
        return value

    return check


def between(low: int, high: int, unit: str = "seconds") -> Check:
    """Return a check for a whole number in a range, both ends included."""

    def check(label: str, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise XmlError(f"{label} is {value!r}; write whole {unit} from {low} to {high}")
        return value

    return check


def flag(label: str, value: object) -> bool:
    """Accept a real boolean alone: the SDK would write the text 'false' as true."""
    if not isinstance(value, bool):
        raise XmlError(f"{label} is {value!r}; write true or false without quotes")
    return value


def text(label: str, value: object) -> str:
    """Accept text that still says something once it is fit for XML."""
    if not isinstance(value, str) or not clean(value).strip():
        raise XmlError(f"{label} is {value!r}; write some text")
    return clean(value)


def sentence(label: str, value: object) -> str:
    """Accept text without SSML, whose tags would be read aloud letter by letter."""
    said = text(label, value)
    if has_markup(said):
        raise XmlError(f'{label} holds SSML; write it as ssml = "…" with a Polly voice, such as voice = "Polly.Amy"')
    return said


def ssml(label: str, value: object) -> str:
    """Accept SSML that Plivo's Speak takes."""
    markup = text(label, value)
    try:
        parse_ssml(markup)
    except SsmlError as error:
        raise XmlError(f"{label}: {error}") from error
    return markup


def voice(label: str, value: object) -> str:
    """Accept WOMAN, MAN and the Polly voices that Plivo lists."""
    if not isinstance(value, str) or value not in VOICES:
        raise XmlError(f"{label} is {value!r}; write {known_voice(str(value))}")
    return value


def language(label: str, value: object) -> str:
    """Accept a language that at least one of Plivo's voices speaks."""
    if not isinstance(value, str) or value not in LANGUAGES:
        raise XmlError(f"{label} is {value!r}; write one of {', '.join(sorted(LANGUAGES))}")
    return value


def line(label: str, value: object) -> str:
    """Accept text of one line: names and credentials end up in SIP headers."""
    one = text(label, value)
    if len(one.splitlines()) > 1 or one != one.strip():
        raise XmlError(f"{label} is {value!r}; write one line without spaces around it")
    return one


def secret(label: str, value: object) -> str:
    """Accept a SIP password of 8 to 128 characters, and never repeat it in an error."""
    if not isinstance(value, str) or not 8 <= len(value) <= 128:
        raise XmlError(f"{label} has the wrong length; write 8 to 128 characters")
    if clean(value) != value or len(value.splitlines()) > 1 or value != value.strip():
        raise XmlError(f"{label} has spaces around it or more than one line; write one line")
    return value


def sip_headers(label: str, value: object) -> tuple[tuple[str, str], ...]:
    """Accept pairs of name and value that Plivo really sends on as `X-PH-name`."""
    if not isinstance(value, tuple):
        raise XmlError(f"{label} is {value!r}; give a tuple of (name, value) pairs")
    if problems := [problem for name, content in value if (problem := sip_header_problem(name, content))]:
        raise XmlError(f"{label}: {'; '.join(problems)}")
    return value


def digit_strings(label: str, value: object) -> tuple[str, ...]:
    """Accept a tuple of key sequences, each of digits, star and hash."""
    if not isinstance(value, tuple) or not all(re.fullmatch(r"[0-9*#]+", str(item)) for item in value):
        raise XmlError(f"{label} is {value!r}; give a tuple of key sequences such as ('1', '*9')")
    return value


url = satisfying(is_absolute_url, "a complete URL such as https://example.com/path")
number = satisfying(is_number, "a number in E.164 such as +14155550100")
sip_address = satisfying(is_sip_address, "a SIP user such as sip:alice@phone.plivo.com")
caller_id = satisfying(
    lambda value: is_number(value) or is_sip_address(value),
    "a number in E.164 such as +14155550100, or a SIP user such as sip:alice@phone.plivo.com",
)
method = matching("GET|POST", "GET or POST")
key = matching("[0-9*#]", "one key: a digit, * or #")
finish_keys = matching("[0-9*#]{1,12}|none", "one or more keys: digits, * or #; or none")
send_digits = matching("[0-9*#wW]{1,100}", "digits, * and #, with w for half a second and W for a second of pause")
count = between(0, 100, "times")
dial_music = satisfying(
    lambda value: value == "real" or is_absolute_url(value),
    "real, or a complete URL such as https://example.com/music.xml",
)


def caller_name(label: str, value: object) -> str:
    """Accept a name of at most 50 characters (Plivo, Dial XML reference: callerName)."""
    name = line(label, value)
    if len(name) > 50:
        raise XmlError(f"{label} has {len(name)} characters; write at most 50")
    return name


def is_audio_url(value: str) -> bool:
    """Return whether the path of a URL ends as the name of an audio file does."""
    return _suffix(value) in _PLAYED | _NOT_PLAYED


def _suffix(value: str) -> str:
    return PurePosixPath(urlsplit(value).path).suffix.lower()


def audio(label: str, value: object) -> str:
    """Accept the name of an MP3 or WAV file that we serve, or the URL of one."""
    return value if isinstance(value, str) and is_sound(value) else audio_url(label, value)


def is_sound(value: str) -> bool:
    """Return whether the value is the bare name of an MP3 or WAV file."""
    return _SOUND.fullmatch(value) is not None


def audio_url(label: str, value: object) -> str:
    """Accept the URL of what may be an MP3 or WAV file: Plivo plays no other."""
    address = str(url(label, value))
    if _suffix(address) in _NOT_PLAYED:
        raise XmlError(f"{label} is {address!r}, and Plivo plays MP3 and WAV alone; convert the file to one of them")
    return address
