"""An application that sends when a test asks for it, as if the time until then had passed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import Result

from app.cli.group import add_commands
from app.notify.sending import sending
from app.records.model.ids import now
from tests.reports.caller import Caller, make_caller
from tests.server.calls import dial_report, inbound, new_uuid
from tests.support.server import until

_PENDING = (
    "SELECT (SELECT count(*) FROM outbox WHERE due_at <= {at}) + (SELECT count(*) FROM deliveries "
    "WHERE state = 'waiting' AND (due_at <= {at} OR (attempts > 0 AND reason IS NULL)))"
)


class Office(Caller):
    """Calls an application as Plivo does, and lets its events and notices go."""

    def missed_call(self, call_uuid: str | None = None, **more: str) -> str:
        """Play a call that nobody answers; return its UUID."""
        call_uuid = call_uuid or new_uuid()
        self.post("/dialstatus/", **inbound(call_uuid, **more))
        self.post("/dialstatus/action/", **dial_report(call_uuid, **more))
        self.hang_up(call_uuid, **more)
        return call_uuid

    def hang_up(self, call_uuid: str, **more: str) -> None:
        """Report the end of a call."""
        ended = {"CallStatus": "completed", "Event": "Hangup", "HangupCauseCode": "4010", "HangupSource": "Plivo"}
        self.post("/dialstatus/hangup/", **{**inbound(call_uuid), **ended, **more})

    def send(self, *, after: float = 2) -> None:
        """Let so many seconds pass, then wait until all that is due has been tried."""
        self.execute(f"UPDATE outbox SET due_at = due_at - {round(after * 1000)}")
        self.execute(f"UPDATE deliveries SET due_at = due_at - {round(after * 1000)} WHERE state = 'waiting'")
        until(self._is_sent)

    def _is_sent(self) -> bool:
        """Look for what is due, as the job does in its thread, and return whether nothing is left."""
        sending(self.app).work()
        return self.rows(_PENDING.format(at=now())) == [(0,)]

    def execute(self, sql: str) -> None:
        """Change the store."""
        with self.services.store.transaction() as connection:
            connection.exec_driver_sql(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Read the store."""
        with self.services.store.transaction() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]

    def flask(self, *words: str) -> str:
        """Run a command of this application; return what it printed."""
        result: Result = self.app.test_cli_runner().invoke(args=words)
        assert result.exit_code == 0, result.output
        return result.output


@contextmanager
def make_office(url: str, directory: Path, **settings: str) -> Iterator[Office]:
    """Yield an office on this database; its job has not looked for anything yet."""
    with make_caller(url, directory, PUBLIC_URL="", **settings) as caller:
        office = Office(add_commands(caller.app))
        yield office
        sending(office.app).stop(patience=10)
