"""Copies of the whole store, made while it is in use, as a SQLite file that either engine takes back."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Table, func, insert, select
from sqlalchemy.exc import DBAPIError

from app.records import migrate
from app.records.receipt import StoreUnavailable
from app.records.store import Store
from app.records.tables import metadata

Step = Callable[[int, int], None]  # Told after each step: how many rows are copied, and of how many.

_CHUNK = 1000


class BackupError(Exception):
    """Say why a copy was not made or not taken back."""


def backup(store: Store, path: Path, step: Step) -> None:
    """Copy every row, as of one moment, into a new file; whole or not at all. Raises `BackupError`."""
    if path.exists():
        raise BackupError(f"{path} exists already; name a new file")
    with _room_beside(path) as room:
        unfinished = room / "copy.db"
        with _opened(unfinished) as copy:
            migrate.upgrade(copy)
            _copy(store, copy, step)
            with copy.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = DELETE")  # One file, with nothing beside it.
        _sync(unfinished)
        unfinished.rename(path)
        _sync(path.parent)


def restore(store: Store, path: Path, step: Step) -> None:
    """Bring a copy into an empty store, all of it or nothing. Raises `BackupError`."""
    _require_whole(path)
    with _opened(path) as copy:
        migrate.upgrade(store)
        with store.engine.connect() as connection:
            if any(connection.execute(select(table).limit(1)).first() for table in metadata.sorted_tables):
                raise BackupError("the store holds records already; restore into an empty one")
        _copy(copy, store, step)


def _require_whole(path: Path) -> None:
    if not path.is_file():
        raise BackupError(f"there is no file {path}")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            [found] = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{path} is no copy of a store, or a damaged one: {error}") from error
    if found != "ok":
        raise BackupError(f"{path} is damaged: {found}")


@contextmanager
def _room_beside(path: Path) -> Iterator[Path]:
    """Give an empty directory on the same disk, for a copy and all that SQLite and migrations lay beside it."""
    room = path.with_name(f"{path.name}.unfinished")
    shutil.rmtree(room, ignore_errors=True)  # What a copy that was killed left.
    room.mkdir()
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
def _opened(path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{path.absolute()}", timeout=60)
    try:
        yield store
    finally:
        store.close()


def _copy(source: Store, target: Store, step: Step) -> None:
    try:
        with _one_view(source) as reading, _one_transaction(target) as writing:
            if not migrate.is_current(reading):
                raise BackupError("the tables are not those of this version; run flask --app wsgi db upgrade")
            total = sum(reading.execute(select(func.count()).select_from(table)).scalar_one() for table in _tables())
            done = 0
            for table in _tables():
                for rows in _rows(reading, table):
                    writing.execute(insert(table), rows)
                    done += len(rows)
                    step(done, total)
    except DBAPIError as error:
        raise StoreUnavailable(f"the copy broke off: {error.orig}") from error


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if table.name != "readiness"]


def _rows(reading: Connection, table: Table) -> Iterator[list[dict[str, object]]]:
    found = reading.execution_options(yield_per=_CHUNK).execute(select(table)).mappings()
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
