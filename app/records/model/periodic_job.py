"""Background work that is done again and again: the one class for it, in the lowest room that needs it."""

import logging
import threading

log = logging.getLogger(__name__)

_AFTER_FAILURE = 60.0  # Seconds until the next run after one that raised.


class Stopped(Exception):
    """Ends a run early."""


class PeriodicJob:
    """Runs `work` in a daemon thread of its own, from `wake` until `stop`.

    `work` returns the seconds until its next run, or None to rest until it is woken. A long run looks at `stopping`, or
    calls `check_stop`, and ends early. Threads do not survive a fork: wake the job in the process that serves.
    """

    name = "job"  # Of the thread, and in the log.

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def work(self) -> float | None:
        """Do what there is to do now."""
        raise NotImplementedError

    def check_stop(self, _count: int = 0) -> None:
        """Raise `Stopped` once the job is to stop; the progress of what `work` calls may be reported to it."""
        if self.stopping.is_set():
            raise Stopped

    def wake(self) -> None:
        """Run soon; start the thread where this process has none."""
        self._woken.set()
        with self._lock:
            if not self.stopping.is_set() and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()

    def stop(self, patience: float = 1.0) -> None:
        """Stop, and wait for a run under way for up to `patience` seconds."""
        self.stopping.set()
        self._woken.set()
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)

    def _run(self) -> None:
        while not self.stopping.is_set():
            self._woken.clear()
            try:
                pause = self.work()
            except Stopped:
                return
            except Exception:
                log.exception("job_failed", extra={"job": self.name})
                pause = _AFTER_FAILURE
            self._woken.wait(pause)
