"""Metrics of real servers, read as Prometheus reads them."""

import json
import os
import re
import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import g, request

from app import create_app
from app.context import EXTENSION
from app.dial.deferred_response import DeferredResponse
from app.dial.request import read_head
from app.ops.metrics import METRICS
from app.records.writing.entry import Entry
from app.voice.events import Kind
from config import Config
from tests.ops.collector import collect, total
from tests.server.calls import dial_report, new_uuid
from tests.support.server import REPORTS_TOKEN, ROOT, Server, until

Start = Callable[..., Server]
REQUESTS = 60


def report_many(server: Server, count: int = REQUESTS) -> None:
    """Report the dials of many calls at once."""
    with ThreadPoolExecutor(8) as pool:
        replies = pool.map(
            lambda _: server.plivo("POST", "/dialstatus/action/", dial_report(new_uuid(), "busy")), range(count)
        )
    assert {reply.status for reply in replies} == {200}


def written(directory: Path) -> float:
    """Return the number of reports counted in the files, which survive a kill."""
    files = [json.loads(path.read_text()) for path in directory.glob("*.json")]
    return float(sum(value for file in files for key, value in file if key[:2] == ["receipts_total", "action"]))


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", f"Basic {REPORTS_TOKEN}", "Bearer ünd"])
def test_metrics_need_the_token(start_server: Start, header: str | None) -> None:
    server = start_server(WORKERS=1)
    reply = server.request("GET", "/metrics", headers={"Authorization": header} if header else {})
    assert (reply.status, reply.content_type) == (401, "text/plain; charset=utf-8")
    assert "dialstatus_" not in reply.body


def test_the_time_of_a_reply_ends_when_it_is_finished_not_when_it_is_counted(tmp_path: Path) -> None:
    app = create_app(Config.load({"INSTANCE_DIR": str(tmp_path), "VERIFY_SIGNATURES": "off"}))
    shared = app.extensions[EXTENSION]
    with app.test_request_context("/dialstatus/action/", method="POST"):
        webhook = g.webhook = read_head(request, Kind.ACTION, shared.config)
        reply = DeferredResponse(shared, webhook, Entry(()), lambda _: None)
        for function in app.after_request_funcs["dial"]:
            function(reply)
    reply.finish()
    webhook.started = reply.finished_at - 3_000_000
    reply.report()

    counted = shared.meter.total()
    assert counted["reply_seconds", "action", "0.005"] == 1
    assert counted["reply_seconds_sum", "action"] == 0.003


def test_receipts_dials_and_times_are_counted(start_server: Start, database_url: str) -> None:
    server = start_server(DATABASE_URL=database_url, WORKERS=1)
    call_uuid = new_uuid()
    server.plivo("POST", "/dialstatus/", {"CallUUID": call_uuid, "From": "+14155550100", "To": "+14155550199"})
    assert total(server, "dialstatus_open_dials") == 1
    for _ in range(3):
        server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, "busy"))
    server.plivo("POST", "/dialstatus/action/", dial_report(call_uuid, "busy"), token="another-token")

    found = until(lambda: settled(server))

    receipts = "dialstatus_receipts_total"
    assert found[receipts, "kind=answer", "signature=valid", "status=200"] == 1
    assert found[receipts, "kind=action", "signature=valid", "status=200"] == 3
    assert found[receipts, "kind=action", "signature=invalid", "status=403"] == 1
    assert found["dialstatus_dials_ended_total", "outcome=busy"] == 1
    assert found["dialstatus_calls_of_last_day", "outcome=in_progress"] == 1  # Its end is still to be reported.
    assert found["dialstatus_calls_of_last_day", "outcome=answered"] == 0
    assert found["dialstatus_reply_seconds_count", "kind=action"] == 4
    assert found["dialstatus_reply_seconds_bucket", "kind=action", "le=+Inf"] == 4
    assert found["dialstatus_reply_seconds_sum", "kind=action"] > 0
    assert found["dialstatus_troubles_total", "event=signature_refused", "level=warning"] >= 1
    assert found["dialstatus_troubles_total", "event=receipt_lost", "level=error"] == 0
    assert found["dialstatus_store_up",] == 1
    assert found["dialstatus_spool_receipts",] == 0
    assert found["dialstatus_newest_report_age_seconds",] >= 0
    assert total(server, "dialstatus_build_info") == 1


def settled(server: Server) -> dict[tuple[str, ...], float] | None:
    """Return the metrics once the gauges have been read again, else None."""
    found = collect(server)
    return found if found["dialstatus_open_dials",] == 0 else None


def test_every_worker_reports_the_counts_of_all(start_server: Start) -> None:
    server = start_server(WORKERS=3, THREADS=4)
    report_many(server)
    for _ in range(5):
        until(lambda: total(server, "dialstatus_receipts_total", kind="action") == REQUESTS)
    until(lambda: total(server, "dialstatus_dials_ended_total", outcome="busy") == REQUESTS)
    until(lambda: total(server, "dialstatus_reply_seconds_count", kind="action") == REQUESTS)


def test_a_counter_never_decreases_whichever_worker_replies(start_server: Start) -> None:
    server = start_server(WORKERS=3, THREADS=4)
    seen = [0.0]
    with ThreadPoolExecutor(1) as pool:
        reporting = pool.submit(report_many, server, 10 * REQUESTS)
        while not reporting.done():
            seen.append(total(server, "dialstatus_receipts_total", kind="action"))
    reporting.result()
    seen.append(total(server, "dialstatus_receipts_total", kind="action"))
    assert len(set(seen)) > 2
    assert seen == sorted(seen)


def test_counts_survive_their_workers(start_server: Start, tmp_path: Path) -> None:
    server = start_server(WORKERS=2, INSTANCE_DIR=tmp_path)
    report_many(server)
    until(lambda: written(tmp_path / "metrics") == REQUESTS)

    for pid in (old := server.workers()):
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(server.workers() - old) == 2)
    report_many(server, 10)
    until(lambda: total(server, "dialstatus_receipts_total", kind="action") == REQUESTS + 10)
    assert server.process
    os.kill(server.process.pid, signal.SIGHUP)
    before = server.workers()
    until(lambda: not before & server.workers())
    assert total(server, "dialstatus_receipts_total", kind="action") == REQUESTS + 10
    server.stop()
    server.start()
    until(lambda: total(server, "dialstatus_receipts_total", kind="action") == REQUESTS + 10)
    assert len(list((tmp_path / "metrics").glob("*.json"))) <= 4


def test_an_unavailable_store_is_reported_and_counted(start_server: Start, tmp_path: Path) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=1, STORE_TIMEOUT="0.1", LOG_LEVEL="CRITICAL")
    locker = sqlite3.connect(tmp_path / "dialstatus.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    server.plivo("POST", "/dialstatus/action/", dial_report(new_uuid(), "busy"))
    # The request gave up before its batch did.
    until(lambda: total(server, "dialstatus_troubles_total", event="batch_failed", level="warning") >= 1)
    found = collect(server)
    assert found["dialstatus_store_up",] == 0
    assert found["dialstatus_open_dials",] == 0  # Reading still works.
    assert found["dialstatus_spool_receipts",] == 1
    assert found["dialstatus_troubles_total", "event=receipt_spooled", "level=error"] == 1
    assert not server.events("receipt_spooled")
    locker.execute("ROLLBACK")
    locker.close()
    until(lambda: total(server, "dialstatus_spool_receipts") == 0)


def test_metrics_are_served_without_a_database(start_server: Start, tmp_path: Path) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=1)
    (tmp_path / "dialstatus.db").write_bytes(b"no database at all" * 1000)
    found = collect(server)
    assert found["dialstatus_store_up",] == 0
    assert ("dialstatus_open_dials",) not in found


@pytest.mark.parametrize("path", ["docs/alerts.yml", "docs/grafana/dialstatus.json", "docs/operating.md"])
def test_alerts_dashboard_and_docs_name_existing_metrics(path: str) -> None:
    known = {f"dialstatus_{metric.name}" for metric in METRICS}
    known |= {f"{name}_{part}" for name in list(known) for part in ("bucket", "sum", "count")}
    named = set(re.findall(r"\bdialstatus_[a-z_]+", (ROOT / path).read_text()))
    assert named
    assert named <= known


def test_every_metric_is_documented() -> None:
    text = (ROOT / "docs/operating.md").read_text()
    assert [metric.name for metric in METRICS if f"`dialstatus_{metric.name}`" not in text] == []
