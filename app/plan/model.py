"""The dial plan as typed tables: routes, their steps and targets, and the endings.

Field names are the keys of the TOML file; docs/dial-plan.md explains each.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag

from app.plan import values
from app.plan.callers import Blocked, is_outgoing
from app.plan.hours import Hours
from app.plan.table import Table
from app.voice.events import CallFacts
from app.voice.numbers import identities

NOBODY = "nobody"


def _spoken(value: Any) -> Any:
    if isinstance(value, str):
        return {"say": value}
    if isinstance(value, dict | Table):
        return value
    raise ValueError('write a sentence in quotes, or a table such as { play = "https://example.com/a.mp3" }')


def _dialled(value: Any) -> Any:
    if isinstance(value, str):
        return {"user" if value.casefold().startswith("sip:") else "number": value}
    if isinstance(value, dict | Table):
        return value
    raise ValueError('write "+14155550100", "sip:alice@phone.plivo.com" or a table')


class Prompt(Table):
    """What somebody hears: a sentence read aloud, or an audio file."""

    say: values.Text | None = None
    voice: values.Voice | None = None
    language: values.Language | None = None
    play: values.Url | None = None
    times: values.Times | None = None


PromptOrText = Annotated[Prompt, BeforeValidator(_spoken)]


class Target(Table):
    """One number or SIP user that rings."""

    number: values.PhoneNumber | None = None
    user: values.SipUser | None = None
    caller_id: values.CallerId | None = None
    caller_name: values.CallerName | None = None
    send_digits: values.SendDigits | None = None
    send_digits_mode: values.DigitsMode | None = None
    send_on_preanswer: values.Flag | None = None
    sip_headers: values.SipHeaders | None = None
    sip_auth_username: values.Line | None = None
    sip_auth_password: Annotated[values.Password | None, Field(repr=False)] = None

    @property
    def address(self) -> str:
        """Return the number or SIP user."""
        return self.number or self.user or ""

    @property
    def identity(self) -> str:
        """Return the address without the parameters of a SIP address."""
        return self.address.partition(";")[0]


class Step(Table):
    """The targets that ring together, and how; seconds for every duration."""

    name: Annotated[str, Field(alias="(name)")]
    ring: Annotated[tuple[Annotated[Target, BeforeValidator(_dialled)], ...], Field(min_length=1)]
    timeout: values.RingSeconds = 30
    time_limit: values.TalkSeconds = 14_400
    caller_id: values.CallerId | None = None
    caller_name: values.CallerName | None = None
    confirm_key: values.Key | None = None
    confirm_prompt: PromptOrText | None = None
    confirm_sound: values.Url | None = None
    confirm_timeout: values.RingSeconds | None = None
    dial_music: values.DialMusic | None = None
    hangup_on_star: values.Flag | None = None
    digits_match: values.DigitStrings | None = None
    digits_match_b_leg: values.DigitStrings | None = None
    sip_headers: values.SipHeaders | None = None
    call_type: values.CallType | None = None
    machine_detection: values.Flag | None = None
    record: values.Flag = False
    record_format: values.FileFormat | None = None
    after: Mapping[values.OutcomeWord, values.Name] = Field(default_factory=dict)


class Say(Table):
    """Read a sentence aloud, then hang up."""

    say: values.Text
    voice: values.Voice | None = None
    language: values.Language | None = None
    times: values.Times | None = None


class Play(Table):
    """Play an audio file, then hang up."""

    play: values.Url
    times: values.Times | None = None


class Hangup(Table):
    """Hang up; `busy` and `rejected` are heard as such only while nobody has answered the caller."""

    hangup: values.HangupReason


class Voicemail(Table):
    """Ask for a message and record it; seconds for every duration."""

    voicemail: PromptOrText
    max_length: values.TalkSeconds = 120
    silence: values.SilenceSeconds = 5
    finish_on_key: values.Keys = "#"
    beep: values.Flag = True
    format: values.FileFormat = "mp3"
    thanks: PromptOrText | None = None


class Redirect(Table):
    """Hand the caller to another server's document."""

    redirect: values.Url
    method: values.Method = "POST"


VERBS = ("say", "play", "hangup", "voicemail", "redirect")


def _verb(value: Any) -> str | None:
    """Return which kind of ending a table is: the one verb it holds."""
    held = [verb for verb in VERBS if (verb in value if isinstance(value, dict) else hasattr(value, verb))]
    return held[0] if len(held) == 1 else None


Ending = Say | Play | Hangup | Voicemail | Redirect

AnyEnding = Annotated[
    Annotated[Say, Tag("say")]
    | Annotated[Play, Tag("play")]
    | Annotated[Hangup, Tag("hangup")]
    | Annotated[Voicemail, Tag("voicemail")]
    | Annotated[Redirect, Tag("redirect")],
    Discriminator(
        _verb,
        custom_error_type="ending",
        custom_error_message=f"an ending holds exactly one of {', '.join(VERBS)}",
    ),
]

BUILT_IN_ENDINGS: dict[str, Ending] = {
    NOBODY: Say(say="Sorry, nobody can take your call at the moment. Please try again later. Goodbye."),
    "hangup": Hangup(hangup="normal"),
    "busy": Hangup(hangup="busy"),
    "rejected": Hangup(hangup="rejected"),
}
"""Endings every plan knows without defining them; a plan may define its own under the same name."""


class Route(Table):
    """What happens to calls for certain numbers of ours."""

    name: Annotated[str, Field(alias="(name)")]
    called: Annotated[tuple[values.Called, ...], Field(min_length=1)] = (values.ANY_NUMBER,)
    caller_id: values.CallerId | None = None
    caller_name: values.CallerName | None = None
    greeting: PromptOrText | None = None
    blocked: Blocked | None = None
    hours: Hours | None = None
    max_ring_seconds: values.TotalSeconds = 300
    max_rounds: values.Rounds = 10
    ending: values.Name = NOBODY
    steps: Mapping[values.TableName, Step] = Field(default_factory=dict)

    @property
    def first_step(self) -> Step | None:
        """Return the first step in the order of the file."""
        return next(iter(self.steps.values()), None)

    def step_after(self, name: str) -> Step | None:
        """Return the step written after this one; None for the last and for a name that is gone."""
        names = list(self.steps)
        following = names.index(name) + 1 if name in self.steps else len(names)
        return self.steps[names[following]] if following < len(names) else None


_NO_ROUTE = Route.model_validate({"(name)": NOBODY})
_NO_OUTGOING_ROUTE = Route.model_validate({"(name)": NOBODY, "ending": "hangup"})


class Plan(Table):
    """Every route and every ending of a server."""

    routes: Annotated[Mapping[values.TableName, Route], Field(min_length=1)]
    endings: Mapping[values.TableName, AnyEnding] = Field(default_factory=dict)

    @classmethod
    def from_targets(
        cls, dial_to: tuple[str, ...], *, timeout: int, time_limit: int, caller_id: str | None = None
    ) -> Self:
        """Return the plan without a file: every target rings at once, and then comes the `nobody` ending.

        Seconds for both durations. Raises ValueError for what a file could not say either.
        """
        step = {"(name)": "all", "ring": list(dial_to), "timeout": timeout, "time_limit": time_limit}
        route = {"(name)": "main", "caller_id": caller_id, "steps": {"all": step}}
        return cls.model_validate({"routes": {"main": route}})

    def route_for(self, call: CallFacts) -> Route:
        """Return the route of our number in the call, in any of Plivo's spellings; else the route of any number.

        Our number is To, or From when the API placed the call. Where no route fits, the route has no steps: a caller
        hears the `nobody` ending, and a call that we placed is hung up.
        """
        outgoing = is_outgoing(call)
        ours = identities(call.from_number if outgoing else call.to_number)
        any_number = _NO_OUTGOING_ROUTE if outgoing else _NO_ROUTE
        for route in self.routes.values():
            if not ours.isdisjoint(route.called):
                return route
            if values.ANY_NUMBER in route.called:
                any_number = route
        return any_number

    def route_named(self, name: str, call: CallFacts) -> Route:
        """Return the route a call began with, or if a newer plan lacks it, the one of our number."""
        return self.routes[name] if name in self.routes else self.route_for(call)

    def ending_named(self, name: str) -> Ending:
        """Return an ending of the plan or a built-in one; `nobody` for a name that is gone."""
        return self.endings.get(name) or BUILT_IN_ENDINGS.get(name) or BUILT_IN_ENDINGS[NOBODY]
