"""Where events and notices go: each address with the types and routes it wants."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from app.plan.load import PlanError
from app.plan.model import Plan
from app.plan.outlets import DIGEST, NOBODY_REACHED
from app.records.writing.outbox import EventType
from config import Config
from settings.declaration import unquote
from settings.notify import EVENT_TYPES, events_secret, events_url, notice_url

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A URL that events are posted to, with the secret that signs them, or a URL of Apprise for people.

    `types` are types of events and, for people, outcomes of calls. `routes` is empty for all; `quiet` is in minutes.
    """

    name: str
    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    types: frozenset[str]
    routes: frozenset[str] = frozenset()
    quiet: tuple[int, int] | None = None
    allow_private: bool = False

    @property
    def is_for_people(self) -> bool:
        """Whether notices go there."""
        return self.secret is None

    @property
    def is_mail(self) -> bool:
        """Whether it takes HTML beside text."""
        return self.url.startswith(("mailto://", "mailtos://"))

    def takes(self, type_: str, route: str | None) -> bool:
        """Return whether the address wants an event of this type, or a notice of a call of this outcome."""
        return type_ in self.types and (not self.routes or route in self.routes)

    def next_moment(self, at: int, zone: tzinfo) -> int:
        """Return when to send what is due at a moment in milliseconds: then, or when the quiet hours end."""
        if self.quiet is None:
            return at
        local = datetime.fromtimestamp(at / 1000, zone)
        (start, end), minute = self.quiet, local.hour * 60 + local.minute
        is_quiet = start <= minute < end if start < end else minute >= start or minute < end
        if not is_quiet:
            return at
        over = local.replace(hour=end // 60, minute=end % 60, second=0, microsecond=0)
        return round((over if minute < end else over + timedelta(days=1)).timestamp() * 1000)


def addresses_of(config: Config, plan: Plan) -> tuple[Address, ...]:
    """Return the addresses of the settings and of the plan. Raises `PlanError`."""
    found = tuple(_of_settings(config))
    try:
        return (*found, *_of_plan(config, plan))
    except ValueError as error:
        raise PlanError((str(error),)) from error


def _of_settings(config: Config) -> Iterator[Address]:
    if config.events_url is not None:
        yield Address(
            name="EVENTS_URL",
            url=config.events_url,
            secret=config.events_secret or "",
            types=frozenset(config.events_types or EVENT_TYPES),
            allow_private=config.events_allow_private,
        )
    types = frozenset({*NOBODY_REACHED, EventType.WEBHOOKS_QUIET, DIGEST})
    for name, url in _numbered("NOTIFY_URLS", config.notify_urls):
        yield Address(name=name, url=url, types=types, allow_private=config.notify_allow_private)


def _of_plan(config: Config, plan: Plan) -> Iterator[Address]:
    for name, to in plan.events.items():
        table = f"[events.{name}]"
        yield Address(
            name=f"events.{name}",
            url=_checked(table, "url", events_url, _filled(config, table, to.url)),
            secret=_checked(table, "secret", events_secret, _filled(config, table, to.secret)),
            types=frozenset(to.types or EVENT_TYPES),
            routes=_routes(plan, table, to.routes),
            allow_private=config.events_allow_private,
        )
    for name, told in plan.notify.items():
        table = f"[notify.{name}]"
        urls = tuple(_checked(table, "urls", notice_url, _filled(config, table, url)) for url in told.urls)
        for numbered, url in _numbered(f"notify.{name}", urls):
            yield Address(
                name=numbered,
                url=url,
                types=frozenset(told.events),
                routes=_routes(plan, table, told.routes),
                quiet=told.quiet,
                allow_private=config.notify_allow_private,
            )


def _numbered(name: str, urls: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield each URL with a name of its own: each has its own deliveries."""
    for number, url in enumerate(urls, start=1):
        yield (name if len(urls) == 1 else f"{name}.{number}"), url


def _filled(config: Config, table: str, text: str) -> str:
    """Return a text of the plan with the values of its `$NAME`."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        try:
            found = unquote(config.environment.get(name) or "")
        except ValueError as error:
            raise ValueError(f"{table}: ${name} cannot be used; {error}") from error
        if not found:
            raise ValueError(f"{table}: ${name} is not set; set {name} in the environment or in .env")
        return found

    return _VARIABLE.sub(value, text)


def _checked(table: str, key: str, check: Callable[[str], str], text: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise ValueError(f"{table}: {key} cannot be used; {error}") from error


def _routes(plan: Plan, table: str, names: tuple[str, ...] | None) -> frozenset[str]:
    if unknown := set(names or ()) - plan.routes.keys():
        raise ValueError(
            f"{table}: routes names {min(unknown)!r}, which is no route; write any of {', '.join(plan.routes)}"
        )
    return frozenset(names or ())
