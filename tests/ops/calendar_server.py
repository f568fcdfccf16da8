"""A server of calendars, which can be changed, broken and slowed down."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Headers = Mapping[str, str]


class CalendarServer:
    """Replies with `status`, `headers` and `body`, a byte each `pause` seconds where that is set."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.status, self.headers, self.body, self.pause = 200, dict[str, str](), b"", 0.0
        self.asked: list[Headers] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.asked.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(served.status)
                for name, value in served.headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in served.headers:
                    self.send_header("Content-Length", str(len(served.body)))
                self.end_headers()
                with suppress(OSError):
                    self._send(served.body)

            def _send(self, body: bytes) -> None:
                if not served.pause:
                    self.wfile.write(body)
                    return
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(served.pause)

            def log_message(self, *_arguments: object) -> None:
                """Write nothing."""

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self.url = f"http://{host}:{self._server.server_port}/secret/team.ics"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port: the calendar is away."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def calendar_server(host: str = "127.0.0.1") -> Iterator[CalendarServer]:
    """Yield a running server of calendars."""
    server = CalendarServer(host)
    try:
        yield server
    finally:
        with suppress(OSError):
            server.stop()


def calendar_of(title: str, start: str, length: str = "PT2H", *lines: str) -> bytes:
    """Return a calendar of one event; `start` in UTC, such as 20261123T090000Z."""
    event = ["BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z", f"DTSTART:{start}", f"DURATION:{length}", *lines]
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//EN", *event]
    return "\r\n".join([*head, f"SUMMARY:{title}", "END:VEVENT", "END:VCALENDAR", ""]).encode()
