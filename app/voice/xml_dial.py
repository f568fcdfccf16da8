"""The elements that ring somebody: Dial, Number and User."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from app.voice import xml_values as values
from app.voice.xml_element import DialElement, Element, NumberElement, UserElement, optional, required
from app.voice.xml_values import XmlError

_SKILL, _NODE = "one of Plivo's skills", "Plivo's Node.js SDK"


@dataclass(frozen=True, kw_only=True, slots=True)
class Number(Element):
    """A phone number that rings in a Dial (Plivo, Dial XML reference: Number)."""

    sdk = NumberElement
    body = "number"
    beyond_sdk = frozenset({"sip_headers", "caller_id", "caller_name"})
    beyond_reference: ClassVar[Mapping[str, str]] = {
        "send_digits_mode": "some of Plivo's SDKs",
        "sip_headers": _SKILL,
        "caller_id": _NODE,
        "caller_name": _NODE,
    }

    number: str = required(values.number)
    send_digits: str | None = optional(values.send_digits)
    send_on_preanswer: bool | None = optional(values.flag)
    send_digits_mode: str | None = optional(values.matching("rfc2833", "rfc2833"))
    sip_headers: tuple[tuple[str, str], ...] | None = optional(values.sip_headers)
    caller_id: str | None = optional(values.caller_id)
    caller_name: str | None = optional(values.caller_name)


@dataclass(frozen=True, kw_only=True, slots=True)
class User(Element):
    """A SIP endpoint that rings in a Dial (Plivo, Dial XML reference: User)."""

    sdk = UserElement
    body = "address"
    beyond_sdk = frozenset({"sip_auth_username", "sip_auth_password", "caller_id", "caller_name"})
    beyond_reference: ClassVar[Mapping[str, str]] = {
        "sip_auth_username": _SKILL,
        "sip_auth_password": _SKILL,
        "caller_id": _NODE,
        "caller_name": _NODE,
    }

    address: str = required(values.sip_address)
    send_digits: str | None = optional(values.send_digits)
    send_on_preanswer: bool | None = optional(values.flag)
    sip_headers: tuple[tuple[str, str], ...] | None = optional(values.sip_headers)
    sip_auth_username: str | None = optional(values.line)
    sip_auth_password: str | None = field(default=None, repr=False, metadata={"check": values.secret})
    caller_id: str | None = optional(values.caller_id)
    caller_name: str | None = optional(values.caller_name)

    def check_together(self) -> None:
        if (self.sip_auth_username is None) != (self.sip_auth_password is None):
            raise XmlError("User sipAuthUsername and sipAuthPassword need each other; give both or neither")


def _targets(label: str, value: object) -> tuple[Any, ...]:
    if not isinstance(value, tuple) or not value or not all(isinstance(item, Number | User) for item in value):
        raise XmlError(f"{label} is {value!r}; give at least one Number or User")
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Dial(Element):
    """Ring every target at once; the first to answer talks (Plivo, Dial XML reference).

    `timeout`, `time_limit` and `confirm_timeout` are seconds.
    """

    sdk = DialElement
    nested = "targets"
    beyond_sdk = frozenset({"machine_detection", "call_type"})
    beyond_reference: ClassVar[Mapping[str, str]] = {"machine_detection": "Plivo's Go SDK", "call_type": _SKILL}

    targets: tuple[Number | User, ...] = required(_targets)
    action: str | None = optional(values.url)
    method: str | None = optional(values.method)
    redirect: bool | None = optional(values.flag)
    callback_url: str | None = optional(values.url)
    callback_method: str | None = optional(values.method)
    timeout: int | None = optional(values.between(1, values.MAX_RING_SECONDS))
    time_limit: int | None = optional(values.between(1, values.MAX_TIME_LIMIT_SECONDS))
    caller_id: str | None = optional(values.caller_id)
    caller_name: str | None = optional(values.caller_name)
    confirm_sound: str | None = optional(values.url)
    confirm_key: str | None = optional(values.key)
    confirm_timeout: int | None = optional(values.between(1, values.MAX_RING_SECONDS))
    dial_music: str | None = optional(values.dial_music)
    hangup_on_star: bool | None = optional(values.flag)
    digits_match: tuple[str, ...] | None = optional(values.digit_strings)
    digits_match_b_leg: tuple[str, ...] | None = optional(values.digit_strings)
    sip_headers: tuple[tuple[str, str], ...] | None = optional(values.sip_headers)
    machine_detection: bool | None = optional(values.flag)
    call_type: str | None = optional(values.matching("voice|whatsapp", "voice or whatsapp"))

    def check_together(self) -> None:
        if self.confirm_key is not None and self.confirm_sound is None:
            raise XmlError("Dial confirmKey needs confirmSound; give the URL that tells the callee which key")
        if self.confirm_timeout is not None and self.confirm_sound is None:
            raise XmlError("Dial confirmTimeout needs confirmSound; give its URL or leave the timeout out")
        if (self.digits_match or self.digits_match_b_leg) and self.callback_url is None:
            raise XmlError("Dial digitsMatch needs callbackUrl; the matched digits are reported there")
