"""`flask db` and `flask spool`, as a person types them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from flask.testing import FlaskCliRunner

from app import create_app
from app.cli.group import add_commands
from app.context import EXTENSION, Services
from config import Config
from tests.records.scenarios import answered
from tests.support.server import ROOT

Run = Callable[..., Result]


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[tuple[FlaskCliRunner, Services]]:
    """Return an application's command line and its services."""
    settings = {"DATABASE_URL": database_url, "INSTANCE_DIR": str(tmp_path / "instance"), "STORE_TIMEOUT": "5"}
    app = create_app(Config.load(settings))
    services: Services = app.extensions[EXTENSION]
    yield add_commands(app).test_cli_runner(), services
    services.journal.close()
    services.spool.close()
    services.store.close()


@pytest.fixture
def run(opened: tuple[FlaskCliRunner, Services]) -> Run:
    """Return a function that runs a command."""
    return lambda *words: opened[0].invoke(args=[str(word) for word in words])


@pytest.fixture
def services(opened: tuple[FlaskCliRunner, Services]) -> Services:
    """Return the services behind the commands."""
    return opened[1]


def test_a_database_is_upgraded_filled_checked_and_copied(run: Run, services: Services, tmp_path: Path) -> None:
    assert run("db", "upgrade").output == "The tables are up to date.\n"
    services.journal.append_all(answered().receipts)

    checked, copied = run("db", "check"), run("db", "backup", tmp_path / "copy")

    assert (checked.exit_code, copied.exit_code) == (0, 0)
    assert "Calls checked: 1, repaired: 0." in checked.output
    assert (tmp_path / "copy").exists()
    services.journal.close()
    again = run("db", "restore", tmp_path / "copy")
    assert again.exit_code == 1
    assert "restore into an empty one" in again.output


def test_a_record_that_differs_is_named_and_repaired(run: Run, services: Services) -> None:
    run("db", "upgrade")
    call = answered()
    services.journal.append_all(call.receipts)
    with services.store.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE dials SET outcome = 'busy'")

    found = run("db", "check")
    repaired = run("db", "check", "--repair")

    assert found.exit_code == 1
    assert f"differs from its receipts: call {call.uuid}" in found.output
    assert "run it again with --repair" in found.output
    assert repaired.exit_code == 0
    assert "Calls checked: 1, repaired: 1." in repaired.output
    assert run("db", "check").exit_code == 0


def test_a_check_without_tables_says_so_in_a_sentence(run: Run) -> None:
    result = run("db", "check")

    assert result.exit_code == 1
    assert "Error: " in result.output
    assert "run flask --app wsgi db upgrade\n" in result.output


@pytest.mark.parametrize("is_whole_file", [True, False])
def test_a_damaged_file_is_reported_with_what_to_do(run: Run, services: Services, is_whole_file: bool) -> None:
    if not services.store.is_sqlite:
        pytest.skip("PostgreSQL looks after its own files")
    run("db", "upgrade")
    file = Path(services.store.url.database or "")
    content = bytearray(file.read_bytes())
    for page in range(0 if is_whole_file else 2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xaa" * 200
    file.write_bytes(content)

    result = run("db", "check")

    assert result.exit_code == 1
    assert "damaged: " in result.output
    assert "stop the server and restore the newest backup" in result.output


def test_the_spool_is_listed_without_numbers_and_drained(run: Run, services: Services) -> None:
    run("db", "upgrade")
    call = answered()
    for receipt in call.receipts:
        services.spool.put(receipt)

    listed, drained = run("spool", "list"), run("spool", "drain")

    assert "6 waiting, 0 set aside." in listed.output
    at = datetime.fromtimestamp(call.receipts[4].received_at / 1000, UTC).isoformat(timespec="milliseconds")[:-6]
    assert f"action received_at={at}Z dial={call.dial_id}" in listed.output
    assert "4155550" not in listed.output
    assert drained.output == "6 stored, 0 waiting, 0 set aside.\n"


def test_a_spool_cannot_be_drained_into_a_database_without_tables(run: Run, services: Services) -> None:
    services.spool.put(answered().receipts[0])

    result = run("spool", "drain")

    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert services.spool.size() == 1


def test_a_backup_is_made_and_restored_as_the_operating_page_says(
    run: Run, opened: tuple[FlaskCliRunner, Services], tmp_path: Path
) -> None:
    services = opened[1]
    if not services.store.is_sqlite:
        pytest.skip("the page moves SQLite's files")
    run("db", "upgrade")
    call = answered()
    services.journal.append_all(call.receipts)
    services.journal.close()
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    make, take_back = re.findall(r"^```sh\n(.*?)```", page[page.index("## Backups") :], re.DOTALL | re.MULTILINE)
    (tmp_path / "backups" / "damaged").mkdir(parents=True)

    for block in (make, take_back):
        file = services.store.url.database
        here = block.replace("instance/dialstatus.db", file).replace("/var/backups", str(tmp_path / "backups"))
        done = subprocess.run(
            ["sh", "-ec", here.replace("flask ", f"{sys.executable} -m flask ")],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": f"sqlite:///{file}", "INSTANCE_DIR": str(tmp_path / "instance")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    assert "Calls checked: 1, repaired: 0." in done.stdout
    assert list((tmp_path / "backups" / "damaged").iterdir())
