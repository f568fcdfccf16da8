"""Gunicorn's worker process, with uvicorn as its HTTP server."""

import logging
import os
import resource
from contextlib import suppress
from functools import partial

import uvicorn
import uvloop
from gunicorn.workers.base import Worker

from app.server.adapter import Adapter
from app.server.connections import Connection, Server

log = logging.getLogger(__name__)

_OWN_FILES = 200  # Open files that a worker needs besides its connections.


class AsgiWorker(Worker):  # type: ignore[misc]  # Gunicorn has no types.
    """A process that gunicorn's master starts, watches and replaces."""

    # Stop at the next tick, as for SIGTERM, which uvicorn handles while it serves and raises again at its end.
    handle_quit = Worker.handle_exit

    def run(self) -> None:
        """Serve until told to stop."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # The adapter logs what fails.
        uvloop.run(self._serve())

    async def _serve(self) -> None:
        config = uvicorn.Config(
            Adapter(self.wsgi),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=self.cfg.keepalive,
            timeout_graceful_shutdown=max(1, self.cfg.graceful_timeout - 3),
            timeout_notify=0,  # Each second.
            limit_max_requests=self.max_requests,
        )
        server = Server(config)
        config.http = partial(Connection, server)  # type: ignore[assignment]  # It is called like the class.
        config.callback_notify = partial(self._tick, server)
        await server.serve([listener.sock for listener in self.sockets])

    async def _tick(self, server: Server) -> None:
        """Notify the master that this worker is alive, end with the master, and drop clients that are too slow."""
        self.notify()
        server.should_exit |= not self.alive or self.ppid != os.getppid()
        server.limit = _connection_limit(self.cfg.worker_connections)  # An operator may lower it at any time.
        server.sweep()


def _connection_limit(wanted: int) -> int:
    """Return how many connections this process may hold; raise its limit of open files as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS names no limit that it would grant.
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if soft != hard:
            log.info("file_limit_raised", extra={"files_before": soft, "files": hard})
        soft = hard
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - min(_OWN_FILES, soft // 2))
