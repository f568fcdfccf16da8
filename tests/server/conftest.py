"""One running server for each engine, for tests that leave it as it was."""

from collections.abc import Callable

import pytest

from tests.support.server import Server


@pytest.fixture
def server(start_server: Callable[..., Server], database_url: str) -> Server:
    """Start a server with two workers and many threads on an empty database."""
    return start_server(DATABASE_URL=database_url, WORKERS=2, THREADS=32)
