"""Questions to the store that anybody may repeat and nobody has to wait for."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from app.records.model.receipt import StoreUnavailable

Result = TypeVar("Result")
_LIFETIME = 1.0  # Seconds for which a result is reused.


class CachedProbe(Generic[Result]):
    """Runs a function at most once a second and at most once at a time, on a thread of its own."""

    def __init__(self, function: Callable[[], Result], *, timeout: float, name: str) -> None:
        """`timeout` in seconds is how long `result` waits; `name` is the thread's."""
        self._function = function
        self._timeout = timeout
        self._lock = threading.Lock()
        # The thread starts with the first run, in the process that serves: threads do not survive a fork.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._future: Future[Result] | None = None
        self._started_at = 0.0

    def result(self) -> Result:
        """Return the newest result. Raises StoreUnavailable after the timeout, and what the function raises."""
        try:
            return self._newest().result(timeout=self._timeout)
        except TimeoutError as error:
            raise StoreUnavailable(f"the store did not answer within {self._timeout:g} seconds") from error

    def _newest(self) -> Future[Result]:
        with self._lock:
            now = time.monotonic()
            # While a run hangs no other is started.
            if self._future is None or (self._future.done() and now - self._started_at >= _LIFETIME):
                self._started_at = now
                self._future = self._thread.submit(self._function)
            return self._future
