"""Faults of the wire, as written on the command line: `lost:action@0.1`, `slow:2s`, `reorder`."""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.simulator.ground_truth import RequestKind


class FaultKind(StrEnum):
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
    """A fault cannot be parsed; the message says what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, for these kinds of request, with this probability; `seconds` is the pause of `slow`."""

    kind: FaultKind
    requests: frozenset[RequestKind]
    probability: float = 1.0
    seconds: float = 0.0


_ALL = frozenset(RequestKind)
_NOTICES = frozenset(kind for kind in RequestKind if kind.is_notice)
_TARGETS = {
    "control": _ALL - _NOTICES,
    "notice": _NOTICES,
    **{kind.value: frozenset({kind}) for kind in RequestKind},
}
_FAULT = re.compile(r"(?P<kind>[a-z-]+)(?P<rest>(:[^:@]+)*)(@(?P<probability>[0-9.]+))?")
_PAUSE = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>ms|s)")


def parse_fault(text: str) -> Fault:
    """Parse `WHAT[:REQUEST][:PAUSE][@PROBABILITY]`, or raise FaultError."""
    found = _FAULT.fullmatch(text.strip())
    if found is None:
        raise FaultError(f"{text!r} is not a fault; write it as lost:action@0.1")
    try:
        kind = FaultKind(found["kind"])
    except ValueError as error:
        raise FaultError(f"{found['kind']!r} is not a fault; write one of {', '.join(FaultKind)}") from error
    requests, seconds = _parse_words(found["rest"].split(":")[1:])
    if kind is FaultKind.SLOW and not seconds:
        raise FaultError(f"{text!r} has no pause; write slow:2s")
    if kind is FaultKind.REORDER:
        requests &= _NOTICES
    return Fault(kind=kind, requests=requests, seconds=seconds, probability=_parse_probability(found["probability"]))


def find_fault(faults: Iterable[Fault], kind: FaultKind, request: RequestKind, rng: random.Random) -> Fault | None:
    """Return the first fault of this kind that hits this request, if any; each throws its own dice."""
    candidates = (fault for fault in faults if fault.kind is kind and request in fault.requests)
    return next((fault for fault in candidates if rng.random() < fault.probability), None)


def _parse_words(words: list[str]) -> tuple[frozenset[RequestKind], float]:
    requests, seconds = _ALL, 0.0
    for word in words:
        if word in _TARGETS:
            requests = _TARGETS[word]
        elif pause := _PAUSE.fullmatch(word):
            seconds = float(pause["number"]) / (1000 if pause["unit"] == "ms" else 1)
        else:
            raise FaultError(f"{word!r} is neither a request nor a time; write one of {', '.join(_TARGETS)}, or 2s")
    return requests, seconds


def _parse_probability(text: str | None) -> float:
    try:
        probability = 1.0 if text is None else float(text)
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        raise FaultError(f"the probability is {text}; write a number from 0 to 1, as @0.05")
    return probability
