"""What our own `gunicorn.conf.py` does beyond its settings, for a peer under the same ones: a processor a worker."""

import os
from collections import Counter
from typing import Any


def pre_fork(server: Any, worker: Any) -> None:
    """Choose the processor that the fewest workers are on."""
    taken = Counter(one.processor for one in server.WORKERS.values())
    worker.processor = min(sorted(os.sched_getaffinity(0)), key=lambda processor: taken[processor])


def post_fork(_server: Any, worker: Any) -> None:
    """Keep a worker on its processor."""
    os.sched_setaffinity(0, {worker.processor})
