"""Where events go: each address with the types and routes it wants."""

from dataclasses import dataclass, field

from config import Config


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
        return (not self.types or type_ in self.types) and (not self.routes or route in self.routes)


def webhook_addresses(config: Config) -> tuple[WebhookAddress, ...]:
    """Return the addresses of the settings."""
    if config.events_url is None:
        return ()
    return (
        WebhookAddress(
            name="EVENTS_URL",
            url=config.events_url,
            secret=config.events_secret or "",
            types=frozenset(config.events_types or ()),
            allow_private=config.events_allow_private,
        ),
    )
