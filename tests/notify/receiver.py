"""A server that receives events."""

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

SECRET = "whsec_" + base64.b64encode(b"thirty-two made-up bytes of key!").decode()


def events_to(url: str, types: str = "dial.ended") -> dict[str, str]:
    """Return the settings that send events to a receiver on this machine."""
    return {
        "EVENTS_URL": f"{url}/hooks?for=dials",
        "EVENTS_SECRET": SECRET,
        "EVENTS_TYPES": types,
        "EVENTS_ALLOW_PRIVATE": "true",
    }


@dataclass(frozen=True)
class Delivery:
    """One request as received."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """Return the body as JSON."""
        read: dict[str, Any] = json.loads(self.body)
        return read

    @property
    def message_id(self) -> str:
        """Return the id by which a receiver recognises a repeated event."""
        return self.headers["webhook-id"]

    @property
    def is_signed(self) -> bool:
        """Return whether the library of Standard Webhooks verifies the request."""
        try:
            Webhook(SECRET).verify(self.body, self.headers)
        except WebhookVerificationError:
            return False
        return True


class Receiver:
    """Listens on a port of its own and replies with the status and headers that `answer` returns."""

    def __init__(self, answer: Callable[["Receiver"], tuple[int, dict[str, str]]], port: int = 0) -> None:
        self.deliveries: list[Delivery] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.deliveries.append(Delivery(self.path, headers, body))
                status, extra = answer(receiver)
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
