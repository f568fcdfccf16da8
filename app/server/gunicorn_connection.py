"""A connection, and how much of its next request has arrived."""

import socket
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.http import get_parser
from gunicorn.workers.gthread import TConn

from app.server.arriving import MOST_BYTES, awaits_consent, is_webhook, is_whole
from app.server.plain_http import Environ, base_environ, read

_USUAL_BYTES = 8192  # No webhook is longer.
_CONSENT = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(TConn):  # type: ignore[misc]  # Gunicorn comes without types.
    """A connection, and how much of its next request has been seen."""

    def __init__(self, linger: Callable[["Connection"], bool], limits: Mapping[str, int], *args: Any) -> None:
        super().__init__(*args)
        self._linger = linger
        self._limits = limits  # The parser's own.
        self.initialized: bool
        self.seen = 0
        self.told = False
        self.has_webhook = False  # The next request is one.
        self._environ: Environ | None = None  # Where that was read already.
        self.base = base_environ(self.client, self.server) if isinstance(self.client, tuple) else None
        self.is_answering = False  # A webhook's answer waits for the store.
        self.watched = 0  # What the poller watches it for.
        self.is_kept = False  # It is among the worker's kept-alive connections, to be looked at again then:
        self.looked_at = 0.0
        self.is_gone = False
        self.unsent = b""
        self.closes = False  # When all is sent.

    def close(self, graceful: bool = False) -> None:
        """Close; where an answer may still be on its way, on the loop and not here."""
        if not (graceful and self._linger(self)):
            super().close()

    def look(self) -> bool | None:
        """Tell whether the next request has arrived whole; None when it never will."""
        try:
            return self._look()
        except OSError:
            return None

    def _look(self) -> bool | None:
        try:
            seen = self.sock.recv(_USUAL_BYTES, socket.MSG_PEEK)
            if len(seen) == _USUAL_BYTES:
                seen = self.sock.recv(MOST_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        is_plain = self._read_plain(seen)
        if is_plain or is_whole(seen):
            self._await(1)
            self.seen = 0
            self.has_webhook = is_plain or is_webhook(seen)
            return True
        if len(seen) == self.seen or len(seen) >= MOST_BYTES:
            return None  # It has ended in the middle, or will have no end.
        if not self.told and awaits_consent(seen):
            self.told = True
            self.sock.send(_CONSENT)
        self.seen = len(seen)
        self._await(self.seen + 1)
        return False

    def _read_plain(self, seen: bytes) -> bool:
        """Read the request and take it off the socket, if it is whole and nothing about it is unusual."""
        if self.base is None or len(seen) >= _USUAL_BYTES:
            return False
        self._environ = read(seen, self.base, self._limits)
        if self._environ is None:
            return False
        self.sock.recv(len(seen))
        return True

    def take(self) -> Environ | None:
        """Give the webhook if there is nothing unusual about it; else it is left where it is."""
        environ, self._environ = self._environ, None
        return environ

    def begun(self) -> Any:
        """Give the parser, on a socket that does not wait."""
        if not self.initialized:
            self.initialized = True
            self.parser = get_parser(self.cfg, self.sock, self.client)
        return self.parser

    def is_finished(self) -> bool:
        """Tell whether nothing of a whole request is left unread, and nothing was read of a next one."""
        return bool(self.parser.finish_body()) and not self.parser.unreader.buf.getvalue()

    def _await(self, count: int) -> None:
        """Have the kernel wake us only when so many bytes are there."""
        if count != 1 or self.seen:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
