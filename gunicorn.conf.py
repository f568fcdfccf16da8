"""How gunicorn runs the server: its settings and its hooks. Every setting of ours comes from `config.py`."""

import gc
import os
import sys
from collections import Counter
from random import SystemRandom
from typing import Any

from flask import Flask
from gunicorn.glogging import Logger
from gunicorn.systemd import listen_fds

from app import make_services
from app.ops.logs import configure_logging
from app.plan.remarks import remarks
from app.server.lifecycle import prepare, serving, start, stop
from app.server.startup import port_problem, welcome
from config import Config


class GunicornLogger(Logger):  # type: ignore[misc]  # Gunicorn has no types.
    """Passes gunicorn's log lines to the handler of `configure_logging`."""

    def setup(self, cfg: Any) -> None:
        """Remove gunicorn's own handlers, which would write each line a second time."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True


_services = serving.renew(lambda: make_services(Config.load()))
_config = _services.config

configure_logging(_config)
logger_class = GunicornLogger
bind = f"{_config.host}:{_config.port}"
workers = _config.workers
# Webhooks on an event loop, everything else on `threads`: docs/decisions/serving.md. The application also runs under
# gunicorn's own workers, such as `--worker-class gthread`.
worker_class = "app.server.worker.AsgiWorker"
threads = _config.threads
graceful_timeout = 10  # Seconds for the requests of a worker that is told to stop.
# Seconds. Plivo and proxies reuse connections; connecting costs more than a webhook.
keepalive = 30
accesslog = None
# Werkzeug finds the client behind exactly TRUSTED_PROXIES hops; gunicorn must not believe a header itself.
forwarded_allow_ips = ""
control_socket_disable = True  # Unused, and two servers of one user would share its path.


def on_starting(server: Any) -> None:
    """Check the port, then prepare the store, before any worker uses them."""
    # A master that takes over from another one, or was started by systemd, is given the port open.
    if not server.master_pid and not listen_fds(unset_environment=False):
        for address in server.cfg.address:
            if isinstance(address, tuple) and (problem := port_problem(*address)):
                sys.exit(problem)
    prepare(_services.store)
    _services.store.close()


def pre_fork(server: Any, worker: Any) -> None:
    """Choose the processor with the fewest workers, and keep the memory that a worker starts with shared."""
    gc.freeze()  # The garbage collector would write a mark into every page, and so copy it.
    if hasattr(os, "sched_getaffinity"):  # Linux.
        taken = Counter(one.processor for one in server.WORKERS.values())
        # Shuffled: several servers on one machine must not all choose the first processor.
        free = SystemRandom().sample(sorted(os.sched_getaffinity(0)), k=len(os.sched_getaffinity(0)))
        worker.processor = min(free, key=lambda processor: taken[processor])


def post_fork(_server: Any, worker: Any) -> None:
    """Keep a worker on one processor: its threads run one at a time, and another processor's cache is cold."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {worker.processor})


def when_ready(_server: Any) -> None:
    """Print the next steps once the port is open."""
    is_terminal = sys.stdout.isatty()
    text = welcome(_config, is_terminal=is_terminal, remarks=remarks(_services.plan))
    print(text, file=sys.stdout if is_terminal else sys.stderr, flush=True)


def post_worker_init(worker: Any) -> None:
    """Start the background jobs."""
    start(worker.wsgi)


def worker_exit(_server: Any, worker: Any) -> None:
    """Stop the background jobs; this runs after the last reply."""
    app = getattr(worker, "wsgi", None)  # Missing where the worker failed before it had loaded the application.
    if isinstance(app, Flask):
        stop(app)
