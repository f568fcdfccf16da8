"""A process of its own that sends messages through Apprise: `python apprise_process.py`, a job as JSON on stdin.

Apprise takes 0.3 seconds and 27 MB to load, so no server process loads it. The job is {"url", "allow_private",
"messages": [{"title", "text", "html"}]}; the reply on stdout is a list with, for each message, why it was not sent, or
null. The URL and its secrets are neither an argument nor a variable of the environment, and never printed.
"""

import ipaddress
import json
import logging
import re
import sys
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyFormat, PersistentStoreMode

from settings.urls import is_public

_REFUSED = "the address is private; set NOTIFY_ALLOW_PRIVATE=true to allow it"


class _Reasons(logging.Handler):
    """Keeps what Apprise logs, as far as it can hold no secret: a code and whether an address was refused."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the status of a reply."""
        text = record.getMessage()
        if code := re.search(r"error[=:]\s*([0-9]{3})\b", text):
            self.found = f"status {code[1]}"


class _Guard:
    """Lets no connection through to a private address, whatever a name server or a redirect says."""

    def __init__(self) -> None:
        self.has_refused = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at each connection before it is made."""
        if event not in {"socket.connect", "socket.sendto"}:
            return
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""
        if not is_public(ipaddress.ip_address(str(host).partition("%")[0] or "::1")):
            self.has_refused = True
            raise OSError(_REFUSED)


def main() -> None:
    """Send the messages of the job."""
    job = json.load(sys.stdin)
    guard, reasons = _Guard(), _Reasons()
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [reasons], False
    logger.setLevel(logging.DEBUG)
    asset = AppriseAsset(app_id="Dialstatus", app_desc="Dialstatus", storage_mode=PersistentStoreMode.MEMORY)
    service = Apprise(asset=asset)
    is_known = service.add(job["url"])
    if not job["allow_private"]:
        sys.addaudithook(guard)
    replies: list[str | None] = []
    for message in job["messages"]:
        guard.has_refused, reasons.found = False, ""
        if not is_known:
            replies.append("Apprise does not understand the URL")
        elif _is_sent(service, message):
            replies.append(None)
        else:
            replies.append(_REFUSED if guard.has_refused else reasons.found or "the service did not accept it")
    json.dump(replies, sys.stdout)


def _is_sent(service: Apprise, message: dict[str, str | None]) -> bool:
    body, kind = (message["html"], NotifyFormat.HTML) if message["html"] else (message["text"], NotifyFormat.TEXT)
    return bool(service.notify(title=message["title"] or "", body=body or "", body_format=kind))


if __name__ == "__main__":
    main()
