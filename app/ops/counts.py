"""Counters that each worker keeps for itself and any worker can sum.

Each process counts in memory and writes its counts to a file of its own once a second, so counting costs a webhook
microseconds, and a full disk costs it nothing. A process takes over the file of an ended one and continues its counts:
a new worker does not start at zero, and there are never more files than there were workers at once.
"""

import fcntl
import json
import logging
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from app.records.model.periodic_job import PeriodicJob

log = logging.getLogger(__name__)

Key = tuple[str, ...]  # The metric's name, then the values of its labels.

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds
BUCKET_NAMES = (*(f"{bound:g}" for bound in BUCKETS), "+Inf")

_MOST_PROCESSES = 1024
_PAUSE = 1.0  # Seconds between two writes, which is what a killed worker loses.


class Counts(PeriodicJob):
    """The counts of this process and, through files in `directory`, of all processes of this machine."""

    name = "counts"

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self._values: Counter[Key] = Counter()
        self._changed = False
        # Reentrant: a failure in here is logged, and log lines are counted.
        self._counting = threading.RLock()
        self._writing = threading.Lock()
        self._is_open = False
        self._mine: TextIO | None = None  # The lock on our file, held until this process ends.
        self._path: Path | None = None
        self._is_failing = False

    def add(self, *key: str, amount: float = 1) -> None:
        """Add to a counter."""
        with self._counting:
            if not self._is_open:
                self._open()
            self._values[key] += amount  # type: ignore[assignment]
            self._changed = True

    def count_reply(self, *, kind: str, signature: str, status: int, seconds: float) -> None:
        """Count a reply on one of Plivo's routes, and the time it took in the buckets and the sum of a histogram."""
        with self._counting:
            self.add("receipts_total", kind, signature, str(status))
            self._values["reply_seconds", kind, BUCKET_NAMES[bisect_left(BUCKETS, seconds)]] += 1
            self._values["reply_seconds_sum", kind] += seconds  # type: ignore[assignment]

    def count_ended(self, outcomes: Iterable[str | None]) -> None:
        """Count dials that ended, by outcome."""
        for outcome, amount in Counter(outcomes).items():
            self.add("dials_ended_total", outcome or "unknown", amount=amount)

    def count_trouble(self, event: str, level: str) -> None:
        """Count a warning or an error that was logged."""
        self.add("troubles_total", event, level)

    def count_wrong_token(self, way: str) -> None:
        """Count a wrong reports token, by the way it came: link, form or bearer."""
        self.add("wrong_tokens_total", way)

    def total(self) -> Counter[Key]:
        """Return the sums over all processes: of this one up to now, of the others up to a second ago.

        This process's counts are written first, so that a scrape by another worker never sees a counter decrease.
        """
        with self._counting:
            if not self._is_open:
                self._open()
        total = self.flush()
        for path in self._directory.glob("*.json"):
            if path != self._path:
                total.update(_read(path))
        return total

    def work(self) -> float:
        """Write the counts to their file."""
        self.flush()
        return _PAUSE

    def flush(self) -> Counter[Key]:
        """Write this process's counts to its file if they changed; return them."""
        with self._writing:
            with self._counting:
                values = Counter(self._values)
                if self._path is None or not self._changed:
                    return values
                self._changed = False
            try:
                unfinished = self._path.with_suffix(".new")
                unfinished.write_text(json.dumps(list(values.items())))
                unfinished.replace(self._path)
            except OSError as error:
                self._fail(error)
            else:
                self._is_failing = False
        return values

    def stop(self, patience: float = 1.0) -> None:
        """Write a last time and leave the file to another process."""
        super().stop(patience)
        self.flush()
        if self._mine is not None:
            self._mine.close()

    def _open(self) -> None:
        self._is_open = True
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_file()
        except OSError as error:
            self._fail(error)
            return
        self.wake()

    def _take_file(self) -> None:
        for number in range(_MOST_PROCESSES):
            mine = (self._directory / f"{number}.lock").open("w")
            try:
                fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                mine.close()
                continue
            self._mine, self._path = mine, self._directory / f"{number}.json"
            self._values.update(_read(self._path))
            return
        raise OSError(f"{_MOST_PROCESSES} processes hold a file in {self._directory} already")

    def _fail(self, error: OSError) -> None:
        """Log once that other processes cannot see the counts of this one."""
        self._changed = True
        if not self._is_failing:
            self._is_failing = True
            log.warning("counts_not_written", extra={"error": str(error)})


def _read(path: Path) -> Counter[Key]:
    """Return the counts of a file. A damaged one counts as empty, and its next owner overwrites it."""
    try:
        return Counter({tuple(key): value for key, value in json.loads(path.read_text())})
    except FileNotFoundError:
        return Counter()
    except (OSError, ValueError, TypeError) as error:
        log.warning("counts_not_read", extra={"file": path.name, "error": type(error).__name__})
        return Counter()
