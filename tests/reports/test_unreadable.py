"""Reports on a store that cannot be read say what is wrong and what to do."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result

from app import create_app
from app.cli.group import add_commands
from app.context import Services
from app.records.store import migrate
from app.records.store.store import Store
from config import Config
from tests.reports.conftest import REPORTS_TOKEN, Caller

Open = Callable[[str], Caller]

COMMANDS = (
    ("dials", "list"),
    ("dials", "show", "a-call"),
    ("dials", "summary"),
    ("dials", "export"),
    ("dials", "count"),
    ("replay", "1", "--to", "http://127.0.0.1:9"),
)
OTHER_TABLES = "the tables are not those of this version; run flask --app wsgi db upgrade"
MISSING = "there is no database at the path in DATABASE_URL; restore it, or run flask --app wsgi db upgrade"
LATE = "the store did not answer in time; try again soon"


@pytest.fixture
def open_caller(tmp_path: Path) -> Iterator[Open]:
    """Yield a function that makes an application on a store as it is."""
    opened: list[Services] = []

    def make(url: str) -> Caller:
        caller = Caller(
            create_app(
                Config.load(
                    {
                        "DATABASE_URL": url,
                        "INSTANCE_DIR": str(tmp_path / "instance"),
                        "REPORTS_TOKEN": REPORTS_TOKEN,
                        "DIAL_TO": "+14155550123",
                        "STORE_TIMEOUT": "0.05",
                    }
                )
            )
        )
        opened.append(caller.services)
        return caller

    yield make
    for services in opened:
        services.journal.close()
        services.store.close()


@pytest.fixture
def empty_url(database_url: str) -> str:
    """Return the URL of a database without tables."""
    if database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite:///")).touch()
    return database_url


def run(caller: Caller, *words: str) -> Result:
    with caller.app.app_context():
        result = add_commands(caller.app).test_cli_runner().invoke(args=words)
    assert isinstance(result.exception, SystemExit), result.output
    assert result.exit_code == (3 if words[0] == "replay" else 1)
    return result


def read_errors(caller: Caller) -> tuple[str, str]:
    """Return the detail of the API's problem, and the page."""
    api = caller.ask("dials")
    caller.client.post("/login", data={"token": REPORTS_TOKEN})
    page = caller.client.get("/")
    assert (api.status_code, page.status_code) == (503, 503)
    assert api.json
    return api.json["detail"], page.text


def damage(url: str) -> None:
    """Spoil every page of SQLite's file but the first."""
    store = Store(url, timeout=20)
    migrate.upgrade(store)
    store.close()
    file = Path(store.url.database or "")
    content = bytearray(file.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xaa" * 200
    file.write_bytes(content)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_without_tables_says_how_to_make_them(
    open_caller: Open, empty_url: str, words: tuple[str, ...]
) -> None:
    assert run(open_caller(empty_url), *words).output == f"Error: {OTHER_TABLES}\n"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_without_its_file_says_how_to_get_one(
    open_caller: Open, sqlite_url: str, words: tuple[str, ...]
) -> None:
    assert run(open_caller(sqlite_url), *words).output == f"Error: {MISSING}\n"


def test_a_reader_learns_that_the_file_is_missing(open_caller: Open, sqlite_url: str) -> None:
    detail, page = read_errors(open_caller(sqlite_url))

    assert detail == "There is no database at the path in DATABASE_URL. Restore it, or run flask --app wsgi db upgrade."
    assert detail in page
    assert "Calls are still answered." in page


def test_a_reader_learns_how_tables_are_made(open_caller: Open, empty_url: str) -> None:
    detail, page = read_errors(open_caller(empty_url))

    assert detail == "The tables are not those of this version. Run flask --app wsgi db upgrade."
    assert detail in page
    assert "Calls are still answered." in page


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_on_a_database_that_does_not_run_says_so(open_caller: Open, words: tuple[str, ...]) -> None:
    output = run(open_caller("postgresql://somebody:hush@127.0.0.1:1/none"), *words).output

    assert output.startswith("Error: the store cannot be reached: connection failed: ")
    assert output.endswith("; check DATABASE_URL and that the database runs\n")
    assert "hush" not in output


def test_a_reader_does_not_learn_where_the_database_is(open_caller: Open) -> None:
    detail, page = read_errors(open_caller("postgresql://somebody:hush@127.0.0.1:1/none"))

    assert detail == "The store cannot be reached. Check DATABASE_URL and that the database runs."
    assert detail in page


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_on_a_damaged_file_says_so(open_caller: Open, sqlite_url: str, words: tuple[str, ...]) -> None:
    damage(sqlite_url)

    assert run(open_caller(sqlite_url), *words).output == (
        "Error: the file is damaged: database disk image is malformed; stop the server and restore the newest backup\n"
    )


def test_a_reader_of_a_damaged_file_learns_it(open_caller: Open, sqlite_url: str) -> None:
    damage(sqlite_url)

    detail, page = read_errors(open_caller(sqlite_url))

    assert detail == "The file is damaged. Stop the server and restore the newest backup."
    assert detail in page


def test_a_file_of_another_kind_is_reported(open_caller: Open, sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "dialstatus.db").write_bytes(b"no database at all" * 1000)

    output = run(open_caller(sqlite_url), "dials", "list").output

    assert "the file is damaged: file is not a database; " in output


def test_a_file_that_cannot_be_opened_is_reported(open_caller: Open, tmp_path: Path) -> None:
    caller = open_caller(f"sqlite:///{tmp_path / 'dialstatus.db'}")
    (tmp_path / "dialstatus.db").mkdir()

    output = run(caller, "dials", "list").output

    assert output == (
        "Error: the store cannot be reached: unable to open database file; "
        "check DATABASE_URL, the disk and the rights of this user\n"
    )


def test_a_locked_store_is_reported_as_late(open_caller: Open, sqlite_url: str, tmp_path: Path) -> None:
    caller = open_caller(sqlite_url)
    with closing(sqlite3.connect(tmp_path / "dialstatus.db")) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")

        output = run(caller, "dials", "list").output
        detail, _ = read_errors(caller)

    assert output == f"Error: {LATE}\n"
    assert detail == "The store did not answer in time. Try again soon."


def test_a_missing_table_is_reported_by_name(open_caller: Open, database_url: str) -> None:
    caller = open_caller(database_url)
    migrate.upgrade(caller.services.store)
    with caller.services.store.engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE dials")

    output = run(caller, "dials", "list").output

    assert output.startswith("Error: the store cannot be read: ")
    assert '"dials"' in output or "no such table: dials" in output
    assert output.endswith("; run flask --app wsgi db check\n")
