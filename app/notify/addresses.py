"""Where events and notices go: each address with the types and routes it wants."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from app.plan.load import PlanError
from app.plan.model import Plan
from app.plan.outlets import DIGEST, NOBODY_REACHED
from app.records.writing.outbox import NOTICE, EventType
from config import Config
from settings.notify import events_secret, events_url, notice_url

_FOR_PEOPLE = frozenset({NOTICE, DIGEST})
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAddress:
    """A URL that events are posted to. `types` and `routes` are empty for all."""

    name: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    types: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    allow_private: bool = False

    def takes(self, type_: str, route: str | None) -> bool:
        """Return whether the address wants an event of this type about this route."""
        return (
            type_ not in _FOR_PEOPLE
            and (not self.types or type_ in self.types)
            and (not self.routes or route in self.routes)
        )

    def next_moment(self, at: int, zone: tzinfo) -> int:  # noqa: ARG002
        """Return when an event of a moment in milliseconds may be sent: at once."""
        return at


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeAddress:
    """A URL of Apprise. `events` are outcomes of calls and types of events; `quiet` are minutes of the local day."""

    name: str
    url: str = field(repr=False)
    events: frozenset[str]
    routes: frozenset[str] = frozenset()
    quiet: tuple[int, int] | None = None
    allow_private: bool = False

    @property
    def is_mail(self) -> bool:
        """Whether it takes HTML beside text."""
        return self.url.startswith(("mailto://", "mailtos://"))

    def takes(self, type_: str, route: str | None) -> bool:
        """Return whether the address wants a notice of this type, or of a call of this outcome."""
        return type_ in self.events and (not self.routes or route in self.routes)

    def next_moment(self, at: int, zone: tzinfo) -> int:
        """Return when a notice of a moment in milliseconds may be sent: at once, or when the quiet hours end."""
        local = datetime.fromtimestamp(at / 1000, zone)
        if self.quiet is None:
            return at
        (start, end), minute = self.quiet, local.hour * 60 + local.minute
        is_quiet = start <= minute < end if start < end else minute >= start or minute < end
        if not is_quiet:
            return at
        over = local.replace(hour=end // 60, minute=end % 60, second=0, microsecond=0)
        return round((over if minute < end else over + timedelta(days=1)).timestamp() * 1000)


Address = WebhookAddress | NoticeAddress
__all__ = ["NOTICE", "Address", "NoticeAddress", "WebhookAddress", "addresses_of"]


def addresses_of(config: Config, plan: Plan) -> tuple[Address, ...]:
    """Return the addresses of the settings and of the plan. Raises `PlanError`."""
    found = tuple(_of_settings(config))
    try:
        return (*found, *_of_plan(config, plan))
    except ValueError as error:
        raise PlanError((str(error),)) from error


def _of_settings(config: Config) -> Iterator[Address]:
    if config.events_url is not None:
        yield WebhookAddress(
            name="EVENTS_URL",
            url=config.events_url,
            secret=config.events_secret or "",
            types=frozenset(config.events_types or ()),
            allow_private=config.events_allow_private,
        )
    events = frozenset({*NOBODY_REACHED, EventType.WEBHOOKS_QUIET, DIGEST})
    for name, url in _numbered("NOTIFY_URLS", config.notify_urls):
        yield NoticeAddress(name=name, url=url, events=events, allow_private=config.notify_allow_private)


def _of_plan(config: Config, plan: Plan) -> Iterator[Address]:
    for name, to in plan.events.items():
        table = f"[events.{name}]"
        yield WebhookAddress(
            name=f"events.{name}",
            url=_checked(table, "url", events_url, _filled(config, table, to.url)),
            secret=_checked(table, "secret", events_secret, _filled(config, table, to.secret)),
            types=frozenset(to.types or ()),
            routes=_routes(plan, table, to.routes),
            allow_private=config.events_allow_private,
        )
    for name, told in plan.notify.items():
        table = f"[notify.{name}]"
        urls = tuple(_checked(table, "urls", notice_url, _filled(config, table, url)) for url in told.urls)
        for numbered, url in _numbered(f"notify.{name}", urls):
            yield NoticeAddress(
                name=numbered,
                url=url,
                events=frozenset(told.events),
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
        found = config.environment.get(name)
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
