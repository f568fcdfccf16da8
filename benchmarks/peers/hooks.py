"""What our `gunicorn.conf.py` does beyond its settings, for a peer under the same ones: pin workers to processors."""

import os
from collections import Counter
from typing import Any


def pre_fork(server: Any, worker: Any) -> None:
    """Choose the processor with the fewest workers."""
    taken = Counter(one.processor for one in server.WORKERS.values())
    worker.processor = min(sorted(os.sched_getaffinity(0)), key=lambda processor: taken[processor])


def post_fork(_server: Any, worker: Any) -> None:
    """Pin a worker to its processor."""
    os.sched_setaffinity(0, {worker.processor})
