"""A reply that is complete once its receipt is on disk.

Under any WSGI server the thread of the request waits for that. A server that sets `DEFERS` in the environ gets the
response back incomplete, hands its entry to the journal, calls `finish` and then sends it: `app/server/adapter.py`.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Response, g

from app.context import Meter, Services, services
from app.dial.request import Webhook
from app.records.writing.entry import Entry

log = logging.getLogger(__name__)

DEFERS = "dialstatus.defers"


class DeferredResponse(Response):
    """The reply to a webhook, whose status and body `decide` sets when the journal is done with `entry`.

    Where `decide` fails, `otherwise` and `status` are what the client gets. What `decide` assigns to `log_outcome` is
    called once the reply is finished and, where the server can do that, sent.
    """

    def __init__(
        self,
        shared: Services,
        webhook: Webhook,
        entry: Entry,
        decide: Callable[["DeferredResponse"], None],
        *,
        otherwise: str = "",
        status: int = 200,
    ) -> None:
        super().__init__(otherwise, status, content_type="application/xml")
        self.entry = entry
        self.log_outcome: Callable[[], object] | None = None
        self.finished_at = 0  # A reading of `time.perf_counter_ns`.
        self._shared = shared
        self._webhook = webhook
        self._decide = decide

    def finish(self) -> None:
        """Set status and body. The journal must be done with the entry, or have abandoned it."""
        try:
            self._decide(self)
        except Exception:
            log.exception("reply_failed")  # Somebody may be on the line: they get what was decided before.
        self.finished_at = time.perf_counter_ns()

    def report(self) -> None:
        """Log and count the finished reply."""
        if self.log_outcome:
            self.log_outcome()
        _count(self._shared.meter, self._webhook, self.status_code, self.finished_at)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer as a WSGI application: with this response itself, incomplete, where the server finishes it."""
        if environ.get(DEFERS):
            return self
        self._shared.journal.keep(self.entry)
        self.finish()
        self.report()
        return super().__call__(environ, start_response)

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the body, as WSGI wants of everything that an application returns."""
        return self.iter_encoded()


def count_reply(response: Response) -> Response:
    """Count the reply to a request that the guard has read, but for a deferred one, which counts itself, and HEAD."""
    if not isinstance(response, DeferredResponse):
        webhook: Webhook | None = g.get("webhook")
        if webhook is not None and webhook.method != "HEAD":
            _count(services().meter, webhook, response.status_code, time.perf_counter_ns())
    return response


def _count(meter: Meter, webhook: Webhook, status: int, ended: int) -> None:
    meter.count_reply(
        kind=webhook.kind.value,
        signature=webhook.verification.verdict.value,
        status=status,
        seconds=(ended - webhook.started) / 1e9,
    )
