"""Two nodes whose clocks differ by minutes: events of a call keep their order, and none comes late."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.notify.conftest import Listen
from tests.notify.receiver import events_to
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import Server, until

Start = Callable[..., Server]
# Python reads a module of this name when it starts.
AHEAD_SECONDS = 180
AHEAD = f"""
import time
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + {AHEAD_SECONDS}
time.time_ns = lambda: _time_ns() + {AHEAD_SECONDS} * 10**9
"""
TYPES = "followup.opened,call.ended,followup.closed"


def play(node: Server, status: str, b_leg: str = "") -> str:
    """Play a call on a node; return its UUID."""
    call_uuid, began = new_uuid(), f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"  # By Plivo's clock.
    standard = inbound(call_uuid, SessionStart=began)
    hangup = {**standard, "CallStatus": "completed", "Event": "Hangup", "HangupCauseCode": "4010"}
    node.plivo("POST", "/dialstatus/", standard)
    node.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, status, b_leg))
    node.plivo("POST", "/dialstatus/hangup/", hangup)
    return call_uuid


def test_events_keep_their_order_and_their_pace_on_nodes_whose_clocks_differ(
    start_server: Start, postgresql_url: str, tmp_path: Path, listen: Listen
) -> None:
    (tmp_path / "sitecustomize.py").write_text(AHEAD)
    receiver = listen()
    settings = {**events_to(receiver.url, TYPES), "WORKERS": "1", "SECRET_KEY": "the-nodes-share-this-key"}
    ahead = start_server(DATABASE_URL=postgresql_url, PYTHONPATH=tmp_path, **settings)
    right = start_server(DATABASE_URL=postgresql_url, **settings)
    started = time.monotonic()
    play(ahead, "busy")
    until(lambda: len(receiver.deliveries) == 2)
    play(right, "completed", "b-leg")
    until(lambda: len(receiver.deliveries) == 4)
    ahead.kill()  # The other node sends from now on.
    play(right, "busy")
    until(lambda: len(receiver.deliveries) == 6)

    kept = [one.event["type"] for one in receiver.deliveries if one.event["type"] != "call.ended"]
    assert kept == ["followup.opened", "followup.closed", "followup.opened"]
    assert time.monotonic() - started < AHEAD_SECONDS  # The difference between the clocks delays nothing.
