"""A server starts whatever its store does, and says what is missing."""

from pathlib import Path

from app.records import migrate
from app.records.store import Store
from config import Config
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.database import rows
from tests.support.server import REPORTS_TOKEN, TOKEN, Server, free_port, until


def test_without_its_tables_it_serves_callers_says_so_and_brings_the_reports_in_later(
    postgresql_url: str, tmp_path: Path
) -> None:
    server = Server(
        {
            "INSTANCE_DIR": str(tmp_path / "instance"),
            "DATABASE_URL": postgresql_url,
            "PLIVO_AUTH_TOKEN": TOKEN,
            "REPORTS_TOKEN": REPORTS_TOKEN,
            "LOG_FORMAT": "json",
            "DIAL_TO": "+14155550123",
        }
    ).start()
    try:
        [line] = until(lambda: server.events("store_not_ready"))
        assert "flask --app wsgi db upgrade" in line["reason"]
        call_uuid = new_uuid()

        answer = server.plivo("POST", "/dialstatus/", inbound(call_uuid))
        server.plivo("POST", "/dialstatus/action/?dial=a-dial", dial_report(call_uuid, "busy"))
        upgrade(postgresql_url, tmp_path)

        assert "<Number>+14155550123</Number>" in answer.body
        kept = "SELECT outcome FROM dials WHERE dial_id = 'a-dial'"
        until(lambda: rows(postgresql_url, tmp_path, kept) == [("busy",)])
    finally:
        server.stop()


def test_with_a_store_that_is_away_it_serves_callers(tmp_path: Path) -> None:
    nobody = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    server = Server(
        {
            "INSTANCE_DIR": str(tmp_path / "instance"),
            "DATABASE_URL": nobody,
            "PLIVO_AUTH_TOKEN": TOKEN,
            "LOG_FORMAT": "json",
            "DIAL_TO": "+14155550123",
        }
    ).start()
    try:
        assert "<Dial" in server.plivo("POST", "/dialstatus/", inbound(new_uuid())).body
        assert server.plivo("POST", "/dialstatus/hangup/", inbound(new_uuid())).status == 503
        until(lambda: server.events("receipt_spooled"))
    finally:
        server.stop()


def upgrade(database_url: str, scratch: Path) -> None:
    """Do what `flask db upgrade` does."""
    config = Config.load({"DATABASE_URL": database_url, "INSTANCE_DIR": str(scratch)})
    store = Store(config.database_url, timeout=5)
    migrate.upgrade(store)
    store.close()
