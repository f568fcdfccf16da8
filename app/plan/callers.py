"""Who calls: the direction of a call, anonymous callers, and the patterns that block a caller."""

import re
from collections.abc import Collection
from typing import Annotated

from pydantic import BeforeValidator

from app.plan.values import NOT_EMPTY, Name, Stir, Table
from app.voice.events import CallFacts
from app.voice.numbers import ANONYMOUS, identities, is_anonymous, parse_target

_PREFIX = re.compile(r"\+[1-9][0-9]{0,13}\*")


def is_outgoing(call: CallFacts) -> bool:
    """Return whether the API placed the call: From is then our number, and To the person who is called."""
    return (call.direction or "").casefold() == "outbound"


def has_stir(call: CallFacts, words: Collection[str]) -> bool:
    """Return whether Plivo reports one of these results of STIR; a report without any matches none."""
    said = {(word or "").casefold() for word in (call.verification, call.attestation)}
    return any(word.casefold() in said for word in words)


def _pattern(value: object) -> str:
    if isinstance(value, str) and (value == ANONYMOUS or _PREFIX.fullmatch(value)):
        return value
    try:
        return parse_target(str(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no caller; write +19005550100, +1900* or anonymous") from error


class Blocked(Table):
    """Callers who do not get through, and the ending they hear instead."""

    callers: Annotated[tuple[Annotated[str, BeforeValidator(_pattern)], ...], NOT_EMPTY] = ()
    stir: Annotated[tuple[Stir, ...], NOT_EMPTY] = ()
    ending: Name = "rejected"

    def names(self, call: CallFacts) -> bool:
        """Return whether the caller is blocked: by STIR, or by a pattern that is exact, a prefix, or anonymous."""
        if self.stir and has_stir(call, self.stir):
            return True
        if is_anonymous(call.from_number):
            return ANONYMOUS in self.callers
        known = identities(call.from_number)
        return any(
            any(party.startswith(pattern[:-1]) for party in known) if pattern.endswith("*") else pattern in known
            for pattern in self.callers
        )
