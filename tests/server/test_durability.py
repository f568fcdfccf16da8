"""What got its 200 is there after the server was killed in the middle of its work."""

import http.client
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.calls import dial_report, new_uuid
from tests.support.database import rows
from tests.support.server import Server, until

ROUNDS = 4


class Reporter(threading.Thread):
    """Posts reports one after the other until the server is gone, and remembers which were acknowledged."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.acknowledged: list[str] = []

    def run(self) -> None:
        connection = self.server.connect()
        try:
            while True:
                call_uuid = new_uuid()
                reply = self.server.plivo(
                    "POST", f"/dialstatus/action/?dial={call_uuid}", dial_report(call_uuid), connection=connection
                )
                assert reply.status == 200
                self.acknowledged.append(call_uuid)
        except (OSError, http.client.HTTPException):
            return  # The server is gone, as it should be.
        finally:
            connection.close()


def stream_until_killed(server: Server, reports: int) -> list[str]:
    """Have eight reporters at work, kill the server after so many reports, and give the acknowledged ones."""
    reporters = [Reporter(server) for _ in range(8)]
    for reporter in reporters:
        reporter.start()
    until(lambda: sum(len(reporter.acknowledged) for reporter in reporters) >= reports)
    server.kill()
    for reporter in reporters:
        reporter.join()
    return [call_uuid for reporter in reporters for call_uuid in reporter.acknowledged]


def kept(database_url: str, scratch: Path) -> set[str]:
    """Return the dials that are stored whole, with their receipt and their call."""
    return {
        dial_id
        for (dial_id,) in rows(
            database_url,
            scratch,
            "SELECT dials.dial_id FROM dials JOIN receipts ON receipts.receipt_key = dials.report_key "
            "JOIN calls ON calls.call_key = dials.call_key WHERE dials.outcome = 'missed'",
        )
    }


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_acknowledged_report_is_lost_when_the_server_is_killed(
    start_server: Callable[..., Server], request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    database_url: str = request.getfixturevalue(f"{engine}_url")
    server = start_server(DATABASE_URL=database_url)
    chance = random.Random(20)
    acknowledged: list[str] = []
    for _ in range(ROUNDS):
        acknowledged += stream_until_killed(server, chance.randint(5, 60))
        server.start()

    assert len(acknowledged) >= ROUNDS * 5
    assert set(acknowledged) - kept(database_url, tmp_path) == set()
    [(receipts, calls)] = rows(
        database_url, tmp_path, "SELECT (SELECT count(*) FROM receipts), (SELECT count(*) FROM calls)"
    )
    assert receipts == calls
