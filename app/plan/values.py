"""The values of a plan's keys: each type checks itself, and its error says what to write instead.

`voice.xml_values` checks what Plivo allows; here those checks become types of the models.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo

from app.voice import xml_values
from app.voice.numbers import parse_target
from app.voice.outcome import Outcome

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_ENDPOINT_HOST = "phone.plivo.com"
_ENDPOINT = re.compile(rf"sip:[\w.+~%!-]+@{re.escape(_ENDPOINT_HOST)}", re.ASCII | re.IGNORECASE)
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")
_CALLED = "one of your numbers such as +14155550100, or *"

ANY_NUMBER = "*"
VIP = "vip"
"""In the place of a route's `callers`: the VIPs of the address book."""
DIALLED = "dialled"
"""A target: the number that one of our own SIP endpoints has dialled."""
STIR_WORDS = ("Verified", "Not Verified", "Not Applicable", "A", "B", "C")
"""What Plivo says of a caller's number: three words for the check, and the level of the carrier's attestation."""
QUIET_OUTCOMES = frozenset({Outcome.ANSWERED, Outcome.CALLER_GAVE_UP})
"""Nobody waits after these: the call ends unless the plan says otherwise."""
OUTCOME_WORDS = tuple(outcome for outcome in Outcome if outcome is not Outcome.IN_PROGRESS)
"""The outcomes an `after` may name: a dial in progress has not ended yet."""

SKIPPABLE = (Outcome.REJECTED, Outcome.BUSY, Outcome.MISSED, Outcome.UNREACHABLE, Outcome.FAILED)
"""The outcomes that `skip` may name."""


class Table(BaseModel):
    """One TOML table: unknown keys are mistakes, and nothing changes after it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _not_empty(value: Any, info: ValidationInfo) -> Any:
    if not value:
        raise ValueError(f"{info.field_name} is empty; write at least one")
    return value


NOT_EMPTY = AfterValidator(_not_empty)
"""Refuses an empty list or table after its entries: a wrong entry is not reported as a missing one too."""


def _checked(check: xml_values.Check) -> BeforeValidator:
    def validate(value: Any, info: ValidationInfo) -> Any:
        return None if value is None else check(info.field_name or "it", value)

    return BeforeValidator(validate)


def _words(check: xml_values.Check) -> BeforeValidator:
    """Check a TOML list or table as the tuple that Plivo's XML takes."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        pairs = tuple(value.items()) if isinstance(value, dict) else value
        return check(info.field_name or "it", tuple(pairs) if isinstance(pairs, list) else pairs)

    return BeforeValidator(validate)


def _address(accepts: Callable[[str], bool], meaning: str) -> Callable[[str, object], str]:
    def check(label: str, value: object) -> str:
        if not isinstance(value, str):
            raise xml_values.XmlError(f"{label} is {value!r}; write {meaning}")
        try:
            address = parse_target(value)
        except ValueError as error:
            raise xml_values.XmlError(f"{label} is {value!r}; {error}") from error
        if not accepts(address):
            raise xml_values.XmlError(f"{label} is {value!r}; write {meaning}")
        return address

    return check


def _name(label: str, value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{label} is {value!r}; write a name of a to z, 0 to 9, - and _, a letter first")
    return value


def _table_name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name; write a to z, 0 to 9, - and _, a letter first, at most 40")
    return value


def _endpoint(value: object) -> str:
    """Return the address of a SIP endpoint of ours as Plivo writes it in From.

    Only Plivo's own host checks the password of a caller; a From of another host is whatever its sender wrote.
    """
    if not isinstance(value, str) or not _ENDPOINT.fullmatch(value):
        raise ValueError(f"{value!r} is no SIP endpoint of yours; write its address, such as sip:alice@phone.plivo.com")
    return f"sip:{value[4:].partition('@')[0]}@{_ENDPOINT_HOST}"


def _caller(value: object) -> str:
    return VIP if value == VIP else _endpoint(value)


def _prefix(value: object) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise ValueError(f"{value!r} is no prefix; write + and the first digits, such as +44 or +1415")
    return value


def _number(label: str, value: object) -> str:
    return DIALLED if value == DIALLED else _PHONE_NUMBER(label, value)


def _xml_url(accepts: xml_values.Check, hint: str) -> xml_values.Check:
    """Return a check for the URL of a document; `hint` says what to write for an audio file."""

    def check(label: str, value: object) -> str:
        address = str(accepts(label, value))
        if xml_values.is_audio_url(address):
            raise ValueError(f"{label} is {address!r}, an audio file where Plivo expects XML; write {hint}")
        return address

    return check


def _feed_address(value: object) -> str:
    """Return the address of a calendar: a URL, or the path of a file."""
    scheme, is_url, rest = value.partition("://") if isinstance(value, str) else ("", "", "")
    if is_url and scheme.lower() in {"https", "http", "webcal"}:
        return str(xml_values.url("the calendar", f"{scheme.lower().replace('webcal', 'https')}://{rest}"))
    if not isinstance(value, str) or is_url or not value.endswith(".ics"):
        raise ValueError(f"{value!r} is no calendar; write the URL of one, or the path of an .ics file")
    return value


def _called(value: object) -> str:
    return ANY_NUMBER if value == ANY_NUMBER else _address(lambda _: True, _CALLED)("the number", value)


def _stir(value: object) -> str:
    if value not in STIR_WORDS:
        raise ValueError(f"{value!r} is no result of STIR; write {', '.join(STIR_WORDS)}")
    return str(value)


def called_party(value: object) -> str:
    """Return a number or SIP user that may be called."""
    return _address(lambda _: True, "a number such as +14155550100, or a SIP user")("otherwise", value)


def _outcome(value: object) -> Outcome:
    if value not in OUTCOME_WORDS:
        raise ValueError(f"{value!r} is no outcome; write {', '.join(OUTCOME_WORDS)}")
    return Outcome(str(value))


def _skipped(value: object) -> Outcome:
    if value not in SKIPPABLE:
        raise ValueError(f"{value!r} cannot be skipped; write {', '.join(SKIPPABLE)}")
    return Outcome(str(value))


def _headers(label: str, value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, tuple) or not all(isinstance(pair, tuple) and isinstance(pair[1], str) for pair in value):
        raise ValueError(f'{label} is no table of texts; write {{ Team = "Sales" }}')
    return xml_values.sip_headers(label, value)


_PHONE_NUMBER = _address(xml_values.is_number, "a number with + and its country code, such as +14155550100")

Name = Annotated[str, _checked(_name)]
TableName = Annotated[str, BeforeValidator(_table_name)]
FeedAddress = Annotated[str, BeforeValidator(_feed_address)]
FeedEvents = Annotated[str, _checked(xml_values.matching("close|open", "close or open"))]
Called = Annotated[str, BeforeValidator(_called)]
OutcomeWord = Annotated[Outcome, BeforeValidator(_outcome)]
Caller = Annotated[str, BeforeValidator(_caller)]
Callers = Annotated[tuple[Caller, ...], BeforeValidator(lambda value: (VIP,) if value == VIP else value)]
ContactsFile = Annotated[
    str, _checked(xml_values.matching(r"[A-Za-z0-9][A-Za-z0-9._-]*\.csv", "the name of a .csv file"))
]
Prefix = Annotated[str, BeforeValidator(_prefix)]
Sentence = Annotated[str, _checked(xml_values.sentence)]
Ssml = Annotated[str, _checked(xml_values.ssml)]
Line = Annotated[str, _checked(xml_values.line)]
Flag = Annotated[bool, _checked(xml_values.flag)]
Audio = Annotated[str, _checked(xml_values.audio)]
ConfirmSound = Annotated[str, _checked(_xml_url(xml_values.url, 'confirm_prompt = { play = "…" } in its place'))]
DialMusic = Annotated[str, _checked(_xml_url(xml_values.dial_music, 'dial_music = { play = "…" }'))]
RedirectUrl = Annotated[str, _checked(_xml_url(xml_values.url, "play in place of redirect"))]
Method = Annotated[str, _checked(xml_values.method)]
PhoneNumber = Annotated[str, _checked(_number)]
SipUser = Annotated[str, _checked(_address(xml_values.is_sip_address, "a SIP user such as sip:alice@phone.plivo.com"))]
CallerId = Annotated[str, _checked(_address(lambda _: True, "a number such as +14155550100, or a SIP user"))]
CallerName = Annotated[str, _checked(xml_values.caller_name)]
RingSeconds = Annotated[int, _checked(xml_values.between(1, xml_values.MAX_RING_SECONDS))]
TalkSeconds = Annotated[int, _checked(xml_values.between(1, xml_values.MAX_TIME_LIMIT_SECONDS))]
RecordedSeconds = Annotated[
    int, _checked(xml_values.between(xml_values.MIN_RECORDED_SECONDS, xml_values.MAX_TIME_LIMIT_SECONDS))
]
PauseSeconds = Annotated[int, _checked(xml_values.between(1, 60))]
TotalSeconds = Annotated[int, _checked(xml_values.between(1, 3600))]
SilenceSeconds = Annotated[int, _checked(xml_values.between(1, 60))]
Rounds = Annotated[int, _checked(xml_values.between(1, 100, "rounds"))]
Times = Annotated[int, _checked(xml_values.count)]
Key = Annotated[str, _checked(xml_values.key)]
FinishKeys = Annotated[str, _checked(xml_values.finish_keys)]
SendDigits = Annotated[str, _checked(xml_values.send_digits)]
DigitStrings = Annotated[tuple[str, ...], _words(xml_values.digit_strings)]
SipHeaders = Annotated[tuple[tuple[str, str], ...], _words(_headers)]
Password = Annotated[str, _checked(xml_values.secret)]
Voice = Annotated[str, _checked(xml_values.voice)]
Language = Annotated[str, _checked(xml_values.language)]
CallType = Annotated[str, _checked(xml_values.matching("voice|whatsapp", "voice or whatsapp"))]
Stir = Annotated[str, BeforeValidator(_stir)]
RecordChannels = Annotated[str, _checked(xml_values.matching("mono|stereo", "mono or stereo"))]
Order = Annotated[str, _checked(xml_values.one_of("together", "in_turn", "shuffled", "rotating", "longest_idle"))]
RingOrSkip = Annotated[str, _checked(xml_values.one_of("ring", "skip"))]
LastOrNever = Annotated[str, _checked(xml_values.one_of("last", "never"))]
Skipped = Annotated[Outcome, BeforeValidator(_skipped)]
Failures = Annotated[int, _checked(xml_values.between(1, 10, "failures"))]
DeadMinutes = Annotated[int, _checked(xml_values.between(1, 1440, "minutes"))]
DigitsMode = Annotated[str, _checked(xml_values.matching("rfc2833", "rfc2833"))]
FileFormat = Annotated[str, _checked(xml_values.matching("mp3|wav", "mp3 or wav"))]
HangupReason = Annotated[str, _checked(xml_values.matching("normal|busy|rejected", "normal, busy or rejected"))]
