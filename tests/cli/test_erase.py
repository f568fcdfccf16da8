"""Records that leave, from the terminal: the old ones, and those of a person who asked for it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app import create_app
from app.cli.calls import calls
from app.context import EXTENSION
from app.records.store import migrate
from config import Config
from tests.server.calls import dial_report


class Office:
    """An application with calls in its store."""

    def __init__(self, config: Config) -> None:
        self.app = create_app(config)
        self.shared = self.app.extensions[EXTENSION]
        migrate.upgrade(self.shared.store)

    def reported(self, call_uuid: str, *, days_ago: int = 0, **fields: str) -> None:
        """Take the report of one call, as if it came some days ago."""
        then = datetime.now(UTC) - timedelta(days=days_ago)
        answer = self.app.test_client().post(
            f"/dialstatus/action/?dial={call_uuid}",
            data={**dial_report(call_uuid), **fields},
            headers={"X-Dialstatus-Simulated-Time": then.isoformat()},
        )
        assert answer.status_code == 200

    def run(self, *arguments: str) -> Result:
        """Run `flask calls …`."""
        with self.app.app_context():
            return CliRunner().invoke(calls, arguments)

    def knows(self, call_uuid: str) -> bool:
        """Return whether a call is still there."""
        return self.run("show", call_uuid).exit_code == 0


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> Iterator[Office]:
    """Make an application on an empty store."""
    settings = {"DATABASE_URL": database_url, "INSTANCE_DIR": str(tmp_path), "STORE_TIMEOUT": "5"}
    made = Office(Config.load({**settings, "SIMULATED_TIME": "true"}))
    yield made
    made.shared.journal.close()
    made.shared.spool.close()
    made.shared.store.close()


def test_old_calls_are_counted_then_deleted(office: Office) -> None:
    office.reported("an-old-call", days_ago=5)
    office.reported("a-new-call")

    counted = office.run("prune", "--older-than", "3d", "--dry-run")
    kept = office.run("prune", "--older-than", "7d")
    pruned = office.run("prune", "--older-than", "3d", "--yes")

    assert counted.output == "Calls older than 3 days: 1.\n"
    assert kept.output == "Calls older than 7 days: 0.\n"
    assert pruned.output == "Calls older than 3 days deleted: 1.\n"
    assert (office.knows("an-old-call"), office.knows("a-new-call")) == (False, True)


def test_one_person_is_erased_and_nobody_else(office: Office) -> None:
    office.reported("hers", From="14155550177")
    office.reported("his", From="14155550188")

    erased = office.run("erase", "+1 415 555 0177", "--yes")

    assert erased.output == "Calls deleted: 1, spooled receipts: 0, mentions left: 0.\n"
    assert (office.knows("hers"), office.knows("his")) == (False, True)


@pytest.mark.parametrize(
    ("arguments", "question"),
    [
        (("erase", "+14155550177"), "Delete every call of +14155550177 for good?"),
        (("prune", "--older-than", "3d"), "Delete 1 calls older than 3 days for good?"),
    ],
)
def test_nothing_is_deleted_without_asking(office: Office, arguments: tuple[str, ...], question: str) -> None:
    office.reported("hers", From="14155550177", days_ago=5)

    asked = office.run(*arguments)

    assert (asked.exit_code, question in asked.output) == (1, True)
    assert office.knows("hers")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("prune", "--older-than", "0d"), "'0d' is not a number of days; write 90d"),
        (("prune", "--older-than", "soon"), "'soon' is not a number of days; write 90d"),
        (("erase", "somebody", "--yes"), "write +14155550100 or sip:alice@phone.plivo.com"),
    ],
)
def test_an_invalid_age_or_person_is_refused_with_a_sentence(
    office: Office, arguments: tuple[str, ...], sentence: str
) -> None:
    done = office.run(*arguments)

    assert (done.exit_code, sentence in done.output) == (2, True)
