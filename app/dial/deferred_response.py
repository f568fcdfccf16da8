"""A reply that is complete once its receipt is on disk.

Under any WSGI server the thread of the request waits for that. A server that sets `DEFERS` in the environ gets the
response back incomplete, hands its entry to the journal, calls `finish` and then sends it: `app/server/adapter.py`.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from flask import Response, g

from app.context import Meter, services
from app.dial.request import Webhook
from app.records.writing.entry import Entry
from app.records.writing.journal import Journal

log = logging.getLogger(__name__)

DEFERS = "dialstatus.defers"


class DeferredResponse(Response):
    """A response whose status and body `decide` sets when the journal is done with `entry`.

    Where `decide` fails, `otherwise` and `status` are what the client gets.
    """

    def __init__(
        self,
        journal: Journal,
        entry: Entry,
        decide: Callable[["DeferredResponse"], None],
        *,
        otherwise: str = "",
        status: int = 200,
    ) -> None:
        super().__init__(otherwise, status, content_type="application/xml")
        self.journal = journal
        self.entry = entry
        self._decide = decide
        self.finished_at = 0  # A reading of `time.perf_counter_ns`.
        self._listeners: list[Callable[[Response], object]] = []

    def when_finished(self, listener: Callable[[Response], object]) -> None:
        """Call `listener` with this response once it is finished and, where the server can do that, sent."""
        self._listeners.append(listener)

    def finish(self) -> None:
        """Set status and body. The journal must be done with the entry, or have abandoned it."""
        try:
            self._decide(self)
        except Exception:
            log.exception("reply_failed")  # Somebody may be on the line: they get what was decided before.
        self.finished_at = time.perf_counter_ns()

    def notify_listeners(self) -> None:
        """Call every listener with the finished response."""
        for listener in self._listeners:
            listener(self)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer as a WSGI application: with this response itself, incomplete, where the server finishes it."""
        if environ.get(DEFERS):
            return self
        self.journal.keep(self.entry)
        self.finish()
        self.notify_listeners()
        return super().__call__(environ, start_response)

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the body, as WSGI wants of everything that an application returns."""
        return self.iter_encoded()


def count_reply(response: Response) -> Response:
    """Count the reply to a request that the guard has read, once it is finished; replies to HEAD are not counted."""
    webhook: Webhook | None = g.get("webhook")
    if webhook is None or webhook.method == "HEAD":
        return response
    if isinstance(response, DeferredResponse):
        response.when_finished(partial(_count, services().meter, webhook))
    else:
        _count(services().meter, webhook, response)
    return response


def _count(meter: Meter, webhook: Webhook, response: Response) -> None:
    ended = response.finished_at if isinstance(response, DeferredResponse) else time.perf_counter_ns()
    meter.count_reply(
        kind=webhook.kind.value,
        signature=webhook.verification.verdict.value,
        status=response.status_code,
        seconds=(ended - webhook.started) / 1e9,
    )
