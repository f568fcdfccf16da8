"""Everything that must be true, one check after another."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from app.account.access import Access
from app.account.account_checks import account_checks
from app.account.addresses import Addresses, addresses_at
from app.account.check import Check, failed, passed, skipped
from app.account.errors import AccountError
from app.account.local_checks import local_checks
from app.account.outside_checks import outside_checks
from app.context import Services, services

# The hosts that ngrok gives out: abc.ngrok.io, abc.ngrok-free.app and the like.
_OF_NGROK = re.compile(r"\.ngrok(-free)?\.[a-z]+")


def examine(
    held: Services, access: Access, *, app_name: str, numbers: Sequence[str], url: str | None = None
) -> Iterator[Check]:
    """Check this machine, then the way from outside, then the account.

    `numbers` are digits without +; `url` is where Plivo reaches us, if it is not to be found out.
    """
    config = held.config
    yield from local_checks(held)
    public_url, check = where_plivo_reaches_us(held, access, url)
    yield check
    if public_url:
        yield ngrok(url or config.public_url, access)
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


def where_plivo_reaches_us(held: Services, access: Access, url: str | None) -> tuple[str | None, Check]:
    """Find the public URL: the one given, else PUBLIC_URL, else ngrok's."""
    name = "public URL"
    try:
        public_url = access.public_url(url)
    except AccountError as error:
        if held.config.plivo_auth_id is None:
            return None, skipped(name, f"PUBLIC_URL is not set. {error.message}")
        return None, failed(name, "PUBLIC_URL is not set", error.message)
    source = "--url" if url else "PUBLIC_URL" if held.config.public_url else "from ngrok"
    if _is_loopback(public_url):
        advice = "Set PUBLIC_URL to what Plivo can call, or leave it out and run ngrok."
        return public_url, failed(name, f"{public_url} ({source}) leads this machine to itself alone", advice)
    return public_url, passed(name, f"{public_url} ({source})")


def ngrok(told: str | None, access: Access) -> Check:
    """The address we were told, if it is one of ngrok's, is the one that ngrok has now: it changes with each start."""
    if told is not None and not _OF_NGROK.search(urlsplit(told).hostname or ""):
        return skipped("ngrok", "has no part in the public URL")
    try:
        now = access.tunnel()
    except AccountError as error:
        return skipped("ngrok", error.message)
    if told is not None and now != told.rstrip("/"):
        advice = f"Set PUBLIC_URL={now}, restart the server and run `flask plivo setup` again."
        return failed("ngrok", f"is at {now} now, not at {told}", advice)
    return passed("ngrok", f"{now} leads to port {services().config.port}")


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
