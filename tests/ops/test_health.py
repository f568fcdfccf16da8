"""Health routes against real servers and real stores."""

import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from config import VERSION
from tests.support.server import Server, until

Start = Callable[..., Server]


@pytest.fixture
def orphan(start_server: Start, postgresql: str) -> Server:
    """Return a server whose database was dropped while it runs."""
    name = f"gone_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        server = start_server(DATABASE_URL=postgresql.replace("/postgres?", f"/{name}?"), STORE_TIMEOUT="0.8")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return server


def test_healthz_needs_no_store(orphan: Server) -> None:
    reply = orphan.request("GET", "/healthz")
    assert (reply.status, reply.json()) == (200, {"status": "ok", "version": VERSION})


def test_readyz_hides_where_the_store_is(orphan: Server) -> None:
    reply = orphan.request("GET", "/readyz")
    assert (reply.status, reply.json()) == (503, {"status": "unavailable", "reason": "the store cannot be reached"})


def test_readyz_commits_a_write(start_server: Start, tmp_path: Path) -> None:
    server = start_server(INSTANCE_DIR=tmp_path)
    reply = server.request("GET", "/readyz")
    assert (reply.status, reply.json()) == (200, {"status": "ok"})
    with sqlite3.connect(tmp_path / "dialstatus.db") as connection:
        rows = connection.execute("SELECT readiness_key, proved_at > 0 FROM readiness").fetchall()
    connection.close()
    assert rows == [(1, 1)]


def test_readyz_fails_while_the_store_accepts_no_write(start_server: Start, tmp_path: Path) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=1, STORE_TIMEOUT="0.2")
    locker = sqlite3.connect(tmp_path / "dialstatus.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    reply = until(lambda: unready(server))
    assert reply.json()["status"] == "unavailable"
    assert reply.json()["reason"].startswith("the store ")
    assert server.request("GET", "/healthz").status == 200
    locker.execute("ROLLBACK")
    locker.close()
    until(lambda: server.request("GET", "/readyz").status == 200)
    until(lambda: server.events("not_ready"))


def test_readyz_fails_when_the_file_is_damaged_under_a_running_server(start_server: Start, tmp_path: Path) -> None:
    server = start_server(INSTANCE_DIR=tmp_path, WORKERS=1)
    assert server.request("GET", "/readyz").status == 200
    for file in tmp_path.glob("dialstatus.db*"):
        file.write_bytes(b"no database at all" * 1000)
    reply = until(lambda: unready(server))
    assert (reply.status, reply.json()["status"]) == (503, "unavailable")
    assert not server.events("request_failed")


def test_readyz_asks_for_missing_migrations(start_server: Start, postgresql_url: str) -> None:
    server = start_server(DATABASE_URL=postgresql_url)
    server.stop()
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("DELETE FROM alembic_version")
    server.start()
    reply = server.request("GET", "/readyz")
    assert reply.status == 503
    assert reply.json()["reason"] == "the tables are not those of this version; run flask --app wsgi db upgrade"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_never_cached(start_server: Start, path: str) -> None:
    server = start_server()
    connection = server.connect()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.headers["Cache-Control"] == "no-store"


def unready(server: Server) -> object:
    """Return the reply of /readyz if it is not 200, else None."""
    reply = server.request("GET", "/readyz")
    return reply if reply.status != 200 else None
