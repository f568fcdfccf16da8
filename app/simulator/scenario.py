"""Scenarios as data: who answers, after how long, and why it ended. Read from TOML, the built-in ones too."""

import random
import tomllib
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Does(StrEnum):
    """What somebody who is called does."""

    ANSWERS = "answers"
    RINGS = "rings"
    NO_ANSWER = "no-answer"
    BUSY = "busy"
    REJECTS = "rejects"
    UNREACHABLE = "unreachable"
    UNREGISTERED = "unregistered"
    CARRIER_FAILURE = "carrier-failure"


class EndedBy(StrEnum):
    """Who ends a conversation; `star` is the caller pressing * where the Dial allows it."""

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


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Person(_Table):
    """One who is called. Times in seconds: `after` until it happens, `talks` from being connected."""

    does: Does
    after: float = Field(default=6, ge=0, le=86_400)
    talks: float = Field(default=40, ge=0, le=86_400)
    ended_by: EndedBy = EndedBy.CALLEE
    accepts_key: bool = True
    digits_by: Presser | None = None


class Dial(_Table):
    """The people behind the targets of one Dial, in its order; the last stands for all further targets."""

    person: tuple[Person, ...] = Field(min_length=1)


class Scenario(_Table):
    """One kind of call.

    `dial` lists what happens to the call's first Dial, its second…; the last stands for all further ones.
    `caller_gives_up_after` counts seconds from the beginning of the call and holds until somebody is
    connected. `message` is the length of a voicemail in seconds; without it the caller hangs up at the beep.
    `called` makes it an outbound API call, and says what the called person does.
    """

    name: str = Field(min_length=1, max_length=60)
    about: str = ""
    weight: float = Field(default=1, ge=0)
    dial: tuple[Dial, ...] = Field(min_length=1)
    caller_gives_up_after: float | None = Field(default=None, ge=0)
    asks_action_after_caller_left: bool = True
    hangup_url: bool = True
    message: float | None = Field(default=None, gt=0)
    message_ended_by: MessageEndedBy = MessageEndedBy.KEY
    digits: str | None = None
    called: Person | None = None
    phlo: bool = False

    def person(self, dial: int, target: int) -> Person:
        """Return who is behind a target, both counted from 0."""
        people = self.dial[min(dial, len(self.dial) - 1)].person
        return people[min(target, len(people) - 1)]


class _Script(_Table):
    scenario: tuple[Scenario, ...] = Field(min_length=1)


class ScriptError(Exception):
    """A script cannot be read; the message names the file, the table, the key and what to write."""


def load_scenarios(path: Path) -> tuple[Scenario, ...]:
    """Return the scenarios of a TOML file, or raise ScriptError."""
    try:
        script = _Script.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise ScriptError("\n".join(_say(path, fault["loc"], fault["msg"]) for fault in error.errors())) from error
    names = [scenario.name for scenario in script.scenario]
    for name in names:
        if names.count(name) > 1:
            raise ScriptError(f"{path}: two scenarios are named {name!r}; give each its own name")
    return script.scenario


@cache
def built_in() -> tuple[Scenario, ...]:
    """Return the scenarios that come with the simulator."""
    return load_scenarios(Path(__file__).with_name("scenarios.toml"))


def pick(scenarios: Sequence[Scenario], chance: random.Random) -> Scenario:
    """Return one scenario by weight."""
    return chance.choices(scenarios, weights=[scenario.weight for scenario in scenarios])[0]


def vary(scenario: Scenario, chance: random.Random) -> Scenario:
    """Let phones ring and people talk for longer or shorter than a scenario says, as on a real line.

    All people of a Dial are moved alike, so that who comes first stays first.
    """
    message = None if scenario.message is None else max(1, round(scenario.message * chance.uniform(0.4, 2.5)))
    return scenario.model_copy(
        update={"dial": tuple(_vary_dial(dial, chance) for dial in scenario.dial), "message": message}
    )


def _vary_dial(dial: Dial, chance: random.Random) -> Dial:
    first = int(min(person.after for person in dial.person))
    moved = chance.randint(-(first // 2), first * 3 // 4)
    longer = min(chance.lognormvariate(0, 0.8), 15)  # Most conversations are short, a few are very long.
    return Dial(
        person=tuple(
            person.model_copy(
                update={
                    "after": person.after + moved,
                    "talks": max(1, round(person.talks * longer)) if person.talks else 0,
                }
            )
            for person in dial.person
        )
    )


def _say(path: Path, location: tuple[int | str, ...], message: str) -> str:
    """Say one fault of a script as `file: table.key: what is wrong`; tables are counted from 1."""
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in location)
    return f"{path}: {place or 'file'}: {message}"
