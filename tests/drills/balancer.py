"""A load balancer for tests: each connection goes to the next node that is up."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from itertools import count

from tests.support.server import Server


@contextlib.contextmanager
def balancing(nodes: Sequence[Server]) -> Iterator[str]:
    """Yield a URL whose connections go to the servers in turn."""
    turns = count()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            first = next(turns)
            for offset in range(len(nodes)):
                with contextlib.suppress(ConnectionRefusedError):
                    node = socket.create_connection(("127.0.0.1", nodes[(first + offset) % len(nodes)].port))
                    break
            else:
                return
            with node:
                back = threading.Thread(target=_pump, args=(node, self.request))
                back.start()
                _pump(self.request, node)
                back.join()

    class Balancer(socketserver.ThreadingTCPServer):
        request_queue_size = 128
        daemon_threads = True

    with Balancer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes one way until the source closes."""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
