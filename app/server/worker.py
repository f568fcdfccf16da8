"""Gunicorn's worker process, with uvicorn as its HTTP server."""

import asyncio
import logging
import os
import resource
import socket
from functools import partial
from types import FrameType
from typing import cast

import uvicorn
import uvloop
from gunicorn.config import Config as GunicornConfig
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from app.server.adapter import Adapter
from app.server.connections import Connection, Connections

log = logging.getLogger(__name__)

_DRAIN = 1.4  # Seconds in which kept-alive connections are told that the next reply is the last one.
_TICK = 0.5  # Seconds between two looks at the connections and at gunicorn's master.
_OWN_FILES = 200  # Open files that a worker needs besides its connections.


class GunicornLogger(Logger):  # type: ignore[misc]  # Gunicorn has no types.
    """Passes gunicorn's log lines to the handler of `configure_logging`."""

    def setup(self, cfg: GunicornConfig) -> None:
        """Remove gunicorn's own handlers, which would write each line a second time."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True


class DrainingServer(uvicorn.Server):
    """A server that stops without failing a request on a connection that is kept alive."""

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, say `Connection: close` on every reply for a while, then finish what is in work."""
        self._connections.is_draining = True
        for server in self.servers:
            server.close()
        until = asyncio.get_running_loop().time() + _DRAIN
        while self._connections.open and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)
        self._connections.close_waiting()
        await super().shutdown(sockets)


class AsgiWorker(Worker):  # type: ignore[misc]  # Gunicorn has no types.
    """A process that gunicorn's master starts, watches and replaces."""

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - Gunicorn's signature.
        """Stop at the next tick, as for SIGTERM, which uvicorn handles while it serves and raises again at its end."""
        self.alive = False

    def run(self) -> None:
        """Serve until told to stop."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # The adapter logs what fails.
        uvloop.run(self._serve())

    async def _serve(self) -> None:
        connections = Connections(
            limit=connection_limit(self.cfg.worker_connections), keepalive=float(self.cfg.keepalive)
        )
        config = uvicorn.Config(
            Adapter(self.wsgi),
            http=cast(type[asyncio.Protocol], partial(Connection, connections)),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=self.cfg.keepalive,
            timeout_graceful_shutdown=max(1, self.cfg.graceful_timeout - 3),
            limit_max_requests=self.max_requests,
        )
        server = DrainingServer(config, connections)
        ticking = asyncio.create_task(self._tick(server, connections))
        await server.serve([listener.sock for listener in self.sockets])
        ticking.cancel()

    async def _tick(self, server: uvicorn.Server, connections: Connections) -> None:
        """Notify the master that this worker is alive, end with the master, and drop clients that are too slow."""
        while True:
            self.notify()
            if not self.alive or self.ppid != os.getppid():
                server.should_exit = True
            connections.limit = connection_limit(self.cfg.worker_connections)  # An operator may lower it at any time.
            connections.sweep()
            await asyncio.sleep(_TICK)


def connection_limit(wanted: int) -> int:
    """Return how many connections this process may hold; raise its limit of open files as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if soft != hard:
            log.info("file_limit_raised", extra={"files_before": soft, "files": hard})
        soft = hard
    except (ValueError, OSError):
        log.debug("file_limit_kept", extra={"files": soft})  # macOS names no limit that it would grant.
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, soft - min(_OWN_FILES, soft // 2))
