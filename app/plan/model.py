"""The dial plan as typed tables: routes, their steps and targets.

Field names are the keys of the TOML file; docs/dial-plan.md explains each.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field

from app.plan import values
from app.plan.callers import Blocked, has_stir, is_outgoing
from app.plan.contacts import NO_CONTACTS, Contacts, contact_of
from app.plan.endings import BUILT_IN_ENDINGS, NOBODY, AnyEnding, Ending
from app.plan.health import DeadPhones
from app.plan.hours import Hours, Zone
from app.plan.outlets import EventsAddress, NotifyAddress
from app.plan.prompts import DialMusic, Prompt
from app.plan.snapshot import Source
from app.plan.values import NOT_EMPTY, Table
from app.voice.events import CallFacts
from app.voice.numbers import identities, normalise
from app.voice.xml_values import is_number


def _target(value: Any) -> Any:
    if isinstance(value, str):
        return {"user" if value.casefold().startswith("sip:") else "number": value}
    if isinstance(value, dict | Table):
        return value
    raise ValueError('write "+14155550100", "sip:alice@phone.plivo.com", "dialled" or a table')


class Target(Table):
    """One number or SIP user that rings, or the numbers of a rota, which are known only when it rings."""

    number: values.PhoneNumber | None = None
    user: values.SipUser | None = None
    rota: values.FeedAddress | None = None
    time_zone: Zone | None = None
    otherwise: Annotated[str | None, BeforeValidator(values.called_party)] = None
    caller_id: values.CallerId | None = None
    caller_name: values.CallerName | None = None
    send_digits: values.SendDigits | None = None
    send_digits_mode: values.DigitsMode | None = None
    send_on_preanswer: values.Flag | None = None
    sip_headers: values.SipHeaders | None = None
    sip_auth_username: values.Line | None = None
    sip_auth_password: Annotated[values.Password | None, Field(repr=False)] = None
    timeout: values.RingSeconds | None = None

    @property
    def address(self) -> str:
        """Return the number or SIP user."""
        return self.number or self.user or ""

    @property
    def identity(self) -> str:
        """Return the address without the parameters of a SIP address."""
        return self.address.partition(";")[0]

    @property
    def source(self) -> Source:
        """Return under which name the numbers of the rota are known."""
        return Source(self.rota or "", self.time_zone.key if self.time_zone is not None else "UTC")

    def at(self, address: str) -> "Target":
        """Return the target with the number or SIP user that rings in its place."""
        kind = "user" if address.startswith("sip:") else "number"
        return self.model_copy(update={"rota": None, "otherwise": None, kind: address})


class Step(Table):
    """The targets that ring together or in turn, and how; seconds for every duration."""

    name: Annotated[str, Field(alias="(name)")]
    ring: Annotated[tuple[Annotated[Target, BeforeValidator(_target)], ...], NOT_EMPTY]
    order: values.Order = "together"
    skip: tuple[values.Skipped, ...] = ()
    busy_targets: values.RingOrSkip = "ring"
    dead_phones: DeadPhones | None = None
    timeout: values.RingSeconds = 30
    time_limit: values.TalkSeconds = 14_400
    caller_id: values.CallerId | None = None
    caller_name: values.CallerName | None = None
    confirm_key: values.Key | None = None
    confirm_prompt: Prompt | None = None
    confirm_sound: values.ConfirmSound | None = None
    confirm_timeout: values.RingSeconds | None = None
    dial_music: DialMusic | None = None
    hangup_on_star: values.Flag | None = None
    digits_match: values.DigitStrings | None = None
    digits_match_b_leg: values.DigitStrings | None = None
    sip_headers: values.SipHeaders | None = None
    call_type: values.CallType | None = None
    machine_detection: values.Flag | None = None
    record: values.Flag = False
    record_format: values.FileFormat | None = None
    record_channels: values.RecordChannels | None = None
    after: Mapping[values.OutcomeWord, values.Name] = Field(default_factory=dict)

    @cached_property
    def asks_nothing(self) -> bool:
        """Return whether all targets ring at once, whatever is known of them."""
        asks = self.skip or self.dead_phones is not None or self.busy_targets == "skip"
        return self.order == "together" and not asks

    @cached_property
    def has_rota(self) -> bool:
        """Return whether a target is a rota."""
        return any(target.rota for target in self.ring)


class Route(Table):
    """What happens to calls for certain numbers of ours."""

    name: Annotated[str, Field(alias="(name)")]
    called: Annotated[tuple[values.Called, ...], NOT_EMPTY] = (values.ANY_NUMBER,)
    callers: Annotated[values.Callers | None, NOT_EMPTY] = None
    may_dial: Annotated[tuple[values.Prefix, ...] | None, NOT_EMPTY] = None
    caller_id: values.CallerId | None = None
    caller_name: values.CallerName | None = None
    stir: Annotated[tuple[values.Stir, ...] | None, NOT_EMPTY] = None
    greeting: Prompt | None = None
    pre_answer: values.Flag = False
    blocked: Blocked | None = None
    hours: Hours | None = None
    max_ring_seconds: values.TotalSeconds = 300
    max_rounds: values.Rounds = 10
    ending: values.Name = NOBODY
    steps: Mapping[values.TableName, Step] = Field(default_factory=dict)

    def admits(self, call: CallFacts, contacts: Contacts = NO_CONTACTS) -> bool:
        """Return whether a call may take this route: any, unless `callers` or `stir` says which."""
        if self.stir is not None and not has_stir(call, self.stir):
            return False
        if self.callers is None:
            return True
        is_vip = values.VIP in self.callers and contact_of(contacts, call.from_number).is_vip
        return not is_outgoing(call) and (is_vip or self._names_endpoint(call))

    def _names_endpoint(self, call: CallFacts) -> bool:
        return not identities(call.from_number).isdisjoint(set(self.callers or ()) - {values.VIP})

    def dialled_number(self, call: CallFacts) -> str | None:
        """Return the number that the caller, a SIP endpoint of ours, has dialled; None where it may not be called."""
        if self.callers is None:
            return None
        number = normalise(call.to_number) or ""
        allowed = self.admits(call) and self._names_endpoint(call) and number.startswith(self.may_dial or ())
        return number if allowed and is_number(number) else None

    @cached_property
    def remembers(self) -> bool:
        """Return whether a call has to remember which targets rang."""
        return any(
            step.order != "together" or step.skip or step.dead_phones is not None for step in self.steps.values()
        )

    @property
    def first_step(self) -> Step | None:
        """Return the first step in the order of the file."""
        return next(iter(self.steps.values()), None)

    def step_after(self, name: str) -> Step | None:
        """Return the step written after this one; None for the last and for a name that is gone."""
        names = [*self.steps, None]
        following = names[names.index(name) + 1] if name in self.steps else None
        return self.steps[following] if following is not None else None


_NO_ROUTE = Route.model_validate({"(name)": NOBODY})
_NO_OUTGOING_ROUTE = Route.model_validate({"(name)": NOBODY, "ending": "hangup"})


class Plan(Table):
    """Every route and every ending of a server."""

    routes: Annotated[Mapping[values.TableName, Route], NOT_EMPTY]
    endings: Mapping[values.TableName, AnyEnding] = Field(default_factory=dict)
    contacts: values.ContactsFile | None = None
    events: Mapping[values.TableName, EventsAddress] = Field(default_factory=dict)
    notify: Mapping[values.TableName, NotifyAddress] = Field(default_factory=dict)
    folder: Annotated[Path | None, Field(alias="(folder)", repr=False)] = None

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

    def route_for(self, call: CallFacts, contacts: Contacts = NO_CONTACTS) -> Route:
        """Return the route of our number in the call, in any of Plivo's spellings; else the route of any number.

        Our number is To, or From when the API placed the call. Of several routes, one that names the number comes
        first, then one that names the caller, then one with a condition on STIR. Where none fits, the route has no
        steps: a caller hears the `nobody` ending, and a call that we placed is hung up.
        """
        outgoing = is_outgoing(call)
        ours = identities(call.from_number if outgoing else call.to_number)

        def fit(route: Route) -> tuple[bool, bool, bool]:
            return not ours.isdisjoint(route.called), route.callers is not None, route.stir is not None

        fitting = [
            route
            for route in self.routes.values()
            if route.admits(call, contacts) and (fit(route)[0] or values.ANY_NUMBER in route.called)
        ]
        return max(fitting, key=fit, default=_NO_OUTGOING_ROUTE if outgoing else _NO_ROUTE)

    def serves(self, number: str) -> bool:
        """Return whether a number is one of ours, by the routes that name it."""
        return any(number in route.called for route in self.routes.values())

    @property
    def contacts_path(self) -> Path | None:
        """Return the path of the address book, which lies beside the plan."""
        return (self.folder or Path()) / self.contacts if self.contacts is not None else None

    def watched(self) -> dict[tuple[str, str], DeadPhones | None]:
        """Return the steps whose targets must be watched, by route and step, each with its rule for dead phones.

        Where a step asks who is idle or talks, the conversations of every step count.
        """
        steps = {(route.name, name): step for route in self.routes.values() for name, step in route.steps.items()}
        asks = any(step.order == "longest_idle" or step.busy_targets == "skip" for step in steps.values())
        return {place: step.dead_phones for place, step in steps.items() if asks or step.dead_phones is not None}

    def rotating(self) -> Iterator[str]:
        """Yield the place of each step whose targets take turns."""
        for route in self.routes.values():
            yield from (f"{route.name}.{name}" for name, step in route.steps.items() if step.order == "rotating")

    def route_named(self, name: str, call: CallFacts, contacts: Contacts = NO_CONTACTS) -> Route:
        """Return the route a call began with, or if a newer plan lacks it, the one of our number."""
        return self.routes[name] if name in self.routes else self.route_for(call, contacts)

    def ending_named(self, name: str) -> Ending:
        """Return an ending of the plan or a built-in one; `nobody` for a name that is gone."""
        return self.endings.get(name) or BUILT_IN_ENDINGS.get(name) or BUILT_IN_ENDINGS[NOBODY]
