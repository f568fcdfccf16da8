"""Who calls: anonymous callers, and the patterns that block a caller."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from app.plan.table import Table
from app.plan.values import Name
from app.voice.numbers import normalise, parse_target

ANONYMOUS = "anonymous"
_ANONYMOUS_WORDS = frozenset({ANONYMOUS, "restricted", "unavailable", "unknown", "private", "withheld"})
_ANONYMOUS_NUMBER = "+266696687"  # The word ANONYMOUS on a telephone's keys; carriers send it.
_PREFIX = re.compile(r"\+[1-9][0-9]{0,13}\*")


def is_anonymous(caller: str | None) -> bool:
    """Tell whether a webhook's From names nobody."""
    word = (normalise(caller) or ANONYMOUS).casefold().removeprefix("sip:").partition("@")[0]
    return not word or word in _ANONYMOUS_WORDS or word == _ANONYMOUS_NUMBER


def _number_or_address(caller: str | None) -> str | None:
    """Take the number out of a SIP address whose user is one, as carriers send callers."""
    if caller is not None and caller[:4].casefold() == "sip:":
        user = normalise(caller[4:].partition("@")[0])
        return user if user is not None and user.startswith("+") else normalise(caller)
    return normalise(caller)


def _pattern(value: object) -> str:
    if isinstance(value, str) and (value == ANONYMOUS or _PREFIX.fullmatch(value)):
        return value
    try:
        return parse_target(str(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no caller; write +19005550100, +1900* or anonymous") from error


class Blocked(Table):
    """Callers who do not get through, and the ending they hear instead."""

    callers: Annotated[tuple[Annotated[str, BeforeValidator(_pattern)], ...], Field(min_length=1)]
    ending: Name = "rejected"

    def names(self, caller: str | None) -> bool:
        """Tell whether a pattern covers this caller: exact, by prefix, or anonymous."""
        if is_anonymous(caller):
            return ANONYMOUS in self.callers
        known = _number_or_address(caller) or ""
        return any(
            known.startswith(pattern[:-1]) if pattern.endswith("*") else known == pattern for pattern in self.callers
        )
