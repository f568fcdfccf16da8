"""How commands reach Plivo: the options for its addresses, the credentials from the settings, our files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from plivo.utils import is_valid_mainaccount, is_valid_subaccount

from app.account.client import API_URL, PHLO_URL, TIMEOUT, PlivoClient
from app.account.errors import SettingError
from app.account.public_url import (
    NGROK_URL,
    Addresses,
    addresses_at,
    check_reachable_by_plivo,
    find_tunnel,
    is_url,
)
from app.context import services

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where Plivo and ngrok are, and how many seconds they may take to answer."""

    api_url: str
    phlo_url: str
    ngrok_url: str
    timeout: float

    def client(self) -> PlivoClient:
        """Return a client of the account in the settings. Raises SettingError."""
        config = services().config
        return PlivoClient(
            check_credentials(config.plivo_auth_id, config.plivo_auth_tokens),
            config.plivo_auth_tokens,
            api_url=self.api_url,
            phlo_url=self.phlo_url,
            timeout=self.timeout,
        )

    def tunnel(self) -> str:
        """Return the address at which ngrok makes this server public. Raises AccountError."""
        return find_tunnel(services().config.port, ngrok_url=self.ngrok_url)

    def public_url(self, given: str | None = None) -> str:
        """Return the URL at which Plivo reaches us: the given one, else PUBLIC_URL, else ngrok's."""
        return given or services().config.public_url or self.tunnel()


def check_credentials(auth_id: str | None, tokens: Sequence[str]) -> str:
    """Return the auth id. Raises SettingError where a credential is missing or malformed."""
    if not auth_id or not tokens:
        missing = "PLIVO_AUTH_ID" if not auth_id else "PLIVO_AUTH_TOKEN"
        raise SettingError(f"{missing} is not set; copy it from the first page of the Plivo console into .env")
    if not (is_valid_mainaccount(auth_id) or is_valid_subaccount(auth_id)):
        raise SettingError(
            f"PLIVO_AUTH_ID has {len(auth_id)} characters and begins with {auth_id[:2]!r}; write the 20 "
            "characters beginning with MA (account) or SA (subaccount) from the Plivo console"
        )
    return auth_id


def our_addresses(public_url: str) -> Addresses:
    """Return our URLs below the public one, with the retries from the settings. Raises SettingError."""
    config = services().config
    return addresses_at(public_url, retry_control=config.retry_control, retry_notice=config.retry_notice)


def addresses_for_plivo(public_url: str) -> Addresses:
    """Return our URLs to be handed to Plivo. Raises SettingError also where Plivo cannot reach them."""
    addresses = our_addresses(public_url)
    check_reachable_by_plivo(public_url)
    return addresses


def instance_file(name: str) -> Path:
    """Return the path of a file in the instance directory."""
    return services().config.instance_dir / name


def access_options(command: Command) -> Command:
    """Add the options of `Access` to a command."""
    for option in (
        _url_option("--api-url", API_URL, "Plivo's REST API."),
        _url_option("--phlo-url", PHLO_URL, "Plivo's runner of PHLOs."),
        _url_option("--ngrok-url", NGROK_URL, "The local API of ngrok."),
        click.option(
            "--timeout",
            type=click.FloatRange(0.1, 600),
            default=TIMEOUT,
            show_default=True,
            help="Seconds to wait for a reply.",
        ),
    ):
        command = option(command)
    return command


def _url_option(name: str, default: str, about: str) -> Callable[[Command], Command]:
    return click.option(name, default=default, show_default=True, callback=_parse_url, help=about)


def _parse_url(_context: click.Context, option: click.Parameter, value: str) -> str:
    if not is_url(value):
        raise SettingError(f"{option.opts[0]} is {value!r}; write scheme and host, such as {option.default}")
    return value
