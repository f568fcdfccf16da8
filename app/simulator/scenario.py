"""Scenarios as data: who answers, after how long, and why the call ends. All are read from TOML."""

import random
import tomllib
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Behaviour(StrEnum):
    """What a called person or line does."""

    ANSWERS = "answers"
    RINGS = "rings"
    NO_ANSWER = "no-answer"
    BUSY = "busy"
    REJECTS = "rejects"
    UNREACHABLE = "unreachable"
    UNREGISTERED = "unregistered"
    CARRIER_FAILURE = "carrier-failure"
    UNREGISTERED_RINGS = "unregistered-rings"
    NOBODY = "nobody"
    CANCELS = "cancels"
    SIP_AUTH_REFUSED = "sip-auth-refused"
    SIP_AUTH_FAILED = "sip-auth-failed"
    SIP_AUTH_TIMEOUT = "sip-auth-timeout"


class EndedBy(StrEnum):
    """Who ends a conversation; `star`: the caller presses * where the Dial allows it."""

    CALLEE = "callee"
    CALLER = "caller"
    STAR = "star"


class Presser(StrEnum):
    """Who presses the digits that the Dial listens for."""

    CALLER = "caller"
    CALLEE = "callee"


class MessageEndedBy(StrEnum):
    """How the caller ends a message: the finish key, or hanging up."""

    KEY = "key"
    HANGUP = "hangup"


class _TomlTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Person(_TomlTable):
    """The person or line behind one target. In seconds: `after` until it happens, `talks` once connected."""

    does: Behaviour
    after: float = Field(default=6, ge=0, le=86_400)
    talks: float = Field(default=40, ge=0, le=86_400)
    ended_by: EndedBy = EndedBy.CALLEE
    accepts_key: bool = True
    refusal_is_reported_completed: bool = False
    digits_by: Presser | None = None


class DialScript(_TomlTable):
    """The people behind the targets of one Dial, in order; the last stands for all further targets."""

    person: tuple[Person, ...] = Field(min_length=1)


class Scenario(_TomlTable):
    """One kind of call.

    `dial` describes the call's Dials in order; the last stands for all further ones. `caller_gives_up_after`
    counts seconds from the beginning of the call and holds until somebody is connected. `message` is the length
    of a voicemail in seconds; without it the caller hangs up at the beep. `called` makes it an outbound API call
    to this person.
    """

    name: str = Field(min_length=1, max_length=60)
    about: str = ""
    weight: float = Field(default=1, ge=0)
    dial: tuple[DialScript, ...] = Field(min_length=1)
    caller_gives_up_after: float | None = Field(default=None, ge=0)
    asks_action_after_caller_left: bool = True
    hangup_url: bool = True
    message: float | None = Field(default=None, gt=0)
    message_ended_by: MessageEndedBy = MessageEndedBy.KEY
    digits: str | None = None
    called: Person | None = None
    phlo: bool = False

    def person(self, dial: int, target: int) -> Person:
        """Return the person behind a target; dials and targets are counted from 0."""
        people = self.dial[min(dial, len(self.dial) - 1)].person
        return people[min(target, len(people) - 1)]


class _Script(_TomlTable):
    scenario: tuple[Scenario, ...] = Field(min_length=1)


class ScriptError(Exception):
    """A script cannot be read; the message names the file, the table, the key and the remedy."""


def load_scenarios(path: Path) -> tuple[Scenario, ...]:
    """Return the scenarios of a TOML file, or raise ScriptError."""
    try:
        script = _Script.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise ScriptError("\n".join(_problem(path, fault["loc"], fault["msg"]) for fault in error.errors())) from error
    names = [scenario.name for scenario in script.scenario]
    for name in names:
        if names.count(name) > 1:
            raise ScriptError(f"{path}: two scenarios are named {name!r}; rename one of them")
    return script.scenario


@cache
def built_in() -> tuple[Scenario, ...]:
    """Return the scenarios that come with the simulator."""
    return load_scenarios(Path(__file__).with_name("scenarios.toml"))


def pick(scenarios: Sequence[Scenario], rng: random.Random) -> Scenario:
    """Return a random scenario by weight."""
    return rng.choices(scenarios, weights=[scenario.weight for scenario in scenarios])[0]


def vary(scenario: Scenario, rng: random.Random) -> Scenario:
    """Return a scenario with random ringing and talking times around its own, as on a real line.

    All people of a Dial are shifted by the same time, so that the first to act stays the first.
    """
    message = None if scenario.message is None else max(1, round(scenario.message * rng.uniform(0.4, 2.5)))
    return scenario.model_copy(
        update={"dial": tuple(_vary_dial(dial, rng) for dial in scenario.dial), "message": message}
    )


def _vary_dial(dial: DialScript, rng: random.Random) -> DialScript:
    first = int(min(person.after for person in dial.person))
    shift = rng.randint(-(first // 2), first * 3 // 4)
    longer = min(rng.lognormvariate(0, 0.8), 15)  # Most conversations are short, a few are very long.
    return DialScript(
        person=tuple(
            person.model_copy(
                update={
                    "after": person.after + shift,
                    "talks": max(1, round(person.talks * longer)) if person.talks else 0,
                }
            )
            for person in dial.person
        )
    )


def _problem(path: Path, location: tuple[int | str, ...], message: str) -> str:
    """Return one fault of a script as `file: table.key: problem`; tables are counted from 1."""
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in location)
    return f"{path}: {place or 'file'}: {message}"
