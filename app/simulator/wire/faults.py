"""The faults of a wire, read from the command line: `lost:action@0.1`, `slow:2s`, `reorder`."""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.simulator.ground_truth import Kind


class Breakage(StrEnum):
    """What can go wrong with a request."""

    LOST = "lost"
    DUPLICATE = "duplicate"
    LATE = "late"
    REORDER = "reorder"
    SLOW = "slow"
    BAD_SIGNATURE = "bad-signature"
    UNSIGNED = "unsigned"
    DISCONNECT = "disconnect"


class FaultError(ValueError):
    """A fault cannot be read; the message says what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way of breaking the wire, for these kinds of request, with this probability.

    `seconds` is the pause of `slow`.
    """

    breakage: Breakage
    kinds: frozenset[Kind]
    probability: float = 1.0
    seconds: float = 0.0

    def strikes(self, kind: Kind, chance: random.Random) -> bool:
        """Throw the dice for one request."""
        return kind in self.kinds and chance.random() < self.probability


_ALL = frozenset(Kind)
_NOTICES = frozenset(kind for kind in Kind if kind.is_notice)
_TARGETS = {"control": _ALL - _NOTICES, "notice": _NOTICES} | {kind.value: frozenset({kind}) for kind in Kind}
_FAULT = re.compile(r"(?P<what>[a-z-]+)(?P<rest>(:[^:@]+)*)(@(?P<probability>[0-9.]+))?")
_PAUSE = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>ms|s)")


def parse_fault(text: str) -> Fault:
    """Read `WHAT[:REQUEST][:PAUSE][@PROBABILITY]`, or raise FaultError."""
    found = _FAULT.fullmatch(text.strip())
    if found is None:
        raise FaultError(f"{text!r} is not a fault; write it as lost:action@0.1")
    try:
        breakage = Breakage(found["what"])
    except ValueError as error:
        raise FaultError(f"{found['what']!r} is not a fault; write one of {', '.join(Breakage)}") from error
    kinds, seconds = _read_words(found["rest"].split(":")[1:])
    if breakage is Breakage.SLOW and not seconds:
        raise FaultError(f"{text!r} does not say how slow; write slow:2s")
    if breakage is Breakage.REORDER:
        kinds &= _NOTICES
    return Fault(breakage=breakage, kinds=kinds, seconds=seconds, probability=_read_probability(found["probability"]))


def striking(faults: Iterable[Fault], breakage: Breakage, kind: Kind, chance: random.Random) -> Fault | None:
    """Return the fault of this sort that strikes this request, if one does."""
    return next((fault for fault in faults if fault.breakage is breakage and fault.strikes(kind, chance)), None)


def _read_words(words: list[str]) -> tuple[frozenset[Kind], float]:
    kinds, seconds = _ALL, 0.0
    for word in words:
        if word in _TARGETS:
            kinds = _TARGETS[word]
        elif pause := _PAUSE.fullmatch(word):
            seconds = float(pause["number"]) / (1000 if pause["unit"] == "ms" else 1)
        else:
            raise FaultError(f"{word!r} is neither a request nor a time; write one of {', '.join(_TARGETS)}, or 2s")
    return kinds, seconds


def _read_probability(text: str | None) -> float:
    try:
        probability = 1.0 if text is None else float(text)
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        raise FaultError(f"the probability is {text}; write a number from 0 to 1, as @0.05")
    return probability
