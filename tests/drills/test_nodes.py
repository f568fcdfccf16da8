"""Several nodes over one PostgreSQL, and PostgreSQL itself on two machines."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.drills.balancer import balancing
from tests.drills.conftest import Tell
from tests.drills.load import Load, assert_callers_were_served, longest_control_reply
from tests.drills.reporters import reporting
from tests.drills.sizes import sizes
from tests.server.calls import dial_report, new_uuid
from tests.support.database import rows
from tests.support.postgresql import Postgresql
from tests.support.server import REPORTS_TOKEN, ROOT, Server, until

Start = Callable[..., Server]
# Nodes share the key, so that each accepts the other's seals.
SHARED = {"SECRET_KEY": "the-nodes-share-this-key"}


@sizes(short=3, long=60)
def test_webhooks_of_one_call_spread_over_two_nodes(
    start_server: Start, postgresql_url: str, tmp_path: Path, tell: Tell, size: int
) -> None:
    nodes = [start_server(DATABASE_URL=postgresql_url, **SHARED) for _ in range(2)]
    with balancing(nodes) as url:
        load = Load(url, rate=8)
        load.start()
        until(lambda: load.calls)
        time.sleep(size)
        calls = load.finish()

        assert_callers_were_served(calls)
        load.send_refused_again()
        load.assert_recorded()
    by_call = rows(postgresql_url, tmp_path, "SELECT count(*), count(DISTINCT call_uuid) FROM calls")
    assert by_call == [(len(calls), len(calls))]
    requests = sum(len(call.requests) for call in calls)
    tell(f"{len(calls)} calls, {requests} requests in turn over two nodes: records right")


@pytest.fixture
def standby(own_postgresql: Postgresql) -> Iterator[Postgresql]:
    """Yield a standby, without which the primary confirms no commit."""
    second = Postgresql().copy(own_postgresql).start()
    with psycopg.connect(own_postgresql.libpq, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        connection.execute("SELECT pg_reload_conf()")
        until(lambda: connection.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone())
    yield second
    second.remove()


def url_of_both(primary: Postgresql, standby: Postgresql) -> str:
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    return f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"


@sizes(short=2, long=30)
def test_the_primary_is_killed_under_load_and_the_standby_promoted(
    start_server: Start, own_postgresql: Postgresql, standby: Postgresql, tell: Tell, size: int
) -> None:
    server = start_server(DATABASE_URL=url_of_both(own_postgresql, standby), STORE_TIMEOUT="0.8")
    load = Load(server.url, rate=8)
    load.start()
    time.sleep(size)
    until(lambda: load.calls)
    own_postgresql.kill()
    killed = time.monotonic()
    standby.promote()
    promoted = time.monotonic()
    until(lambda: server.request("GET", "/readyz").status == 200)
    back = time.monotonic()
    time.sleep(size)
    calls = load.finish()

    assert_callers_were_served(calls)
    sent_again = load.send_refused_again()
    until(lambda: is_everything_in(server))
    load.assert_recorded()
    tell(
        f"{len(calls)} calls, {sum(len(call.requests) for call in calls)} requests: 0 acknowledged receipts lost, "
        f"ready again {back - promoted:.1f} s after the promotion, which took {promoted - killed:.1f} s; the longest "
        f"control reply after {longest_control_reply(calls):.2f} s; {sent_again} notices brought again"
    )


def is_everything_in(server: Server) -> bool:
    """Return whether the spool is empty."""
    reply = server.request("GET", "/metrics", headers={"Authorization": f"Bearer {REPORTS_TOKEN}"})
    return "\ndialstatus_spool_receipts 0\n" in reply.body


def test_a_commit_that_no_standby_confirmed_is_not_acknowledged(
    start_server: Start, own_postgresql: Postgresql, standby: Postgresql, tmp_path: Path
) -> None:
    server = start_server(DATABASE_URL=url_of_both(own_postgresql, standby), STORE_TIMEOUT="0.8")
    call_uuids = [new_uuid() for _ in range(5)]
    standby.pause()
    for call_uuid in call_uuids:
        assert server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid)).status == 200
    assert server.plivo("POST", "/dialstatus/hangup/", dial_report(new_uuid())).status == 503
    own_postgresql.kill()
    standby.resume()
    standby.promote()

    # The standby may have received a commit without confirming it; then the spool's copy is a duplicate.
    kept = "SELECT call_uuid FROM calls JOIN receipts USING (call_key)"
    until(lambda: set(rows(standby.url, tmp_path, kept)) >= {(call_uuid,) for call_uuid in call_uuids})


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and its children, in seconds."""
    whole = psutil.Process(pid)
    times = [process.cpu_times() for process in (whole, *whole.children(recursive=True))]
    return sum(time.user + time.system for time in times)


@sizes(short=2, long=20)
def test_what_a_webhook_costs_a_node_and_the_primary(
    start_server: Start, own_postgresql: Postgresql, tell: Tell, size: int
) -> None:
    nodes = [start_server(DATABASE_URL=own_postgresql.url, LOG_LEVEL="ERROR", **SHARED) for _ in range(2)]
    masters = [node.process.pid for node in nodes if node.process]
    with reporting(nodes[0]) as first, reporting(nodes[1]) as second:
        begun = time.monotonic()
        already = sum(len(reporter.acknowledged) for reporter in first + second)
        before = sum(map(processor_seconds, masters)), processor_seconds(own_postgresql.pid)
        time.sleep(size)
        webhooks = sum(len(reporter.acknowledged) for reporter in first + second) - already
        took = time.monotonic() - begun
        after = sum(map(processor_seconds, masters)), processor_seconds(own_postgresql.pid)
    assert webhooks
    node, primary = ((late - early) / webhooks * 1e6 for early, late in zip(before, after, strict=True))
    tell(
        f"{webhooks / took:.0f} webhooks a second on this machine, load and database included; "
        f"processor time of each: {node:.0f} µs in the node, {primary:.0f} µs in PostgreSQL"
    )


def test_receipts_may_lie_in_partitions(start_server: Start, own_postgresql: Postgresql, tmp_path: Path) -> None:
    blocks = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "scale-out.md").read_text(), flags=re.DOTALL)
    [statements] = [block for block in blocks if "PARTITION" in block]
    with psycopg.connect(own_postgresql.libpq) as connection:
        connection.execute(statements)
    server = start_server(DATABASE_URL=own_postgresql.url)
    call_uuid = new_uuid()
    for _ in range(2):
        assert server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, "busy")).status == 200
    counted = rows(own_postgresql.url, tmp_path, "SELECT tableoid::regclass::text, deliveries FROM receipts")
    assert [deliveries for _, deliveries in counted] == [2]
    assert counted[0][0].startswith("receipts_")
    [dial] = server.api(f"/calls/{call_uuid}").json()["dials"]
    assert dial["outcome"] == "busy"
