"""How the commands of this room reach Plivo: its addresses and the credentials from the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from app.account.addresses import is_url
from app.account.client import API_URL, PHLO_URL, TIMEOUT, PhloClient, PlivoClient, check_credentials
from app.account.errors import SettingError
from app.account.tunnel import NGROK_URL, find_tunnel
from app.context import services

Command = TypeVar("Command", bound=Callable[..., Any])

# What setup keeps in the instance directory. A watch has a file of its own: it ends with what was before it.
SETUP_FILE = "plivo_setup.json"
WATCH_FILE = "plivo_watch.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where Plivo and ngrok are, and how many seconds they may take to answer."""

    api_url: str
    phlo_url: str
    ngrok_url: str
    timeout: float

    def client(self) -> PlivoClient:
        """Make the client of the account in the settings."""
        config = services().config
        auth_id = check_credentials(config.plivo_auth_id, config.plivo_auth_tokens)
        return PlivoClient(auth_id, config.plivo_auth_tokens, api_url=self.api_url, timeout=self.timeout)

    def phlo_client(self) -> PhloClient:
        """Make the client that runs PHLOs."""
        config = services().config
        auth_id = check_credentials(config.plivo_auth_id, config.plivo_auth_tokens)
        return PhloClient(auth_id, config.plivo_auth_tokens, phlo_url=self.phlo_url, timeout=self.timeout)

    def tunnel(self) -> str:
        """Find the address at which ngrok makes this server public."""
        return find_tunnel(services().config.port, ngrok_url=self.ngrok_url)

    def public_url(self, given: str | None = None) -> str:
        """Find the URL at which Plivo reaches us: the one given, else PUBLIC_URL, else ngrok's."""
        return given or services().config.public_url or self.tunnel()


def kept_file(name: str) -> Path:
    """Give the path of a file of ours in the instance directory."""
    return services().config.instance_dir / name


def _read_url(_context: click.Context, option: click.Parameter, value: str) -> str:
    if not is_url(value):
        raise SettingError(f"{option.opts[0]} is {value!r}; write scheme and host, such as {option.default}")
    return value


def _url_option(name: str, default: str, about: str) -> Callable[[Command], Command]:
    return click.option(name, default=default, show_default=True, callback=_read_url, help=about)


def access_options(command: Command) -> Command:
    """Add the options that say where Plivo and ngrok are."""
    for option in (
        _url_option("--api-url", API_URL, "Plivo's REST API."),
        _url_option("--phlo-url", PHLO_URL, "Plivo's runner of PHLOs."),
        _url_option("--ngrok-url", NGROK_URL, "The local API of ngrok."),
        click.option(
            "--timeout",
            type=click.FloatRange(0.1, 600),
            default=TIMEOUT,
            show_default=True,
            help="Seconds to wait for an answer.",
        ),
    ):
        command = option(command)
    return command
