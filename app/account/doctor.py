"""Everything that must be true, one check after another."""

import ipaddress
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from app.account.access import Access
from app.account.account_checks import account_checks
from app.account.addresses import Addresses, addresses_at
from app.account.check import Check, failed, passed, skipped
from app.account.errors import AccountError
from app.account.local_checks import local_checks
from app.account.outside_checks import outside_checks
from app.context import Services


def examine(held: Services, access: Access, *, app_name: str, numbers: Sequence[str]) -> Iterator[Check]:
    """Check this machine, then the way from outside, then the account. `numbers` are digits without +."""
    config = held.config
    yield from local_checks(held)
    public_url, check = where_plivo_reaches_us(held, access)
    yield check
    if public_url:
        yield from outside_checks(
            public_url,
            tokens=config.plivo_auth_tokens,
            mode=config.verify_signatures,
            timeout=access.timeout,
        )
    if not config.plivo_auth_id or not config.plivo_auth_tokens:
        yield skipped("account", "PLIVO_AUTH_ID or PLIVO_AUTH_TOKEN is not set")
        return
    try:
        client = access.client()
    except AccountError as error:
        yield failed("account", error.message)
        return
    with client:
        addresses = _addresses(held, public_url)
        yield from account_checks(client, app_name=app_name, addresses=addresses, numbers=numbers)


def where_plivo_reaches_us(held: Services, access: Access) -> tuple[str | None, Check]:
    """Find the public URL: PUBLIC_URL, else ngrok's."""
    name = "public URL"
    try:
        public_url = access.public_url()
    except AccountError as error:
        if held.config.plivo_auth_id is None:
            return None, skipped(name, f"PUBLIC_URL is not set. {error.message}")
        return None, failed(name, "PUBLIC_URL is not set", error.message)
    said = f"{public_url} ({'PUBLIC_URL' if held.config.public_url else 'from ngrok'})"
    if _is_loopback(public_url):
        advice = "Set PUBLIC_URL to what Plivo can call, or leave it out and run ngrok."
        return public_url, failed(name, f"{said} leads this machine to itself alone", advice)
    return public_url, passed(name, said)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _addresses(held: Services, public_url: str | None) -> Addresses | None:
    if public_url is None:
        return None
    config = held.config
    return addresses_at(public_url, retry_control=config.retry_control, retry_notice=config.retry_notice)
