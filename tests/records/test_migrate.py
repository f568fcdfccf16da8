"""Migrations on both engines."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import RowMapping, inspect, select

from app.records.model.ids import now
from app.records.model.receipt import StoreUnavailable
from app.records.model.tables import call_rollups, metadata
from app.records.rollups.update import update_rollups
from app.records.store import migrate, version
from app.records.store.prepare_tables import prepare_tables
from app.records.store.store import Store
from app.records.writing.journal import Journal
from tests.records.scenarios import ALICE, BOB, Call
from tests.support.server import ROOT

HOUR = 3_600_000
PAST = now() - 3 * 24 * HOUR
UPGRADE = """
import sys
from app.records.store import migrate
from app.records.store.prepare_tables import prepare_tables
from app.records.store.store import Store
sys.stdin.readline()
migrate.upgrade(Store(sys.argv[1], timeout=0.8))
"""


@pytest.fixture
def empty(open_store: Callable[..., Store], database_url: str) -> Store:
    """Return a store without tables."""
    store = open_store(database_url)
    if store.is_sqlite:
        Path(str(store.url.database)).touch()
    return store


def is_current(store: Store) -> bool:
    with store.engine.connect() as connection:
        return version.is_current(connection)


# SQLite tells nothing of the expressions of an index, so these two are left out of the comparison there.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_an_upgrade_creates_exactly_the_tables_of_the_code(empty: Store) -> None:
    assert not is_current(empty)

    migrate.upgrade(empty)

    assert is_current(empty)
    with empty.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_tables_that_a_server_creates_are_those_of_the_migrations(
    open_store: Callable[..., Store], tmp_path: Path
) -> None:
    created, migrated = (open_store(f"sqlite:///{tmp_path}/{name}.db") for name in ("created", "migrated"))

    prepare_tables(created)
    migrate.upgrade(migrated)

    assert is_current(created)
    assert described(created) == described(migrated)


def described(store: Store) -> dict[str, object]:
    """Return the columns of every table, in no order, and the SQL of every index of a SQLite store."""
    found: dict[str, object] = {}
    with store.engine.connect() as connection:
        for kind, name, sql in connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master").fetchall():
            if kind == "table":
                columns = connection.exec_driver_sql(f"PRAGMA table_xinfo({name})").fetchall()
                keys = connection.exec_driver_sql(f"PRAGMA foreign_key_list({name})").fetchall()
                found[name] = ({tuple(column)[1:] for column in columns}, keys, "WITHOUT ROWID" in sql)
            else:
                found[name] = sql and " ".join(sql.split())
    return found


def test_a_server_migrates_older_tables_and_refuses_newer_ones(store: Store) -> None:
    if not store.is_sqlite:
        pytest.skip("a server leaves the tables of PostgreSQL alone")
    migrate.downgrade(store, "0005")
    prepare_tables(store)
    assert is_current(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreUnavailable, match="the tables belong to a newer version; run that version"):
        prepare_tables(store)


def test_a_server_does_not_load_alembic() -> None:
    loads = "import app, app.server.lifecycle, app.server.worker, sys; sys.exit('alembic' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", loads], cwd=ROOT, check=False).returncode == 0


def test_a_second_upgrade_changes_nothing(store: Store) -> None:
    migrate.upgrade(store)

    assert is_current(store)


def test_processes_that_upgrade_at_once_take_turns(empty: Store) -> None:
    url = empty.url.render_as_string(hide_password=False)
    processes = [
        subprocess.Popen([sys.executable, "-c", UPGRADE, url], cwd=ROOT, stdin=subprocess.PIPE) for _ in range(3)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert is_current(empty)


def test_a_downgrade_drops_every_table_and_an_upgrade_creates_them_again(store: Store) -> None:
    migrate.downgrade(store, "base")

    assert inspect(store.engine).get_table_names() == ["alembic_version"]
    assert not is_current(store)

    migrate.upgrade(store)
    assert is_current(store)


def test_hours_counted_by_another_version_are_counted_again(store: Store, journal: Journal) -> None:
    calls = [Call(at=PAST + number * HOUR).answer(ALICE, BOB) for number in range(30)]
    journal.append_all([one for call in calls[:20] for one in call.action("busy", "USER_BUSY", rang=True).receipts])
    journal.append_all([one for call in calls[20:] for one in call.receipts])
    update_rollups(store)
    counted = rollups_of(store)

    migrate.downgrade(store, "0009")
    migrate.upgrade(store)
    assert rollups_of(store) == []
    update_rollups(store)

    assert counted
    assert rollups_of(store) == counted


def rollups_of(store: Store) -> list[RowMapping]:
    columns = [column for column in call_rollups.c if column.name != "number"]
    with store.engine.connect() as connection:
        return list(connection.execute(select(*columns).order_by(*columns)).mappings())


def test_tables_of_a_newer_version_are_left_alone_with_a_sentence(store: Store) -> None:
    with store.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreUnavailable, match="the tables belong to a newer version; run that version"):
        migrate.upgrade(store)

    with store.engine.connect() as connection:
        assert version.version_of(connection) == "9999"


def test_a_database_path_that_cannot_be_created_is_named(open_store: Callable[..., Store], tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"/none/dials\.db: No such file or directory"):
        migrate.upgrade(open_store(f"sqlite:///{tmp_path}/none/dials.db"))


def test_a_migration_that_fails_leaves_nothing_behind(empty: Store) -> None:
    with empty.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE spools (in_the_way INTEGER)")

    with pytest.raises(Exception, match="spools"):
        migrate.upgrade(empty)

    assert inspect(empty.engine).get_table_names() == ["spools"]


def test_the_newest_migration_is_the_version_that_is_checked() -> None:
    scripts = ScriptDirectory(str(Path(migrate.__file__).with_name("migrations")))

    assert scripts.get_heads() == [version.NEWEST]
