"""A receiver that fails in every way: each event still arrives, in its order, and only repeats have an id twice."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from app.records.store import migrate
from app.records.store.store import Store
from app.records.writing import deliveries as queue
from app.records.writing.outbox import EventType, NewEvent, Queued, due_events, publish, queue_event
from tests.notify.conftest import Listen, Open
from tests.notify.receiver import events_to
from tests.notify.test_events import hang_up, report
from tests.ops.collector import total
from tests.server.calls import inbound, new_uuid
from tests.support.server import Server, free_port, until

Start = Callable[..., Server]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Yield an empty store on each engine."""
    made = Store(database_url.replace("postgresql://", "postgresql+psycopg://"), timeout=20)
    migrate.upgrade(made)
    yield made
    made.close()


def put(store: Store, *subjects: str, call_key: int | None = None, addresses: tuple[str, ...] = ("a",)) -> None:
    """Publish an event for each subject."""
    with store.transaction() as connection:
        for subject in subjects:
            queue_event(store, connection, EventType.TARGET_DOWN, subject=subject, body={}, call_key=call_key)
    with store.transaction() as connection:
        due = sorted(
            due_events(connection, store.clock(connection), limit=100),
            key=lambda one: subjects.index(one.subject or ""),
        )
    publish(store, [(one, [event_of(one, addresses)], None) for one in due])


def event_of(queued: Queued, addresses: tuple[str, ...]) -> NewEvent:
    """Return the event of a row of the outbox."""
    return NewEvent(
        type=queued.type,
        subject=queued.subject or "",
        call_key=queued.call_key,
        route=None,
        revision=1,
        body="{}",
        addresses=dict.fromkeys(addresses, queued.due_at),
    )


def claimed(store: Store, address: str = "a") -> list[queue.Claim]:
    """Claim what is due."""
    return queue.claim(store, address, limit=10, lease=60_000)


def test_two_senders_never_claim_the_same_delivery(store: Store) -> None:
    put(store, *(f"s{number}" for number in range(8)))
    together = threading.Barrier(2)
    taken: list[list[queue.Claim]] = []

    def take() -> None:
        together.wait()
        taken.append(claimed(store))

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(one.subject for some in taken for one in some) == [f"s{number}" for number in range(8)]


def test_events_of_one_call_wait_for_each_other_and_those_of_others_do_not(store: Store) -> None:
    put(store, "first", "second", call_key=7)
    put(store, "other", call_key=8)

    first, other = claimed(store)
    assert (first.subject, other.subject) == ("first", "other")
    assert claimed(store) == []
    queue.settle(store, [queue.Attempt(claim=first, state=queue.DELIVERED)])

    assert [one.subject for one in claimed(store)] == ["second"]


def test_events_of_one_call_keep_their_order_though_another_clock_was_ahead(store: Store) -> None:
    put(store, "first", call_key=7)
    ahead = 180_000  # Milliseconds by which the node that published the first is ahead of ours.
    with store.transaction() as connection:
        for table in ("events", "deliveries"):
            connection.exec_driver_sql(f"UPDATE {table} SET event_key = event_key + {ahead << 22}")
    put(store, "second", call_key=7)

    (first,) = claimed(store)
    assert first.subject == "first"
    queue.settle(store, [queue.Attempt(claim=first, state=queue.DELIVERED)])
    assert [one.subject for one in claimed(store)] == ["second"]


def test_each_address_has_its_own_deliveries(store: Store) -> None:
    put(store, "one", addresses=("a", "b"))
    (of_a,) = claimed(store, "a")
    queue.settle(store, [queue.Attempt(claim=of_a, state=queue.DEAD, reason="status 500")])

    assert [one.subject for one in claimed(store, "b")] == ["one"]
    assert claimed(store, "a") == []
    assert queue.resend(store, [], states=[queue.DEAD], actor="anna") == 1
    assert [one.attempts for one in claimed(store, "a")] == [1]


def test_a_claim_that_expired_settles_nothing(store: Store) -> None:
    put(store, "one")
    (stale,) = queue.claim(store, "a", limit=1, lease=-1)
    (fresh,) = claimed(store)
    queue.settle(store, [queue.Attempt(claim=stale, state=queue.DEAD)])
    queue.settle(store, [queue.Attempt(claim=fresh, state=queue.DELIVERED)])
    with store.engine.connect() as connection:
        states = connection.exec_driver_sql("SELECT state FROM deliveries").scalars().all()
    assert states == [queue.DELIVERED]


def test_one_process_leads_until_its_lease_ends(store: Store) -> None:
    assert queue.lead(store, "sending", "one", lease=60_000)
    assert queue.lead(store, "sending", "one", lease=-10)
    assert queue.lead(store, "sending", "two", lease=60_000)
    assert not queue.lead(store, "sending", "one", lease=60_000)


def test_settled_events_are_forgotten_and_waiting_ones_kept(store: Store) -> None:
    put(store, "old", "waits")
    old, waits = claimed(store)
    queue.settle(store, [queue.Attempt(claim=old, state=queue.DELIVERED)])
    with store.transaction() as connection:
        for table in ("events", "deliveries"):
            connection.exec_driver_sql(f"UPDATE {table} SET event_key = event_key - {(8 * 86_400_000) << 22}")
    assert queue.prune_events(store) == 1
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT subject FROM events").scalars().all() == [waits.subject]


class Raw:
    """A port whose connections each get one of several treatments, in turn, and then a proper reply."""

    def __init__(self, *treatments: Callable[[socket.socket], object]) -> None:
        self._treatments = list(treatments)
        self.seen = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    connection.recv(65_536)
                    self.seen += 1
                    treat = self._treatments.pop(0) if self._treatments else accept
                    treat(connection)

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def accept(connection: socket.socket) -> None:
    """Reply that the event was accepted."""
    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def reset(connection: socket.socket) -> None:
    """Reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def speak_nonsense(connection: socket.socket) -> None:
    """Reply what is not HTTP."""
    connection.sendall(b"\0\1\2\r\n\r\n")


@pytest.mark.parametrize(
    ("treat", "reason"), [(reset, "ConnectionResetError"), (speak_nonsense, "BadStatusLine")], ids=["reset", "nonsense"]
)
def test_a_failed_attempt_is_repeated(open_office: Open, treat: Callable[[socket.socket], object], reason: str) -> None:
    port = Raw(treat)
    office = open_office(**events_to(port.url))
    office.missed_call()
    office.send()
    assert f"({reason})" in " ".join(office.flask("events", "list").split())
    office.send(after=6)
    assert "delivered" in office.flask("events", "list")
    assert port.seen == 2
    port.close()


def test_kills_lose_no_event_and_repeat_only_with_the_same_id(
    start_server: Start, sqlite_url: str, listen: Listen
) -> None:
    port = free_port()
    settings = events_to(f"http://127.0.0.1:{port}", "call.ended")
    server = start_server(WORKERS=2, DATABASE_URL=sqlite_url, **settings)
    receiver = listen(port=port)
    calls = set()
    for _ in range(2):
        for _ in range(15):
            call_uuid = new_uuid()
            server.plivo("POST", "/dialstatus/", inbound(call_uuid))
            report(server, call_uuid)
            hang_up(server, call_uuid)
            calls.add(call_uuid)
        seen = len(receiver.deliveries)
        until(lambda seen=seen: len(receiver.deliveries) > seen)
        server.kill()
        let_leases_end(sqlite_url)
        server.start()
    until(lambda: total(server, "dialstatus_outgoing_waiting") == 0)

    ids = {one.message_id: one.event["subject"] for one in receiver.deliveries}
    assert sorted(ids.values()) == sorted(calls)
    assert all(one.is_signed for one in receiver.deliveries)


def let_leases_end(sqlite_url: str) -> None:
    """Let so much time pass in a store without a server that what a killed one claimed is free."""
    store = Store(sqlite_url, timeout=20)
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET due_at = due_at - 30000 WHERE state = 'waiting'")
        connection.exec_driver_sql("UPDATE job_facts SET at = at - 10000")
    store.close()


def test_the_page_and_the_commands_show_deliveries(open_office: Open, listen: Listen) -> None:
    statuses = [500]
    receiver = listen(lambda _: (statuses[0], {}))
    office = open_office(**events_to(receiver.url))
    office.missed_call()
    office.send()
    listed = " ".join(office.flask("events", "list", "--state", "waiting").split())
    assert "dial.ended to EVENTS_URL: waiting, again at" in listed
    assert "status 500" in listed

    # However slow this machine is: an attempt under way would not wait for one.
    office.execute("UPDATE deliveries SET due_at = due_at + 3600000")
    statuses[0] = 204
    assert office.flask("events", "resend", "--waiting") == "1 delivery will be sent again.\n"
    office.send(after=0)
    assert len({one.message_id for one in receiver.deliveries}) == 1
    office.log_in()
    assert "Delivered" in office.client.get("/events").text
    assert office.flask("events", "list", "--state", "dead") == "No deliveries match.\n"
