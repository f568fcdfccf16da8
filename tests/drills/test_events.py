"""Ring-group calls under kills, on two nodes, to receivers that fail: no event or notice is lost, false or doubled."""

import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.records.store.store import Store
from app.records.writing.deliveries import resend
from tests.drills.conftest import Tell
from tests.drills.sizes import sizes
from tests.notify.receiver import SECRET
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.database import rows
from tests.support.server import Server, until

Start = Callable[..., Server]
AT_ONCE = 8
KILL_EVERY = 5.0  # seconds
GROUP = "+14155550121,+14155550122,+14155550123"


class Unreliable:
    """A receiver that refuses some events and, of others that it has read, loses the reply."""

    def __init__(self, seed: int) -> None:
        self.seen: list[tuple[str, str, str, str]] = []  # id, type, subject, outcome
        self.lost: set[str] = set()  # The ids whose reply was lost.
        chance, lock, mine = random.Random(seed), threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    luck = chance.random()
                    if luck >= 0.1:
                        event = json.loads(body)
                        about = (event["type"], event["subject"], event["data"]["outcome"])
                        mine.seen.append((self.headers["webhook-id"], *about))
                    if 0.1 <= luck < 0.15:
                        mine.lost.add(self.headers["webhook-id"])
                if luck < 0.1:
                    self.send_error(503)
                elif luck >= 0.15:
                    self.send_response(204)
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Unreliable]:
    """Yield an unreliable receiver."""
    made = Unreliable(seed=7)
    yield made
    made.close()


def post(nodes: list[Server], path: str, fields: dict[str, str]) -> str:
    """Send a webhook to any node, again as Plivo does until one takes it; return the reply's body."""
    while True:
        with suppress(OSError):
            reply = random.choice(nodes).plivo("POST", path, fields)
            if reply.status == 200:
                return reply.body
        time.sleep(0.2)


def play(nodes: list[Server], number: int) -> tuple[str, str]:
    """Play a call to the group, in which somebody answers or nobody does; return its UUID and its outcome."""
    call_uuid, outcome = new_uuid(), ("answered", "missed", "busy")[number % 3]
    post(nodes, "/dialstatus/", inbound(call_uuid))
    status, b_leg = {"answered": ("completed", "b1"), "missed": ("no-answer", ""), "busy": ("busy", "")}[outcome]
    report = dial_report(call_uuid, status, b_leg)
    hangup = inbound(call_uuid, CallStatus="completed", Event="Hangup", HangupCauseCode="4010", HangupSource="Plivo")
    webhooks = [("/dialstatus/action/", report), ("/dialstatus/hangup/", hangup)]
    if number % 5 == 0:
        webhooks.reverse()  # Any order.
    for path, fields in webhooks:
        post(nodes, path, fields)
    return call_uuid, outcome


def kill_in_turn(nodes: list[Server], stopping: threading.Event, kills: Counter[str]) -> None:
    """Kill one node after another, and start it again."""
    turn = 0
    while not stopping.wait(KILL_EVERY):
        node = nodes[turn % len(nodes)]
        node.kill()
        node.start()
        kills["kills"] += 1
        turn += 1


@sizes(short=60, long=100_000)
def test_every_call_is_announced_once_under_kills(
    start_server: Start, postgresql_url: str, tmp_path: Path, receiver: Unreliable, tell: Tell, size: int
) -> None:
    settings = {
        "DATABASE_URL": postgresql_url,
        "SECRET_KEY": "the-nodes-share-this-key",
        "DIAL_TO": GROUP,
        "WORKERS": "1",
        "EVENTS_URL": receiver.url,
        "EVENTS_SECRET": SECRET,
        "EVENTS_TYPES": "call.ended,call.corrected",
        "EVENTS_ALLOW_PRIVATE": "true",
        "NOTIFY_URLS": f"json://127.0.0.1:{urlsplit(receiver.url).port}/",
    }
    nodes = [start_server(**settings) for _ in range(2)]
    stopping, kills = threading.Event(), Counter[str]()
    killer = threading.Thread(target=kill_in_turn, args=(nodes, stopping, kills))
    killer.start()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        expected = dict(pool.map(lambda number: play(nodes, number), range(size)))
    stopping.set()
    killer.join()
    until(lambda: not rows(postgresql_url, tmp_path, "SELECT 1 FROM outbox"), seconds=300)
    store = Store(postgresql_url.replace("postgresql://", "postgresql+psycopg://"), timeout=20)

    def is_sent() -> bool:
        resend(store, [], states=["waiting"], address="EVENTS_URL", actor="drill")  # As flask events resend --waiting.
        time.sleep(0.5)
        return rows(postgresql_url, tmp_path, WAITING) == [(0,)]

    until(is_sent, seconds=1200)
    store.close()

    ids: defaultdict[str, set[str]] = defaultdict(set)
    last: dict[str, str] = {}
    for message_id, type_, subject, outcome in receiver.seen:
        last[subject] = outcome
        if type_ == "call.ended":
            ids[subject].add(message_id)
    assert last == expected  # None lost; the last word on each call is right.
    assert all(len(of_call) == 1 for of_call in ids.values())  # A repeated one has the same id.
    told = rows(postgresql_url, tmp_path, NOTICED)
    assert Counter(count for _, count in told).keys() == {1}  # One notice for each call.
    assert {call_uuid for call_uuid, _ in told} == {one for one, outcome in expected.items() if outcome != "answered"}
    repeats = len(receiver.seen) - len({message_id for message_id, *_ in receiver.seen})
    tell(f"{size} calls, {kills['kills']} kills, {len(receiver.lost)} replies lost: {repeats} repeats with the same id")


WAITING = "SELECT count(*) FROM deliveries WHERE state = 'waiting' AND address = 'EVENTS_URL'"
NOTICED = (
    "SELECT calls.call_uuid, count(*) FROM events JOIN deliveries ON deliveries.event_key = events.event_key "
    "JOIN calls ON calls.call_key = events.call_key WHERE events.type = 'notice' GROUP BY calls.call_uuid"
)
