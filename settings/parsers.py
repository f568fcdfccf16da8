"""Parsers of settings: from text to value. Each raises ValueError with what to write instead."""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import phonenumbers

from settings.declaration import Parser

ROOT = Path(__file__).resolve().parents[1]  # Relative paths start here, whatever directory a command is run in.


def integer(low: int, high: int) -> Parser:
    """Return a parser of whole numbers in a range."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return int(text)

    return parse


def seconds(low: float, high: float) -> Parser:
    """Return a parser of seconds in a range."""

    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not low <= float(text) <= high:
            raise ValueError(f"write seconds from {low} to {high}")
        return float(text)

    return parse


def choice(*words: str, kind: Callable[[str], object] = str) -> Parser:
    """Return a parser of a closed set of words, in any case; `kind` makes the value."""

    def parse(text: str) -> object:
        for word in words:
            if word.lower() == text.lower():
                return kind(word)
        raise ValueError(f"write {', '.join(words[:-1])} or {words[-1]}")

    return parse


def boolean(text: str) -> bool:
    """Return true or false."""
    if text.lower() in {"true", "yes", "on", "1"}:
        return True
    if text.lower() in {"false", "no", "off", "0"}:
        return False
    raise ValueError("write true or false")


def word(text: str) -> str:
    """Return a text of visible ASCII characters."""
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("write it without spaces and in plain ASCII")
    return text


def words(text: str) -> tuple[str, ...]:
    """Return words separated by commas, each once."""
    found = tuple(dict.fromkeys(word(part.strip()) for part in text.split(",") if part.strip()))
    if text and not found:
        raise ValueError("write at least one between the commas")
    return found


def auth_tokens(text: str) -> tuple[str, ...]:
    """Return the account's tokens, each as the console shows it."""
    found = words(text)
    if re.search(r"[][<>{}$#;&|\\]", text):
        raise ValueError("write it as Plivo's console shows it, without brackets, $, # and ;")
    return found


def token(text: str) -> str:
    """Return a secret that cannot be guessed."""
    if not re.fullmatch(r"[!-~]{16,}", text):
        raise ValueError("write at least 16 characters of plain ASCII without spaces, best random ones")
    return text


def host(text: str) -> str:
    """Return a host as it stands before a port: an IPv6 address in brackets."""
    try:
        address = ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        if not re.fullmatch(r"[a-z0-9_.-]+", text, re.IGNORECASE):
            raise ValueError("write an address of this machine, such as 127.0.0.1, 0.0.0.0 or ::1") from None
        return text
    return f"[{address}]" if address.version == 6 else str(address)


_SIP_ADDRESS = re.compile(
    r"sip:([\w.+~*%!-]+)@([a-z0-9.-]+(?::[0-9]{1,5})?(?:;[\w.+~*%!-]+(?:=[\w.+~*%!:-]+)?)*)", re.ASCII | re.IGNORECASE
)


def target(text: str) -> str:
    """Return a number in E.164 or a SIP address.

    The rules are those of `app.voice.numbers.parse_target`, which cannot be imported without loading the application;
    a test holds the two together.
    """
    what = "write +14155550100 (with country code) or sip:alice@phone.plivo.com"
    if sip := _SIP_ADDRESS.fullmatch(text):
        return f"sip:{sip[1]}@{sip[2].lower()}"
    if not text:
        raise ValueError(f"an empty number cannot be called; {what}")
    try:
        number = phonenumbers.parse(text if re.fullmatch(r"\+[0-9 ().\-/]+", text) else "")
    except phonenumbers.NumberParseException as error:
        raise ValueError(what) from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError(f"no telephone has this number; {what}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def targets(text: str) -> tuple[str, ...]:
    """Return targets separated by commas, each once."""
    return tuple(dict.fromkeys(target(part.strip()) for part in text.split(",")))


def directory(text: str) -> Path:
    """Return an absolute path."""
    return ROOT / Path(text).expanduser()


def file(text: str) -> Path:
    """Return the absolute path of a file that can be read."""
    path = ROOT / Path(text).expanduser()
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"{error.strerror}; write the path of a readable file") from error
    return path


def zone(text: str) -> ZoneInfo:
    """Return a time zone."""
    try:
        return ZoneInfo(text)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError("write the name of a time zone such as UTC or Europe/Paris") from error
