"""Stores with their tables, and journals that are closed after the test."""

import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest

from app.records.store import migrate
from app.records.store.store import Store
from app.records.writing.journal import Journal


@pytest.fixture
def open_store() -> Iterator[Callable[..., Store]]:
    """Return a function that opens a store on a URL."""
    stores: list[Store] = []

    def open_one(url: str, *, timeout: float = 20) -> Store:
        store = Store(url.replace("postgresql://", "postgresql+psycopg://"), timeout=timeout)
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def store(open_store: Callable[..., Store], database_url: str) -> Store:
    """Return an empty store on each engine, patient: a slow machine is no fault."""
    store = open_store(database_url)
    migrate.upgrade(store)
    return store


@pytest.fixture
def open_journal() -> Iterator[Callable[[Store], Journal]]:
    """Return a function that opens a journal on a store."""
    journals: list[Journal] = []

    def open_one(store: Store) -> Journal:
        journals.append(Journal(store))
        return journals[-1]

    yield open_one
    for journal in journals:
        journal.close()


@pytest.fixture
def journal(open_journal: Callable[[Store], Journal], store: Store) -> Journal:
    """Return a journal on an empty store."""
    return open_journal(store)


@pytest.fixture
def second_postgresql_url(postgresql: str) -> Iterator[str]:
    """Return the URL of another empty database of the test's own."""
    name = f"second_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgresql.replace("/postgres?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
