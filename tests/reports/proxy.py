"""A reverse proxy that serves an application below a path, as an operator's web server does."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@contextmanager
def proxy(upstream: int, *, prefix: str, strips: bool, port: int = 0) -> Iterator[int]:
    """Yield the port of a proxy that passes requests below `prefix` to a port of this machine, all others get 404.

    `strips`: whether it removes the prefix. Host becomes the upstream's, as with nginx's plain proxy_pass.
    """

    class Handler(BaseHTTPRequestHandler):
        def _forward(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                self.send_error(404)
                return
            connection = HTTPConnection("127.0.0.1", upstream, timeout=60)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name not in {"Host", "Connection"}}
            target = self.path.removeprefix(prefix) if strips else self.path
            connection.request(self.command, target, body, headers)
            response = connection.getresponse()
            content = response.read()
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            connection.close()
            with suppress(ConnectionError):  # The browser has left the page.
                self.end_headers()
                self.wfile.write(content)

        def do_GET(self) -> None:
            self._forward()

        def do_POST(self) -> None:
            self._forward()

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()
