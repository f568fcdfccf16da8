"""Many at once: the same report many times, and many different ones."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.dial.ticket import notice_query
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.database import rows
from tests.support.server import Reply, Server, until

_mine = threading.local()


def post(server: Server, target: str, fields: dict[str, str]) -> Reply:
    """Post on a connection that this thread keeps."""
    if getattr(_mine, "server", None) is not server:
        _mine.server, _mine.connection = server, server.connect()
    return server.plivo("POST", target, fields, connection=_mine.connection)


def close_mine(gate: threading.Barrier) -> None:
    """Close the connection of this thread; the gate makes each thread come here once."""
    gate.wait()
    if getattr(_mine, "server", None) is not None:
        _mine.connection.close()
        _mine.server = None


def at_once(threads: int, work: Callable[[int], Reply], count: int) -> list[Reply]:
    """Do a piece of work `count` times from many threads and give what came back."""
    with ThreadPoolExecutor(threads) as pool:
        replies = list(pool.map(work, range(count)))
        gate = threading.Barrier(threads)
        for done in [pool.submit(close_mine, gate) for _ in range(threads)]:
            done.result()
    return replies


def test_fifty_copies_posted_at_once_are_one_receipt(server: Server, database_url: str, tmp_path: Path) -> None:
    report = dial_report(new_uuid(), "busy")

    replies = at_once(25, lambda _: post(server, "/dialstatus/action/?dial=the-same", report), 50)

    assert {(reply.status, reply.body) for reply in replies} == {(200, replies[0].body)}
    assert rows(database_url, tmp_path, "SELECT count(*), sum(deliveries) FROM receipts") == [(1, 50)]
    assert rows(database_url, tmp_path, "SELECT dial_id, outcome FROM dials") == [("the-same", "busy")]


def test_two_thousand_reports_at_once_are_two_thousand_records(
    server: Server, database_url: str, tmp_path: Path
) -> None:
    replies = at_once(
        64, lambda number: post(server, f"/dialstatus/action/?dial=dial-{number}", dial_report(new_uuid())), 2000
    )

    assert {reply.status for reply in replies} == {200}
    # On a busy machine some may have waited on the spool for a moment: acknowledged, on disk, and brought in after.
    for table in ("receipts", "calls", "dials"):
        until(lambda table=table: rows(database_url, tmp_path, f"SELECT count(*) FROM {table}") == [(2000,)])
    assert rows(database_url, tmp_path, "SELECT sum(deliveries) FROM receipts") == [(2000,)]
    assert not [line for line in server.lines if "database is locked" in line]


def test_webhooks_of_one_call_at_once_add_up_to_one_record(server: Server, database_url: str, tmp_path: Path) -> None:
    call_uuids = [new_uuid() for _ in range(40)]
    secret = (tmp_path / "instance0" / "secret_key").read_text().strip()
    about = [
        (path, fields)
        for call_uuid in call_uuids
        for path, fields in (
            ("/dialstatus/", inbound(call_uuid)),
            (f"/dialstatus/action/?dial=of-{call_uuid}", dial_report(call_uuid, "completed", f"b-{call_uuid}")),
            ("/dialstatus/hangup/", inbound(call_uuid, Event="Hangup", CallStatus="completed")),
            (
                f"/dialstatus/callback/?{notice_query(f'of-{call_uuid}', secret)}",
                {
                    "DialAction": "answer",
                    "DialALegUUID": call_uuid,
                    "DialBLegUUID": f"b-{call_uuid}",
                    "CallUUID": call_uuid,
                },
            ),
        )
    ]

    replies = at_once(32, lambda number: post(server, *about[number]), len(about))

    assert {reply.status for reply in replies} == {200}
    assert rows(database_url, tmp_path, "SELECT count(*) FROM calls WHERE call_status = 'completed'") == [(40,)]
    assert rows(database_url, tmp_path, "SELECT count(*) FROM dials WHERE outcome = 'answered'") == [(40,)]
    assert rows(database_url, tmp_path, "SELECT count(*) FROM legs WHERE answered_at IS NOT NULL") == [(40,)]
