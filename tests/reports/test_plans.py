"""Query plans: every page and API call walks an index, with any filter."""

import re

import pytest

from tests.reports.conftest import REPORTS_TOKEN, Caller
from tests.reports.queries import recording_queries

FILTERED = [
    "/api/v1/dials?outcome=busy",
    "/api/v1/dials?status=busy",
    "/api/v1/dials?cause=USER_BUSY",
    "/api/v1/dials?from=%2B14155550199",
    "/api/v1/dials?to=%2B14155550100",
    "/api/v1/dials?target=%2B14155550123",
    "/api/v1/dials?route=default",
    "/api/v1/dials?q=0199",
    "/api/v1/dials?q=00000000-0000-4000-8000-000000000001",
    "/api/v1/dials?since=2020-01-01T00:00:00Z&until=2021-01-01T00:00:00Z",
    "/api/v1/dials?outcome=busy&cause=USER_BUSY&q=0199&to=%2B14155550100",
    "/api/v1/calls/00000000-0000-4000-8000-000000000001",
    "/api/v1/calls/requested",
    "/api/v1/summary?since=2020-01-01T00:00:00Z&until=2021-01-01T00:00:00Z",
    "/api/v1/summary?outcome=busy",
    "/api/v1/summary?unit=dials&q=0199",
    "/api/v1/summary?group_by=target&route=default",
    "/api/v1/summary?group_by=hour_of_week&since=2020-01-01T00:00:00Z&until=2021-01-01T00:00:00Z",
    "/calls/00000000-0000-4000-8000-000000000001",
    "/?range=30d",
    "/?range=7d&outcome=missed&target=%2B14155550123",
    "/?range=today",
]

SCANS = tuple(f"SCAN {table}" for table in ("dials", "receipts", "calls", "legs", "call_rollups", "rollup_hours"))


@pytest.mark.parametrize("path", FILTERED)
def test_nothing_is_scanned(caller: Caller, path: str) -> None:
    caller.ended_call("busy", DialHangupCause="USER_BUSY")
    caller.post("/dialstatus/", CallUUID="placed", RequestUUID="requested", From="+14155550199", To="+14155550100")
    caller.client.get(f"/login?token={REPORTS_TOKEN}")
    store = caller.services.store

    with recording_queries(store.engine) as queries:
        assert caller.client.get(path).status_code == 200

    assert queries
    with store.engine.connect() as connection:
        if not store.is_sqlite:
            # With few rows a scan is cheap; the test is whether an index could be walked.
            connection.exec_driver_sql("SET enable_seqscan = off")
        for sql, parameters in list(queries):
            explain = "EXPLAIN QUERY PLAN " if store.is_sqlite else "EXPLAIN "
            plan = [str(row[-1]) for row in connection.exec_driver_sql(explain + sql, parameters)]
            scans = [line for line in plan if line.startswith(SCANS)]
            scans += [line for line in plan if re.search(r"Seq Scan on (?!late_changes|plan_state)", line)]
            assert not scans, (sql, plan)
