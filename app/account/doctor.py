"""Everything that must be true, one check after another."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from app.account.access import Access, our_addresses
from app.account.errors import AccountError
from app.account.local_checks import Check, check_server, failed, local_checks, passed, skipped
from app.account.remote_checks import account_checks, outside_checks
from app.context import Services, services
from settings.urls import is_private

# The host names of ngrok, such as abc.ngrok.io and abc.ngrok-free.app.
_NGROK_HOST = re.compile(r"\.ngrok(-free)?\.[a-z]+")


def examine(
    shared: Services, access: Access, *, app_name: str, numbers: Sequence[str], url: str | None = None
) -> Iterator[Check]:
    """Yield the checks of this machine, of the way from outside, of the account.

    `numbers` are digits without +; `url` is where Plivo reaches us, if it is not PUBLIC_URL or ngrok's.
    """
    config = shared.config
    yield from local_checks(shared)
    yield check_server(config, access.timeout)
    public_url, check = check_public_url(shared, access, url)
    yield check
    if public_url:
        yield check_ngrok(url or config.public_url, access)
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
        addresses = our_addresses(public_url) if public_url else None
        yield from account_checks(
            client, app_name=app_name, addresses=addresses, numbers=numbers, zone=config.plivo_timezone
        )


def check_public_url(shared: Services, access: Access, url: str | None) -> tuple[str | None, Check]:
    """Return the public URL with its check: the given one, else PUBLIC_URL, else ngrok's."""
    name = "public URL"
    try:
        public_url = access.public_url(url)
    except AccountError as error:
        if shared.config.plivo_auth_id is None:
            return None, skipped(name, f"PUBLIC_URL is not set. {error.message}")
        return None, failed(name, "PUBLIC_URL is not set", error.message)
    source = "--url" if url else "PUBLIC_URL" if shared.config.public_url else "from ngrok"
    if is_private(public_url):
        advice = "Set PUBLIC_URL to what Plivo can call, or leave it out and run ngrok."
        said = f"Plivo cannot reach {public_url} ({source}): it leads to this machine or a private network"
        return public_url, failed(name, said, advice)
    return public_url, passed(name, f"{public_url} ({source})")


def check_ngrok(configured: str | None, access: Access) -> Check:
    """Check that an address of ngrok's is still the one ngrok has: it changes with each start."""
    if configured is not None and not _NGROK_HOST.search(urlsplit(configured).hostname or ""):
        return skipped("ngrok", "has no part in the public URL")
    try:
        current = access.tunnel()
    except AccountError as error:
        return skipped("ngrok", error.message)
    if configured is not None and current != configured.rstrip("/"):
        advice = f"Set PUBLIC_URL={current}, restart the server and run `flask plivo setup` again."
        return failed("ngrok", f"is at {current} now, not at {configured}", advice)
    return passed("ngrok", f"{current} leads to port {services().config.port}")
