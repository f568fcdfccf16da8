"""Three machines with PostgreSQL: each fault happens to them under load, and no acknowledged receipt is lost."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import pytest

from app.records.maintenance.check import CheckReport, check
from app.records.store.store import Store
from config import Config
from tests.drills.conftest import Tell
from tests.drills.high_availability.callers import calling
from tests.drills.high_availability.cluster import Cluster
from tests.drills.high_availability.machines import machines
from tests.drills.test_nodes import is_everything_in
from tests.support.database import looking_into
from tests.support.server import Server, until

_PROGRAMS = {"etcd": "etcd-server", "/usr/bin/python3": "python3", "pg_ctlcluster": "postgresql", "ip": "iproute2"}
WEBHOOKS = int(os.environ.get("WEBHOOKS", "100000"))
RATE = float(os.environ.get("RATE", "250"))  # Webhooks a second.


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Yield three machines that are ready."""
    if missing := [package for program, package in _PROGRAMS.items() if shutil.which(program) is None]:
        pytest.fail(f"this drill needs Debian's packages: apt-get install {' '.join(missing)}")
    directory = Path(tempfile.mkdtemp(prefix="dialstatus-machines-"))
    directory.chmod(0o755)  # PostgreSQL's user passes through.
    with machines(directory) as (network, started):
        yield Cluster(network, started)
    shutil.rmtree(directory)


@pytest.mark.drill_ha
def test_no_fault_of_a_machine_loses_an_acknowledged_receipt(
    start_server: Callable[..., Server], cluster: Cluster, tmp_path: Path, tell: Tell
) -> None:
    server = start_server(DATABASE_URL=cluster.url, LOG_LEVEL="ERROR", WORKERS="2", STORE_TIMEOUT="0.8")
    away: dict[str, list[float]] = {}
    with calling(server, RATE) as callers:
        while not away or callers.count < WEBHOOKS:
            for name, happen in cluster.faults().items():
                begun = time.monotonic()
                happen()
                cluster.await_health()
                until(lambda: server.request("GET", "/readyz").status == 200)
                away.setdefault(name, []).append(callers.seconds_refused(begun))
                sys.stdout.write(f"{callers.count:,} webhooks; {name}: away for {away[name][-1]:.1f} s\n")
                sys.stdout.flush()
                assert callers.is_alive()
                assert callers.faults == []
    sent_again = callers.send_refused_again()
    until(lambda: is_everything_in(server))
    server.stop()

    assert callers.faults == []
    with looking_into(cluster.url, tmp_path) as connection:
        callers.assert_stored(
            (row[0], row[1])
            for row in connection.exec_driver_sql("SELECT call_uuid, kind FROM receipts JOIN calls USING (call_key)")
        )
    store = Store(Config.load({"DATABASE_URL": cluster.url, "INSTANCE_DIR": str(tmp_path)}).database_url, timeout=60)
    assert check(store, zone=UTC, repair=False, step=lambda _: None) == CheckReport(damage=(), differing=(), repaired=0)
    store.close()
    tell(
        f"{callers.count} webhooks acknowledged, {sum(map(len, away.values()))} faults: 0 lost, 0 records that differ, "
        f"each control reply XML with a 200, the longest after {callers.longest:.2f} s; {sent_again} notices sent again"
    )
    if not cluster.can_cut_off:
        tell("no machine was cut off: that needs root and network namespaces")
    for name, seconds in away.items():
        tell(f"{name}, {len(seconds)} times: away for {', '.join(f'{one:.1f}' for one in seconds)} s")
