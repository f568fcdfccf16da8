"""Backups: copies of the whole store, made while it is in use, as a SQLite file that either engine restores."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Table, create_engine, func, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app.records.model.receipt import StoreUnavailable
from app.records.model.tables import metadata
from app.records.store import migrate
from app.records.store.files import sync
from app.records.store.sqlite import without_writers
from app.records.store.store import Store
from app.records.store.version import NOT_CURRENT, is_current, version_of

OnProgress = Callable[[int, int], None]  # Called after each step with the rows copied and the rows in all.

_CHUNK = 1000


class BackupError(Exception):
    """A backup was not made or not restored."""


def backup(store: Store, path: Path, step: OnProgress) -> None:
    """Copy every row of one snapshot into a new file, all or nothing. Raises `BackupError`.

    Only the file's owner can read it: it holds numbers in clear.
    """
    try:
        if path.exists():
            raise BackupError(f"{path} exists already; name a new file")
        with _speaking(), _room_beside(path) as room:
            unfinished = room / "copy.db"
            with _made(unfinished) as copy, _one_view(store) as source:
                if not is_current(source):
                    raise StoreUnavailable(NOT_CURRENT)
                _copy(source, copy, step)
            unfinished.chmod(0o600)
            sync(unfinished)
            unfinished.rename(path)
            sync(path.parent)
    except OSError as error:
        raise BackupError(
            f"{path} cannot be written: {error.strerror}; name a new file in a directory that this user may write to"
        ) from error


def restore(store: Store, path: Path, step: OnProgress) -> None:
    """Copy a backup into an empty store, all or nothing. Raises `BackupError`.

    The backup is only read: it may be on a read-only disk. A SQLite store that a server has open is refused, and no
    server opens it for writing until the restore has ended.
    """
    with _no_server(store), _copy_opened(path) as copy, _speaking():
        migrate.upgrade(store)
        with store.engine.connect() as connection:
            if any(connection.execute(select(table).limit(1)).first() for table in metadata.sorted_tables):
                raise BackupError("the store holds records already; restore into an empty one")
        _copy(copy, store, step)


@contextmanager
def _no_server(store: Store) -> Iterator[None]:
    if not store.is_sqlite:
        yield
        return
    with without_writers(Path(str(store.url.database))) as is_alone:
        if not is_alone:
            raise BackupError("a server has this store open; stop the server, restore, then start it again")
        yield


@contextmanager
def _copy_opened(path: Path) -> Iterator[Connection]:
    """Yield a connection to a backup that is undamaged and of this version."""
    if not path.is_file():
        raise BackupError(f"there is no file {path}")
    engine = create_engine("sqlite://", creator=lambda: _sqlite(path), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            _require_whole(connection, path)
            yield connection
    finally:
        engine.dispose()


def _sqlite(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _require_whole(connection: Connection, path: Path) -> None:
    try:
        found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
        version = version_of(connection)
    except DBAPIError as error:
        raise BackupError(f"{path} is no copy of a store, or a damaged one: {error.orig}") from error
    if found != "ok":
        raise BackupError(f"{path} is damaged: {found}")
    if version is None:
        raise BackupError(f"{path} is no copy of a store; name a file that flask --app wsgi db backup wrote")
    if not is_current(connection):
        raise BackupError(
            f"{path} was made by another version of this server; restore it with that one, then run flask --app wsgi "
            "db upgrade"
        )


@contextmanager
def _room_beside(path: Path) -> Iterator[Path]:
    """Yield an empty directory on the same disk, for a copy and the files beside it."""
    room = path.with_name(f"{path.name}.unfinished")
    shutil.rmtree(room, ignore_errors=True)  # Left by a backup that was killed.
    room.mkdir(mode=0o700)
    try:
        yield room
    finally:
        shutil.rmtree(room)


@contextmanager
def _made(path: Path) -> Iterator[Store]:
    """Yield a new store with its tables; it ends as a single file."""
    store = Store(f"sqlite:///{quote(str(path.absolute()))}", timeout=60)
    try:
        migrate.upgrade(store)
        yield store
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = DELETE")
    finally:
        store.close()


@contextmanager
def _speaking() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StoreUnavailable(f"the copy broke off: {error.orig}") from error


def _copy(source: Connection, target: Store, step: OnProgress) -> None:
    with target.engine.connect() as writing, target.begin(writing):
        total = sum(source.execute(select(func.count()).select_from(table)).scalar_one() for table in _tables())
        done = 0
        for table in _tables():
            for rows in _rows(source, table):
                writing.execute(insert(table), rows)
                done += len(rows)
                step(done, total)


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if table.name != "readiness"]


def _rows(source: Connection, table: Table) -> Iterator[list[dict[str, object]]]:
    found = source.execution_options(yield_per=_CHUNK).execute(select(table)).mappings()
    for chunk in found.partitions():
        yield [dict(row) for row in chunk]


@contextmanager
def _one_view(store: Store) -> Iterator[Connection]:
    """Yield a connection that sees one snapshot of the store."""
    with store.engine.connect() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql("BEGIN")
            yield connection
            connection.exec_driver_sql("ROLLBACK")
        else:
            connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection
