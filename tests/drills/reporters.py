"""Reporters that keep going whatever happens to the server, and remember what was acknowledged."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import DEADLINE, Server, until


class Reporter(threading.Thread):
    """Reports whole calls; each webhook is retried until it is acknowledged or the drill ends."""

    def __init__(self, server: Server, pause: float) -> None:
        super().__init__(daemon=True)
        self._pause = pause
        self.acknowledged: list[tuple[str, str]] = []  # Of each webhook, the call's UUID and its kind.
        self._server = server
        self._connection = server.connect()
        self._over = threading.Event()

    def run(self) -> None:
        """Report calls until `finish` is called."""
        while not self._over.is_set():
            call_uuid = new_uuid()
            for kind, target, fields in webhooks(call_uuid):
                if self._send(target, fields, is_notice=kind in {"callback", "hangup"}):
                    self.acknowledged.append((call_uuid, kind))
                self._over.wait(self._pause)
        self._connection.close()

    def finish(self) -> None:
        """Stop; give up what is not yet acknowledged."""
        self._over.set()

    def _send(self, target: str, fields: dict[str, str], *, is_notice: bool) -> bool:
        while not self._over.is_set():
            try:
                reply = self._server.plivo("POST", target, fields, connection=self._connection)
            except (OSError, http.client.HTTPException):
                self._connection.close()  # The server is down, or its worker is gone.
                self._over.wait(0.02)
                continue
            if reply.status == 200:
                return True
            assert (reply.status, is_notice) == (503, True), reply
        return False


def webhooks(call_uuid: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield what Plivo sends about an answered call: kind, target and parameters."""
    leg = {"DialALegUUID": call_uuid, "DialBLegUUID": f"b-{call_uuid}", "CallUUID": call_uuid}
    yield "answer", "/dialstatus/", inbound(call_uuid)
    yield "callback", f"/dialstatus/callback/?dial=of-{call_uuid}", {"DialAction": "answer", **leg}
    yield "action", f"/dialstatus/action/?dial=of-{call_uuid}", dial_report(call_uuid, "completed", f"b-{call_uuid}")
    yield "hangup", "/dialstatus/hangup/", inbound(call_uuid, Event="Hangup", CallStatus="completed")


@contextmanager
def reporting(server: Server, *, pause: float = 0) -> Iterator[list[Reporter]]:
    """Run eight reporters that pause `pause` seconds between webhooks; all have finished afterwards."""
    working = [Reporter(server, pause) for _ in range(8)]
    for reporter in working:
        reporter.start()
    try:
        until(lambda: all(reporter.acknowledged for reporter in working))
        yield working
    finally:
        for reporter in working:
            reporter.finish()
        for reporter in working:
            reporter.join(DEADLINE)
    assert not [reporter for reporter in working if reporter.is_alive()]
