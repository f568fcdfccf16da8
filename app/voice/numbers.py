"""Telephone numbers and SIP addresses: one form to keep and compare, one masked form to log."""

import re
from functools import lru_cache

import phonenumbers

# Plivo writes the same caller with and without "+" within one call; a national number or a short code must
# not become an international one, so only 8 to 15 digits without a leading zero count as E.164.
_SHORTEST, _LONGEST = 8, 15
_LONGEST_CACHED = 64  # No number is longer; texts of any length would make a cache of any size.
_PUNCTUATION = str.maketrans("", "", " \t\u00a0().-/")
_WRITTEN_NUMBER = re.compile(r"\+[0-9 ().\-/]+")
_E164 = re.compile(r"\+[0-9]{8,15}")
_SIP_ADDRESS = re.compile(
    r"sip:([\w.+~*%!-]+)@([a-z0-9.-]+(?::[0-9]{1,5})?(?:;[\w.+~*%!-]+(?:=[\w.+~*%!:-]+)?)*)", re.ASCII | re.IGNORECASE
)
ANONYMOUS = "anonymous"
NOT_A_PERSON = frozenset({ANONYMOUS, "blocked", "private", "restricted", "unavailable", "unknown", "withheld"})
"""What a hidden caller is called in the place of a number."""
# A network that carries digits alone sends such a word as the keys of its letters: 7378742833 is RESTRICTED.
_KEYS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
_NOT_A_PERSON_KEYS = frozenset(word.translate(_KEYS) for word in NOT_A_PERSON)
_ANONYMOUS_WORDS = NOT_A_PERSON | {"number withheld"}
# Some carriers cut the keys to the ten digits of a North American number, some write its country code before them.
_ANONYMOUS_KEYS = frozenset(
    f"{country}{keys[:length]}"
    for keys in (word.translate(_KEYS).replace(" ", "") for word in _ANONYMOUS_WORDS)
    for country in ("", "1")
    for length in (len(keys), 10)
)
_WHAT_TO_WRITE = (
    "write a number with + and its country code such as +14155550100, or a SIP user such as sip:alice@phone.plivo.com"
)


def normalise(raw: str | None) -> str | None:
    """Return the form of a webhook's From or To that is kept and compared; None when there is none.

    E.164 when it is a number, with "+", with the international prefix 00, or bare (Plivo sends the same number in
    several ways); a SIP address with scheme and host in lower case; `anonymous` for a caller who is hidden behind the
    keypad digits of such a word; anything else (short codes, national numbers) as it came. Never raises.
    """
    if raw is None or len(raw) > _LONGEST_CACHED:
        return _normalise(raw or "")
    return _cached(raw)


def _normalise(raw: str) -> str | None:
    text = raw.strip()
    if not text:
        return None
    if text[:4].lower() == "sip:":
        user, at, host = text[4:].partition("@")
        return f"sip:{user}{at}{host.lower()}"
    # Punctuation without a prefix is national, and the country is not known.
    is_international = text[0] == "+" or text[:2] == "00"
    digits = text.removeprefix("+").translate(_PUNCTUATION) if is_international else text
    if digits.isdigit() and digits.isascii():
        if digits[:2] == "00":
            digits = digits[2:]
        if digits in _NOT_A_PERSON_KEYS:
            return ANONYMOUS
        if _SHORTEST <= len(digits) <= _LONGEST and digits[0] != "0":
            return f"+{digits}"
    return text


# One call brings the same numbers several times, and many calls the number that was called.
_cached = lru_cache(maxsize=4096)(_normalise)


def identities(raw: str | None) -> frozenset[str]:
    """Return every form that names this party: the number, or the SIP address and the number it holds, if any.

    A SIP address loses its parameters, such as `;transport=tcp`: they say how to reach it, not who it is.
    """
    known = normalise(raw)
    if known is None or not known.startswith("sip:"):
        return frozenset() if known is None else frozenset({known})
    user, at, host = known[4:].partition("@")
    number = normalise(user.partition(";")[0]) or ""
    address = f"sip:{user}{at}{host.partition(';')[0]}"
    return frozenset({address, number}) if number.startswith("+") else frozenset({address})


def is_anonymous(caller: str | None) -> bool:
    """Return whether a webhook's From names nobody."""
    word = (normalise(caller) or ANONYMOUS).casefold().removeprefix("sip:").partition("@")[0]
    return not word or word in _ANONYMOUS_WORDS or word.removeprefix("+") in _ANONYMOUS_KEYS


def parse_target(text: str) -> str:
    """Return what a person wrote as E.164 or `sip:user@host`.

    Raises ValueError with what to write instead. A number must be possible by its country's plan, not
    assigned: people try things with 555 numbers. Without "+" it is refused: its country would be a guess.
    """
    text = text.strip()
    if address := _SIP_ADDRESS.fullmatch(text):
        return f"sip:{address[1]}@{address[2].lower()}"
    if not _WRITTEN_NUMBER.fullmatch(text):
        raise ValueError(_WHAT_TO_WRITE)
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException as error:
        raise ValueError(_WHAT_TO_WRITE) from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError(f"no telephone has this number; {_WHAT_TO_WRITE}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=4096)  # Pages and notices repeat the same few numbers.
def spaced(number: str) -> str:
    """Return a number in groups of digits, as people write it (`+1 415-555-0100`); anything else as it is."""
    if not _E164.fullmatch(number):
        return number
    try:
        return phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    except phonenumbers.NumberParseException:
        return number


def last_digits(number: str | None) -> str:
    """Return the last four digits, the only ones a log may show; fewer when there are fewer."""
    return "".join(character for character in number or "" if character in "0123456789")[-4:]


def mask(number: str | None) -> str | None:
    """Return `…0100` for `+14155550100`, `sip:…` for a SIP user; a word like anonymous and None stay."""
    if number is None:
        return None
    if number[:1] == "+" and len(number) > 5 and number[1:].isdecimal() and number.isascii():
        return f"…{number[-4:]}"  # The fast path for nearly every number.
    if number.lower() in NOT_A_PERSON:
        return number
    if number[:4].lower() == "sip:":
        return f"sip:…{last_digits(number[4:].partition('@')[0])}"
    return f"…{last_digits(number)}"
