"""A reply that is given once its receipt is on disk.

Under any WSGI server the thread of the request waits. Our own worker (`app/server/gunicorn_worker.py`) asks to be given
the reply unfinished, hands the receipts of many requests to the journal at once, and keeps no thread waiting.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any

from flask import Response, g
from werkzeug.datastructures import Headers

from app.context import Meter, services
from app.dial.request import Webhook
from app.records.writing.entry import Entry
from app.records.writing.journal import Journal

log = logging.getLogger(__name__)

# Set in the WSGI environment by a server that finishes the reply itself.
FINISHES = "dialstatus.finishes"


@cache
def _blank(status: int) -> dict[str, Any]:
    return vars(Response(status=status))


class DeferredResponse(Response):
    """A response whose status and body are decided when the journal is done with `entry`.

    `decide` does that. Should it fail, what was given as `otherwise` is said.
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
        # What Werkzeug's own `__init__` makes, but for what is this one's alone: in a third of the time.
        vars(self).update(_blank(status))
        self.headers = Headers()
        self.headers.add("Content-Type", "application/xml")
        self._on_close = []
        self.response = [otherwise.encode()]
        self.journal = journal
        self.entry = entry
        self._decide = decide
        self.finished_at = 0  # A reading of `time.perf_counter_ns`, once it is.
        self._listeners: list[Callable[[Response], object]] = []

    def when_finished(self, listener: Callable[[Response], object]) -> None:
        """Have `listener` called with this response once it is finished and, where that is possible, given."""
        self._listeners.append(listener)

    def finish(self) -> None:
        """Decide status and body. The journal is done with the entry, or was given it up."""
        try:
            self._decide(self)
        except Exception:
            log.exception("reply_failed")  # Somebody may be on the line: what was decided before is still true.
        self.finished_at = time.perf_counter_ns()

    def tell(self) -> None:
        """Tell whoever wants to hear of the finished response."""
        for listener in self._listeners:
            listener(self)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer as WSGI wants it: at once with what has yet to be finished where the server can do that."""
        if environ.get(FINISHES):
            return Unfinished(self, start_response)
        self.journal.keep(self.entry)
        self.finish()
        self.tell()
        return super().__call__(environ, start_response)

    def start(self, start_response: Any) -> Iterable[bytes]:
        """Give the body of the finished reply, which is never one to HEAD: nothing of HEAD is kept."""
        body = self.get_data()
        headers = self.headers.to_wsgi_list()
        if "Content-Length" not in dict(headers):
            headers.append(("Content-Length", str(len(body))))
        start_response(self.status, headers)
        return [body]


class Unfinished:
    """What a server that finishes replies itself is given in place of a body."""

    __slots__ = ("_start_response", "reply")

    def __init__(self, reply: DeferredResponse, start_response: Any) -> None:
        self.reply = reply
        self._start_response = start_response

    def __iter__(self) -> Iterator[bytes]:
        """Give the body, once the reply is finished."""
        return iter(self.reply.start(self._start_response))


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
