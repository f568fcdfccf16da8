"""How gunicorn runs the server. Every setting of ours comes from `config.py`."""

import gc
import logging
import os
import sys
from collections import Counter
from random import SystemRandom
from typing import Any

from flask import Flask
from gunicorn.systemd import listen_fds

from app import make_services
from app.ops.logs import configure_logging
from app.records.model.receipt import StoreUnavailable
from app.records.store.readiness import prove_write
from app.server.background import start_background, stop_background
from app.server.port_check import why_not
from app.server.prepare import prepare
from app.server.shared_services import serving
from app.server.welcome import welcome
from config import Config

_services = serving.renew(lambda: make_services(Config.load()))
_config = _services.config

configure_logging(_config)
logger_class = "app.server.gunicorn_logger.GunicornLogger"
bind = f"{_config.host}:{_config.port}"
workers = _config.workers
# Webhooks are answered on the worker's loop, which waits for nothing: half the processor time of a thread for each, and
# two to three times the webhooks a second. Reports, which may take long, get threads, and only once they have arrived
# whole, so that slow clients keep none from Plivo: docs/decisions/serving.md.
worker_class = "app.server.worker.AsgiWorker"
threads = _config.threads
# Requests that a worker still works on when it is told to stop get this long (seconds).
graceful_timeout = 10
# Plivo and proxies reuse connections; a connect per webhook would cost more than the webhook.
keepalive = 30
# A request line holds Plivo's parameters when DIAL_METHOD is GET.
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
accesslog = None
# Who called, and by which scheme, is Werkzeug's to find out from exactly TRUSTED_PROXIES hops: gunicorn must believe
# no header of its own accord.
forwarded_allow_ips = ""
control_socket_disable = True  # Nothing of ours uses it, and two servers of one user would share its path.


def on_starting(server: Any) -> None:
    """Look at the port; then bring SQLite's tables up to date, before a worker looks at them.

    Where PostgreSQL's are not, that is said. A store that is away does not keep the server from starting: callers are
    served, and the spool takes the reports.
    """
    # A master that takes over from another, or was started by systemd, is given the port open.
    if not server.master_pid and not listen_fds(unset_environment=False):
        for address in server.cfg.address:
            if isinstance(address, tuple) and (reason := why_not(*address)):
                sys.exit(reason)
    try:
        prepare(_services.store)
        prove_write(_services.store)
    except StoreUnavailable as error:
        # Away, damaged, locked, on a full disk, or without its tables. Callers are answered all the same.
        logging.getLogger("app.server.shared_services").error("store_not_ready", extra={"reason": str(error)})  # noqa: TRY400
    _services.store.close()


def pre_fork(server: Any, worker: Any) -> None:
    """Choose the processor that the fewest workers are on, and keep the memory that a worker starts with shared.

    Frozen, what is loaded now is passed over by the collector of garbage, whose marks would copy every page of it.
    """
    gc.freeze()
    if hasattr(os, "sched_getaffinity"):  # Linux alone.
        taken = Counter(one.processor for one in server.WORKERS.values())
        # Any of the free ones: several servers on one machine must not all choose the first.
        free = SystemRandom().sample(sorted(os.sched_getaffinity(0)), k=len(os.sched_getaffinity(0)))
        worker.processor = min(free, key=lambda processor: taken[processor])


def post_fork(_server: Any, worker: Any) -> None:
    """Keep a worker on one processor: its threads run one at a time, and each that runs elsewhere finds a cold cache.

    Measured with two workers on two processors: 1.8 times the webhooks at 32 connections, 1.7 times at 128.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {worker.processor})


def when_ready(_server: Any) -> None:
    """Say what to do next, once the port is open."""
    is_terminal = sys.stdout.isatty()
    print(welcome(_config, is_terminal=is_terminal), file=sys.stdout if is_terminal else sys.stderr, flush=True)


def post_worker_init(worker: Any) -> None:
    """Begin what a worker does besides answering."""
    start_background(worker.wsgi)


def worker_exit(_server: Any, worker: Any) -> None:
    """Finish what was begun; this runs after the last answer."""
    app = getattr(worker, "wsgi", None)  # A worker that failed before it had one has nothing to finish.
    if isinstance(app, Flask):
        stop_background(app)
