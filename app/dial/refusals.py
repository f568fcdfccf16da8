"""Log the requests that Plivo did not sign, and find out for one of them each second why.

Finding out takes some hundred HMACs. That is done on a thread of its own, so that strangers cannot keep the thread busy
that answers callers.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from app.dial.callback_urls import PREFIX
from app.dial.request import Webhook

log = logging.getLogger(__name__)

_SECONDS_BETWEEN = 1.0
# Where proxies put the path before they changed it, and the host.
_PREFIX_HEADERS = ("SCRIPT_NAME", "HTTP_X_FORWARDED_PREFIX", "HTTP_X_SCRIPT_NAME")
_PATH_HEADERS = (
    "HTTP_X_ORIGINAL_URI",
    "HTTP_X_ORIGINAL_URL",
    "HTTP_X_FORWARDED_URI",
    "HTTP_X_REWRITE_URL",
    "HTTP_X_ENVOY_ORIGINAL_PATH",
)
_HOST_HEADERS = ("HTTP_HOST", "HTTP_X_FORWARDED_HOST")


class Refusals:
    """Logs refusals. The thread starts with the first one that needs to be explained."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="signature-diagnosis")
        self._running: Future[None] | None = None
        self._next_at = 0.0

    def close(self) -> None:
        """Wait until the last reason is logged. Afterwards none is looked for."""
        self._thread.shutdown()

    def log(self, webhook: Webhook, reason: str, *, refused: bool) -> None:
        """Log one refusal with its reason."""
        log.warning(
            "signature_refused" if refused else "signature_not_valid",
            extra={
                "kind": webhook.kind.value,
                "sender": webhook.sender,
                "signature": webhook.verification.verdict.value,
                "scheme": webhook.verification.scheme,
                "reason": reason,
                "request_id": webhook.request_id,
            },
        )

    def explain(self, webhook: Webhook, find_reason: Callable[[], str], *, otherwise: str, refused: bool) -> None:
        """Log one refusal with the reason that is found on the thread, or with `otherwise` if it is busy."""
        moment = time.monotonic()
        if moment < self._next_at or (self._running is not None and not self._running.done()):
            self.log(webhook, otherwise, refused=refused)
            return
        self._next_at = moment + _SECONDS_BETWEEN
        try:
            self._running = self._thread.submit(lambda: self.log(webhook, find_reason(), refused=refused))
        except RuntimeError:  # Closed, or the process is about to end.
            self.log(webhook, otherwise, refused=refused)


def urls_in(environ: Mapping[str, Any], webhook: Webhook) -> tuple[str, ...]:
    """Return the URLs that Plivo may have called, by what the request's headers say of host and path."""
    path = webhook.path[webhook.path.find(PREFIX) :]
    prefixes = [_first(environ, name).rstrip("/") for name in _PREFIX_HEADERS]
    originals = [_first(environ, name).partition("?")[0] for name in _PATH_HEADERS]
    paths = [webhook.path, path]
    paths += [prefix + path for prefix in prefixes if prefix.startswith("/")]
    paths += [found for found in originals if found.startswith("/") and found.endswith(path)]
    scheme, _, rest = webhook.base_url.partition("://")
    ours = f"{scheme}://{rest.partition('/')[0]}"
    hosts = sorted({_first(environ, name) for name in _HOST_HEADERS} - {""})
    origins = [ours, *(f"{each}://{host}" for host in hosts for each in ("https", "http"))]
    return tuple(dict.fromkeys(origin + each for each in dict.fromkeys(paths) for origin in origins))


def _first(environ: Mapping[str, Any], name: str) -> str:
    return str(environ.get(name) or "").partition(",")[0].strip()
