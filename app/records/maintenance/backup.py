"""Copies of the whole store, made while it is in use, as a SQLite file that either engine takes back."""

import os
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
from app.records.store.store import Store
from app.records.store.version import NOT_CURRENT, is_current, version_of

OnProgress = Callable[[int, int], None]  # Told after each step: how many rows are copied, and of how many.

_CHUNK = 1000


class BackupError(Exception):
    """Say why a copy was not made or not taken back."""


def backup(store: Store, path: Path, step: OnProgress) -> None:
    """Copy every row, as of one moment, into a new file; whole or not at all. Raises `BackupError`.

    Only the file's owner may read it: it holds numbers in clear.
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
            _sync(unfinished)
            unfinished.rename(path)
            _sync(path.parent)
    except OSError as error:
        raise BackupError(
            f"{path} cannot be written: {error.strerror}; name a new file in a directory that this user may write to"
        ) from error


def restore(store: Store, path: Path, step: OnProgress) -> None:
    """Bring a copy into an empty store, all of it or nothing. Raises `BackupError`.

    The copy is only read: it stays as it is, and may lie where nobody can write.
    """
    with _copy_opened(path) as copy, _speaking():
        migrate.upgrade(store)
        with store.engine.connect() as connection:
            if any(connection.execute(select(table).limit(1)).first() for table in metadata.sorted_tables):
                raise BackupError("the store holds records already; restore into an empty one")
        _copy(copy, store, step)


@contextmanager
def _copy_opened(path: Path) -> Iterator[Connection]:
    """Give a connection that reads a copy which is whole and of this version."""
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
    """Give an empty directory on the same disk, for a copy and all that SQLite and migrations lay beside it."""
    room = path.with_name(f"{path.name}.unfinished")
    shutil.rmtree(room, ignore_errors=True)  # What a copy that was killed left.
    room.mkdir(mode=0o700)
    try:
        yield room
    finally:
        shutil.rmtree(room)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _made(path: Path) -> Iterator[Store]:
    """Give a new store with its tables, that ends as one file with nothing beside it."""
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
    with _one_transaction(target) as writing:
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
    """Give a connection that sees the store as it was at one moment, whoever writes meanwhile."""
    with store.engine.connect() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql("BEGIN")
            yield connection
            connection.exec_driver_sql("ROLLBACK")
        else:
            connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection


@contextmanager
def _one_transaction(store: Store) -> Iterator[Connection]:
    with store.engine.connect() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.exec_driver_sql("COMMIT")
        else:
            connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                yield connection
