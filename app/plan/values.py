"""The values of a plan's keys: each type checks itself and says what to write instead.

What Plivo allows is checked by `voice.xml_values`, once; here those checks become types of the models.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

from app.voice import xml_values
from app.voice.numbers import parse_target
from app.voice.outcome import Outcome

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_CALLED = "one of your numbers such as +14155550100, or *"

ANY_NUMBER = "*"
QUIET_OUTCOMES = frozenset({Outcome.ANSWERED, Outcome.CALLER_GAVE_UP})
"""Nobody waits after these, so that a plan which says nothing about them ends the call."""
OUTCOME_WORDS = tuple(outcome for outcome in Outcome if outcome is not Outcome.IN_PROGRESS)
"""The outcomes an `after` may name: a dial in progress has not ended yet."""


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


def _called(value: object) -> str:
    return ANY_NUMBER if value == ANY_NUMBER else _address(lambda _: True, _CALLED)("the number", value)


def _outcome(value: object) -> Outcome:
    if value not in OUTCOME_WORDS:
        raise ValueError(f"{value!r} is no outcome; write {', '.join(OUTCOME_WORDS)}")
    return Outcome(str(value))


def _headers(label: str, value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, tuple) or not all(isinstance(pair, tuple) and isinstance(pair[1], str) for pair in value):
        raise ValueError(f'{label} is no table of texts; write {{ Team = "Sales" }}')
    return xml_values.sip_headers(label, value)


Name = Annotated[str, _checked(_name)]
TableName = Annotated[str, BeforeValidator(_table_name)]
Called = Annotated[str, BeforeValidator(_called)]
OutcomeWord = Annotated[Outcome, BeforeValidator(_outcome)]
Text = Annotated[str, _checked(xml_values.text)]
Line = Annotated[str, _checked(xml_values.line)]
Flag = Annotated[bool, _checked(xml_values.flag)]
Url = Annotated[str, _checked(xml_values.url)]
Method = Annotated[str, _checked(xml_values.method)]
PhoneNumber = Annotated[
    str,
    _checked(_address(xml_values.is_number, "a number with + and its country code, such as +14155550100")),
]
SipUser = Annotated[str, _checked(_address(xml_values.is_sip_address, "a SIP user such as sip:alice@phone.plivo.com"))]
CallerId = Annotated[str, _checked(_address(lambda _: True, "a number such as +14155550100, or a SIP user"))]
CallerName = Annotated[str, _checked(xml_values.caller_name)]
RingSeconds = Annotated[int, _checked(xml_values.between(1, xml_values.MAX_RING_SECONDS))]
TalkSeconds = Annotated[int, _checked(xml_values.between(1, xml_values.MAX_TIME_LIMIT_SECONDS))]
TotalSeconds = Annotated[int, _checked(xml_values.between(1, 3600))]
SilenceSeconds = Annotated[int, _checked(xml_values.between(1, 60))]
Rounds = Annotated[int, _checked(xml_values.between(1, 100, "rounds"))]
Times = Annotated[int, _checked(xml_values.count)]
Key = Annotated[str, _checked(xml_values.key)]
Keys = Annotated[str, _checked(xml_values.keys)]
SendDigits = Annotated[str, _checked(xml_values.send_digits)]
DigitStrings = Annotated[tuple[str, ...], _words(xml_values.digit_strings)]
SipHeaders = Annotated[tuple[tuple[str, str], ...], _words(_headers)]
Password = Annotated[str, _checked(xml_values.secret)]
Voice = Annotated[str, _checked(xml_values.voice)]
Language = Annotated[str, _checked(xml_values.language)]
DialMusic = Annotated[str, _checked(xml_values.dial_music)]
CallType = Annotated[str, _checked(xml_values.matching("voice|whatsapp", "voice or whatsapp"))]
DigitsMode = Annotated[str, _checked(xml_values.matching("rfc2833", "rfc2833"))]
FileFormat = Annotated[str, _checked(xml_values.matching("mp3|wav", "mp3 or wav"))]
HangupReason = Annotated[str, _checked(xml_values.matching("normal|busy|rejected", "normal, busy or rejected"))]
