"""Questions to the store that anybody may repeat and nobody must wait for."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from app.records.model.receipt import StoreUnavailable

Answer = TypeVar("Answer")
_FRESH = 1.0  # Seconds for which one answer serves all who ask.


class Bounded(Generic[Answer]):
    """Asks at most once a second and never keeps whoever asks waiting for longer than `timeout` seconds."""

    def __init__(self, question: Callable[[], Answer], *, timeout: float, name: str) -> None:
        self._question = question
        self._timeout = timeout
        self._lock = threading.Lock()
        # Its thread starts with the first question, in the process that serves: threads do not live through a fork.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._answer: Future[Answer] | None = None
        self._asked_at = 0.0

    def ask(self) -> Answer:
        """Give the newest answer. Raises `StoreUnavailable` when none comes in time, and what the question raises."""
        try:
            return self._newest().result(timeout=self._timeout)
        except TimeoutError as error:
            raise StoreUnavailable(f"the store did not answer within {self._timeout:g} seconds") from error

    def _newest(self) -> Future[Answer]:
        with self._lock:
            now = time.monotonic()
            # A question that hangs is not joined by another one.
            if self._answer is None or (self._answer.done() and now - self._asked_at >= _FRESH):
                self._asked_at = now
                self._answer = self._thread.submit(self._question)
            return self._answer
